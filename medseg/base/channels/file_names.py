"""File names: which channel of a case a file is, by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBER = re.compile(r"(.+)_(\d{4})")
_BETWEEN = "_-. "
_WORD = r"[a-z0-9]"


def find_channel(stem: str, channels: Sequence[str]) -> tuple[int | None, str]:
    """Which channel a file is, and the name of its case.

    The words of the channel's name stand in the name of the file, whatever their case; of several
    channels the longest counts. Else the number of nnU-Net tells, where there are so many channels.

    Args:
        stem: name of the file without its suffix.
        channels: their names.

    Returns:
        The place of the channel, None where the name tells none; and what is left of the name,
        which may be nothing.

    Example:
        >>> find_channel("Case-7_T1", ["flair", "t1"]), find_channel("x_0001", ["flair", "t1"])
        ((1, 'Case-7'), (1, 'x'))
        >>> find_channel("ct1", ["flair", "t1"])
        (None, 'ct1')
    """
    if found := find_words(stem, channels):
        place, match = found
        parts = (stem[: match.start()].rstrip(_BETWEEN), stem[match.end() :].lstrip(_BETWEEN))
        return place, "_".join(filter(None, parts))
    numbered = _NUMBER.fullmatch(stem)
    if numbered and int(numbered[2]) < len(channels):
        return int(numbered[2]), numbered[1]
    return None, stem


def find_words(text: str, channels: Sequence[str]) -> tuple[int, re.Match[str]] | None:
    """The place of the channel whose words stand in a text, and where; of several the longest.

    Example:
        >>> find_words("AX T1 post", ["flair", "t1"])[0]
        1
    """
    found = [(place, match) for place, name in enumerate(channels) if (match := _find(name, text))]
    return max(found, key=lambda pair: len(pair[1].group()), default=None)


def make_channel_name(text: str) -> str:
    """A name of letters, digits and _, as `find_channel` looks for.

    Example:
        >>> make_channel_name("T2-weighted ")
        'T2_weighted'
    """
    return "_".join(re.findall(r"[A-Za-z0-9]+", text))


def _find(name: str, stem: str) -> re.Match[str] | None:
    words = re.findall(rf"{_WORD}+", name.lower())
    pattern = rf"[{re.escape(_BETWEEN)}]+".join(words)
    return re.search(rf"(?<!{_WORD}){pattern}(?!{_WORD})", stem.lower()) if words else None
