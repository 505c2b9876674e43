"""Kinds: which stated values count as equal, where numbers may differ a little."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from pydicom.tag import Tag

from medseg.ingest.dicom.consistency.traits import SAME_IN_ONE_VOLUME, Trait
from medseg.ingest.dicom.files.elements import has_decimal_comma
from medseg.ingest.dicom.header.origin import find_keyword
from medseg.ingest.dicom.header.slice import Slice

MOST_LISTED = 4
"""At most this many values are listed; if there are more, the first two and the last one."""


def list_differences(
    slices: Sequence[Slice], traits: Iterable[Trait], *, is_absence_one: bool = True
) -> str:
    """Say what slices state several values of: "2 echo times (4.6 ms, 9.2 ms), 2 stacks (1, 2)".

    Args:
        slices: to compare; no slice or a single one gives "".
        traits: what to compare.
        is_absence_one: whether a missing value counts as a value of its own.
    """
    found = (_describe_difference(slices, trait, is_absence_one=is_absence_one) for trait in traits)
    return ", ".join(filter(None, found))


def _describe_difference(slices: Sequence[Slice], trait: Trait, *, is_absence_one: bool) -> str:
    stated = {getattr(s.origin, trait.field) for s in slices}
    if not is_absence_one:
        stated.discard("")
    if len(stated) < 2:
        return ""
    kinds = list(dict.fromkeys(group_values(stated, trait).values()))
    if len(kinds) < 2:
        return ""
    count = f"{len(kinds)} {trait.names}"
    values = [_format_kind(kind, trait) for kind in kinds]
    shown = values if len(values) <= MOST_LISTED else [*values[:2], "...", values[-1]]
    return f"{count} ({', '.join(shown)})" if trait.is_listed else count


def read_column(stated: Sequence[str], trait: Trait) -> list[float | str]:
    """Read what each slice states, "" included; values within the tolerance count as equal."""
    kind_of = group_values(set(stated), trait)
    return [kind_of[text] for text in stated]


def group_values(stated: set[str], trait: Trait) -> dict[str, float | str]:
    """Map each value to the one that it counts as: of numbers within the tolerance the lowest.

    Other text comes after the numbers, and "", a missing value, last.

    Example:
        >>> trait = Trait("echo_time_ms", "echo times", "ms", 0.02)
        >>> group_values({"4.60", "4.65", "9.2", ""}, trait)
        {'4.60': 4.6, '4.65': 4.6, '9.2': 9.2, '': ''}
    """
    numbers = {} if trait.tolerance is None else {text: parse_number(text) for text in stated}
    kinds: dict[str, float | str] = {}
    lowest = -math.inf
    for n, text in sorted((n, text) for text, n in numbers.items() if n is not None):
        if n - lowest > (trait.tolerance or 0) * abs(n):
            lowest = n
        kinds[text] = lowest
    return {
        **kinds,
        **{text: text for text in sorted(stated - {""}) if text not in kinds},
        **({"": ""} if "" in stated else {}),
    }


def _format_kind(kind: float | str, trait: Trait) -> str:
    if isinstance(kind, str):
        return kind.replace("\\", " ") or "none"
    return f"{kind:g} {trait.unit}".rstrip()


def parse_number(text: str) -> float | None:
    """The finite number that text is, with a decimal point or comma; None where it is none.

    Example:
        >>> parse_number("4,65"), parse_number("4.65"), parse_number("inf"), parse_number("")
        (4.65, 4.65, None, None)
    """
    try:
        number = float(text.replace(",", ".") if has_decimal_comma(text) else text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def describe_decimal_commas(slices: Sequence[Slice]) -> str:
    """Say in which slices, if only in some, numbers of the acquisition have a decimal comma.

    No scanner does so in only a part of its slices: another program has rewritten these files, and
    may have changed other numbers.

    If all slices that state an element write it so, nothing is found: they can be compared.

    Args:
        slices: those of one series, one or more.
    """
    for trait in SAME_IN_ONE_VOLUME:
        stated = [(text, s) for s in slices if (text := getattr(s.origin, trait.field))]
        faulty = [(text, s) for text, s in stated if has_decimal_comma(text)]
        if trait.tolerance is None or not 0 < len(faulty) < len(stated):
            continue
        keyword = find_keyword(trait.field)
        text, first = faulty[0]
        where = f"{len(faulty)} of {len(slices)} slices, such as {first.path.name},"
        said = f"{keyword} {Tag(keyword)} is {text!r}, which is not a number"
        return f"{said} because of its decimal comma, in {where}"
    return ""
