"""Wording: what a message says of the command line, as gateway.toml has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

_VALUE = re.compile(r"(?<!\S)--(\w+) (True|False|\w+)(?=[\s,;:)]|$)")
_COMMAND = re.compile(r"medseg \w+ .*$")  # to be typed as it stands
_WORDS = (
    (re.compile(r"override --(\w+)"), r"[keys] \1"),
    (re.compile(r"with -b\b"), "by the key bundle of gateway.toml"),
    (re.compile(r"pass --weights with a file"), 'set weights = "FILE" in [keys]'),
    (re.compile(r"(?<![\w-])--(\w+)"), r"\1"),
)


def name_settings(text: str) -> str:
    """A message of a bundle with keys of gateway.toml in place of options of the command line.

    Example:
        >>> name_settings("slices are missing: pass --resample True to interpolate")
        'slices are missing: pass resample = true in [keys] to interpolate'
    """
    command = _COMMAND.search(text)
    cut = len(text) if command is None else command.start()
    said, kept = text[:cut], text[cut:]
    said = _VALUE.sub(_name_key, said)
    for option, words in _WORDS:
        said = option.sub(words, said)
    return said + kept


@contextmanager
def naming_settings() -> Iterator[None]:
    """Within the block, give errors of a bundle the words of gateway.toml.

    Raises:
        FileNotFoundError: there is no such bundle, or it has no weights.
        ValueError: a key or value that it cannot have.
    """
    try:
        yield
    except (FileNotFoundError, ValueError) as error:
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(name_settings(" ".join(str(error).split()))) from error


def _name_key(option: re.Match[str]) -> str:
    """An option with its value as a line of gateway.toml."""
    value = {"True": "true", "False": "false"}.get(option[2], f'"{option[2]}"')
    if option[2] in _PROSE:
        return option[0]
    return f"{option[1]} = {value} in [keys]"


_PROSE = ("with", "is", "must", "has", "cannot", "holds", "and", "or", "in", "to", "of", "for")
"""Words that follow an option in a sentence and are no value of it."""
