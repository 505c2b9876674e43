"""Name readers: tell in the names of label files the reader who drew it from the case.

The words of a label's path that some image has too name the case, the others its reader, as in
`case7_reader1_seg` or `labels_anna/case7`. What all labels have in their paths names nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

Key = tuple[str, ...]


def find_case_keys(labels: Mapping[Path, Key], images: Iterable[Key]) -> dict[Path, Key]:
    """The words of each label that name its case; all of them where no image has that case.

    Args:
        labels: the words of each label's path that may name its case or its reader.
        images: those of the images, channels included.

    Example:
        >>> labels = {Path("a1"): ("p1", "anna"), Path("b1"): ("p1", "bob")}
        >>> find_case_keys(labels, [("p1",)])
        {PosixPath('a1'): ('p1',), PosixPath('b1'): ('p1',)}
    """
    images = list(images)
    known = {word for key in images for word in key}
    used = {word for key in labels.values() for word in key}
    cases = {_keep(key, used) for key in images}
    return {file: _find_case(key, known, cases) for file, key in labels.items()}


def name_readers(words: Mapping[Path, Sequence[str]], cases: Mapping[Path, Key]) -> dict[Path, str]:
    """The reader of each label: the words of its path without those of the case and of all labels.

    A number becomes reader_1.

    Args:
        words: all words of each label's path, such as "labels" too.
        cases: see `find_case_keys`.

    Example:
        >>> name_readers({Path("a"): ["mask", "c"], Path("b"): ["seg", "c"]},
        ...              {Path("a"): ("c",), Path("b"): ("c",)})
        {PosixPath('a'): 'mask', PosixPath('b'): 'seg'}
    """
    left = {file: _subtract(words[file], cases[file]) for file in cases}
    shared = set.intersection(*(set(each) for each in left.values())) if left else set()
    own = {file: "_".join(w for w in each if w not in shared) for file, each in left.items()}
    return {
        file: f"reader_{name}" if name.isdigit() else name or "_".join(left[file]) or "reader"
        for file, name in own.items()
    }


def _find_case(key: Key, known: Collection[str], cases: Collection[Key]) -> Key:
    """The case of a label: what it shares with images, else the one that it begins or ends with."""
    inside = _keep(key, known)
    if inside in cases and (inside or len(cases) == 1):
        return inside
    fits = [case for case in cases if case and case in (key[: len(case)], key[-len(case) :])]
    longest = [case for case in fits if len(case) == max(map(len, fits))]
    return longest[0] if len(longest) == 1 else key


def _keep(key: Key, words: Collection[str]) -> Key:
    return tuple(word for word in key if word in words)


def _subtract(words: Iterable[str], others: Key) -> list[str]:
    """Words without the last occurrence of each of some others: a file follows its folder."""
    left = list(words)[::-1]
    for word in others[::-1]:
        if word in left:
            left.remove(word)
    return left[::-1]
