"""Text: counted nouns, lists of names and near words for messages, and text that is safe to show.

What files and headers say is shown in a form that no terminal, log or spreadsheet acts on.
"""

import copy
import difflib
import hashlib
import logging
import re
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from medseg.base.channels.case_paths import list_paths

ODD_ENTRIES = "that are broken links, pipes, devices or unreadable"
"""What `LeftOut` says of the entries of `medseg.base.walk.find_odd_entries`."""

_MOST_NAMED = 5

_NEAR = 0.72  # share of letters in common, from which a word counts as misspelt
_LONGEST_NAME = 100  # letters of the name of a file, before its suffix
_SHORTEST = 3  # letters of a word in which one slip may be seen

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell starts that a spreadsheet takes for a formula (OWASP, "CSV Injection")."""


def count_noun(number: int, noun: str, *, plural: str | None = None) -> str:
    """A number and what it counts, for messages.

    Args:
        number: how many.
        noun: in the singular.
        plural: where it is not the noun with an s.

    Example:
        >>> count_noun(1, "case"), count_noun(0, "case"), count_noun(2, "study", plural="studies")
        ('1 case', '0 cases', '2 studies')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def shorten_list(names: Sequence[str]) -> str:
    """The first five names, and how many more there are.

    Example:
        >>> shorten_list(["a", "b", "c", "d", "e", "f", "g"])
        'a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def find_near_word(word: str, known: Iterable[str], *, guarded: Collection[str] = ()) -> str | None:
    """The known word that was probably meant by a misspelt one.

    Dashes at the start do not count, and `-` is as good as `_`.

    Args:
        word: what was written.
        known: the words that it can mean.
        guarded: those of them that are named only where a single letter is wrong, missing, too many
            or exchanged with the next one.

    Returns:
        The word as it is in `known`; None where none is near.

    Example:
        >>> find_near_word("max-epoch", ["max_epochs", "name"])
        'max_epochs'
        >>> find_near_word("tolernce", ["force"]) is None
        True
    """
    plain = _strip_dashes(word)
    spelt = {_strip_dashes(name): name for name in known}
    alike = difflib.get_close_matches(plain, spelt, n=max(len(spelt), 1), cutoff=_NEAR)
    near = [name for name in spelt if _is_one_slip(plain, name)]
    near += [name for name in alike if spelt[name] not in guarded]
    return spelt[near[0]] if near else None


def _strip_dashes(word: str) -> str:
    return word.lstrip("-").replace("-", "_")


def _is_one_slip(word: str, meant: str) -> bool:
    """Whether one letter is wrong, missing or too many, or two neighbours are exchanged."""
    if len(word) < _SHORTEST:
        return False
    pairs = enumerate(zip(word, meant, strict=False))
    start = next((i for i, (one, other) in pairs if one != other), min(len(word), len(meant)))
    left, right = word[start:], meant[start:]
    exchanged = left[1:2] + left[:1] + left[2:]
    return right in (left[1:], exchanged) or right[1:] in (left, left[1:])


def make_file_name(case: str) -> str:
    """The name of a case as that of a file; no two cases have the same.

    Letters, digits, ".", "-" and "_" stay. Where anything else was replaced, or cut off, digits of
    the name's SHA-256 follow.

    Example:
        >>> make_file_name("patient_1"), make_file_name("patient 1/left")
        ('patient_1', 'patient_1_left_8bf0cb2e')
    """
    name = re.sub(r"[^\w.-]+", "_", case)[:_LONGEST_NAME]
    return name if name == case else f"{name}_{hashlib.sha256(case.encode()).hexdigest()[:8]}"


def name_cases(cases: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The cases, each with a name under "case": its own, or that of the file of its image.

    Example:
        >>> name_cases([{"image": "data/a.nii.gz"}, {"image": "b.png", "case": "7"}])
        [{'image': 'data/a.nii.gz', 'case': 'a'}, {'image': 'b.png', 'case': '7'}]
    """
    return [
        case if "case" in case else {**case, "case": _name_of(case)} for case in map(dict, cases)
    ]


