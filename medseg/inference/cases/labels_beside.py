"""Labels beside: the files of an input that are labels of its images, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath, PurePosixPath

from medseg.base.text import LeftOut
from medseg.ingest.file_words import LABEL_WORDS, Word, make_key, split_path


def drop_labels(files: Sequence[Path], left: LeftOut) -> list[Path]:
    """The files of a folder without those that are labels of others of them.

    A label has a word such as "seg" or "mask" in its name, and without that the name of an image,
    or the words that this begins with. One without a name of its own, such as `mask.nii`, belongs
    to a single image.

    Args:
        files: of one folder, images and labels.
        left: what is told as left out; it gets the labels.

    Example:
        >>> left = LeftOut()
        >>> [file.name for file in drop_labels([Path("a_0000.nii"), Path("a_seg.nii")], left)]
        ['a_0000.nii']
    """
    images = [find_key(file.name) for file in files if not is_label(file.name)]
    labels = [
        file for file in files if is_label(file.name) and is_of_one(find_key(file.name), images)
    ]
    left.add("named like a label of one of them", (file.name for file in labels))
    return [file for file in files if file not in labels]


def is_label(path: str | PurePath, *, channels: Iterable[str] = ()) -> bool:
    """Whether a word in the path of a file says that it is a label.

    Args:
        path: below the input.
        channels: names of channels, whose words do not count.
    """
    known = {word for channel in channels for word in _split(channel)}
    words = {word for part in split_path(PurePosixPath(path)) for word in part}
    return not LABEL_WORDS.isdisjoint(words - known)


def find_key(name: str) -> tuple[Word, ...]:
    """The words of a name without those that say what a file is, see `make_key`."""
    return make_key([_split(name)])


def is_of_one(key: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether one of some names begins with the words of another; without words, if it is alone."""
    if not key:
        return len(others) == 1
    return any(tuple(other[: len(key)]) == tuple(key) for other in others)


def _split(name: str) -> list[Word]:
    return split_path(PurePosixPath(name))[-1]
