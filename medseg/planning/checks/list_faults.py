"""List faults: a line for each kind of fault, with the cases that have it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence

from medseg.base.text import shorten_list

MOST_ALIKE = 3
"""Faults of one kind that have a line each; of more the first is told, and the names of the others.
"""

_FILE = re.compile(r"[^\s,:;()'\"]*(?:/|\.[A-Za-z])[^\s,:;()'\"]*")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")
_PLURAL = re.compile(r"(?<=# )(\w+)s\b")
_LINE = re.compile(r"line (\d+) of (\S+)")
_LIST = re.compile(r"([@#])(?:(?:, | and )\1)*(?: and # more)?")


def list_faults(faults: Sequence[str], cases: Collection[str]) -> list[str]:
    """The faults, those of one kind in one line where they are many.

    A kind is what is left of a line without the name of its case, names of files and numbers.

    Args:
        faults: a line each, such as "case NAME: what is wrong", or of a file.
        cases: names of all cases, as far as they are known.

    Example:
        >>> list_faults([f"case {name} has 2 labels: remove one" for name in "abcd"], "abcd")
        ['case a has 2 labels: remove one; likewise in 3 other cases: b, c, d']
    """
    known = {*cases}
    kinds: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for fault in faults:
        case = _find_case(fault, known)
        kinds[_find_kind(fault, case)].append((fault, case))
    return [line for alike in kinds.values() for line in _join(alike)]


def _find_case(fault: str, cases: Collection[str]) -> str:
    """The case that a line begins with; "" where it is of a file or of several cases."""
    text = fault.removeprefix("case ")
    if text == fault:
        return ""
    starts = [text[: end.start()] for end in re.finditer("[: ]", text)]
    return next((start for start in reversed(starts) if start in cases), "".join(starts[:1]))


def _find_kind(fault: str, case: str) -> str:
    """What lines share that differ in their case, in files and in numbers."""
    rest = fault.removeprefix(f"case {case}") if case else fault
    plain = _NUMBER.sub("#", _FILE.sub("@", rest))
    return _PLURAL.sub(r"\1", _LIST.sub(r"\1", plain))


def _join(alike: Sequence[tuple[str, str]]) -> list[str]:
    """The lines of one kind of fault: each, or the first with the names of the others."""
    lines = [fault for fault, _ in alike]
    if len(lines) <= MOST_ALIKE:
        return lines
    noun = "cases" if alike[0][1] else "files"
    others = [case or "".join(_FILE.findall(fault)[:1]) or fault for fault, case in alike[1:]]
    of_table = [_LINE.match(line) for line in lines]
    if all(of_table) and len({match[2] for match in of_table if match}) == 1:
        noun, others = "lines", [match[1] for match in of_table[1:] if match]
    return [f"{lines[0]}; likewise in {len(others)} other {noun}: {shorten_list(others)}"]
