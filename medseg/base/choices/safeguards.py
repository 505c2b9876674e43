"""Safeguards: the keys and options that switch a check off, and how near a word must be to them.

A message that names such a key for another word would talk a reader into switching the check off.
"""

from collections.abc import Iterable

from medseg.base.text import find_near_word

SAFEGUARDS = (
    *("force", "other_settings", "resample", "affine", "units", "volume", "existing"),
    *("--resample", "--affine", "--units", "--volume", "--overwrite", "--accept-licence"),
    "--same-patient",
)
"""Keys and options that only a person may set, see `AGENTS.md`; options have their dashes."""


def find_near_key(word: str, known: Iterable[str]) -> str | None:
    """The key or option that a misspelt one was probably meant to be.

    One of `SAFEGUARDS` is named only where one letter is wrong.

    Args:
        word: the misspelt key or option.
        known: keys, and options with their dashes.

    Returns:
        The key or option as it is in `known`; None where none is near.

    Example:
        >>> find_near_key("--toleranc", ["surface_tolerance", "--tolerance"])
        '--tolerance'
    """
    return find_near_word(word, known, guarded=SAFEGUARDS)