def _name_of(case: Mapping[str, Any]) -> str:
    """The name of a case's image, or of the first of several, without its suffix."""
    path = Path(next(iter(list_paths(case.get("image"))), ""))
    return path.stem if path.suffix != ".gz" else Path(path.stem).stem


class LeftOut:
    """What a reader of a folder does not use, by its reason, for one warning.

    Example:
        >>> left = LeftOut()
        >>> left.add("without a label", ["b.nii", "a.nii"])
        >>> str(left)
        '2 files without a label (a.nii, b.nii)'
    """

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], list[str]] = {}

    def add(self, reason: str, names: Iterable[str], *, noun: str = "file") -> None:
        """Enter files; the reason is said after their number, as in "2 files without a label"."""
        if found := sorted(names):
            self._names.setdefault((noun, reason), []).extend(found)

    def __bool__(self) -> bool:
        return bool(self._names)

    def __str__(self) -> str:
        return "; ".join(
            f"{count_noun(len(names), noun)} {reason} ({shorten_list(names)})"
            for (noun, reason), names in self._names.items()
        )

    def warn(self, logger: logging.Logger, place: Path, *, used: int) -> None:
        """Log what is left out, if anything is; the same words only once in a process."""
        if self:
            warn_once(logger, f"{count_noun(used, 'case')} of {place} used, left out: {self}")


@lru_cache(maxsize=256)
def warn_once(logger: logging.Logger, text: str) -> None:
    """Log a warning, unless this process has logged the same words before."""
    logger.warning("%s", text)


def escape_unprintable(text: object) -> str:
    """Text in one line, in which every character that is not printable is an escape.

    Escaped are line breaks, escape sequences and other control characters (C0, C1), marks that
    turn the direction of text, and bytes of a file name that are no text.

    Example:
        >>> escape_unprintable("two\\nlines, red\\x1b[31m, é")
        'two\\\\nlines, red\\\\x1b[31m, é'
    """
    written = str(text)
    if written.isprintable():
        return written
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in written)


def escape_unprintable_lines(text: str) -> str:
    """Text of several lines, as of a traceback, each of them printable."""
    return "\n".join(escape_unprintable(line) for line in text.split("\n"))


def format_csv_cell(value: Any) -> Any:
    """A value for a table: text that a spreadsheet would run as a formula begins with `'`.

    Example:
        >>> format_csv_cell("=cmd()"), format_csv_cell("two\\nlines"), format_csv_cell(-0.5)
        ("'=cmd()", 'two\\\\nlines', -0.5)
    """
    if not isinstance(value, str):
        return value
    is_formula = value.startswith(_FORMULA) and not _is_number(value)
    return escape_unprintable(f"'{value}" if is_formula else value)


def log_printable_text() -> None:
    """From now on, what is logged and warned of is printable; call it again for new handlers.

    A message is one line; a traceback behind it keeps its lines.
    """
    named = logging.root.manager.loggerDict.values()
    loggers = [logging.root, *(each for each in named if isinstance(each, logging.Logger))]
    handlers = [handler for logger in loggers for handler in logger.handlers]
    for handler in (*handlers, logging.lastResort):
        if handler is not None and not isinstance(handler.formatter, _PrintableFormatter):
            handler.setFormatter(_PrintableFormatter(handler.formatter))
    if warnings.formatwarning is _format_warning:
        warnings.formatwarning = _format_printable_warning


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _PrintableFormatter(logging.Formatter):
    """Formats a record as another formatter does, from its message as one printable line."""

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self.inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        shown = copy.copy(record)
        shown.msg, shown.args = escape_unprintable(record.getMessage()), None
        return escape_unprintable_lines(self.inner.format(shown))


_format_warning = warnings.formatwarning


def _format_printable_warning(*about: Any, **more: Any) -> str:
    return escape_unprintable_lines(_format_warning(*about, **more))
