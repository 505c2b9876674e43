"""Pair files: find which label belongs to which image, by the names of files and folders.

Words that say what a file is, such as "images" or "seg", are taken out of its path. What is left
names the case: of a label all of it, of an image all of it and behind that its channel, as in
`t1/case7_flair` or nnU-Net's `case7_0001`.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from medseg.base.text import count_noun, shorten_list
from medseg.base.walk import walk
from medseg.datasets.own.readers.name_readers import Key, find_case_keys, name_readers
from medseg.ingest.file_words import LABEL_WORDS, make_key, spell, split_path
from medseg.ingest.formats import (
    is_macos_copy,
    is_picture_file,
    is_volume_file,
    select_volume_files,
)

logger = logging.getLogger(__name__)

SEVERAL_READERS = "where they are of several readers, pass --readers consensus, staple or mean"


@dataclass(frozen=True)
class Pair:
    """The files of a case.

    Attributes:
        case: its name.
        images: one for each channel, in the order of the names of these; None for one that is
            missing. Or one file that holds all of them.
        channels: what tells the images apart; ("",) for a single image.
        label: None where none was found.
        patient: whose they are, where that is known; "" otherwise.
        fold: that it was given; None otherwise.
        readers: the label that each of several readers drew; none where a case has one label.
        kinds: what is stated of each channel, such as "CT"; nothing where nothing is.
    """

    case: str
    images: tuple[Path | None, ...]
    channels: tuple[str, ...]
    label: Path | None
    patient: str = ""
    fold: int | None = None
    readers: Mapping[str, Path] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()


def pair_files(
    root: Path,
    *,
    images: str | None = None,
    labels: str | None = None,
    several_readers: bool = False,
) -> tuple[list[Pair], list[str]]:
    """Pair the volumes, or where there are none the pictures, below a folder.

    Args:
        root: the folder.
        images: a pattern, such as "*/ct.nii.gz", that paths of images below `root` match; None
            where names tell.
        labels: likewise of labels.
        several_readers: whether a case has several labels, see
            `medseg.datasets.own.readers.name_readers`. They are also found where no pairs of an
            image and a label are.

    Returns:
        The cases, sorted by name, and what is wrong, a line for each fault, such as a label without
        an image.

    Raises:
        ValueError: there are no files, no labels among them, or nothing but labels.
    """
    volumes, pictures = _list_by_kind(root)
    if volumes and pictures:
        logger.warning(
            "%s left out beside %s: give a folder of pictures alone if they are the images",
            count_noun(len(pictures), "picture is", plural="pictures are"),
            count_noun(len(volumes), "volume"),
        )
    files = volumes or pictures
    if not files:
        raise ValueError(
            f"{root.absolute()} holds neither volumes nor pictures: give the folder of the images "
            "and labels"
        )
    paths = {file: PurePosixPath(file.relative_to(root).as_posix()) for file in files}
    shared = _count_shared_folders(paths.values())
    found: dict[bool, dict[Path, Key]] = {True: {}, False: {}}
    all_words: dict[Path, Sequence[str]] = {}
    for file, path in paths.items():
        parts = split_path(PurePosixPath(*path.parts[shared:]))
        words = [word for part in parts for word in part]
        key = make_key(parts)
        is_label = _is_label(path, words, images=images, labels=labels)
        all_words[file] = words
        if is_label or images is None or _matches(path, images):
            found[is_label][file] = key
    for option, pattern in (("--images", images), ("--labels", labels)):
        if pattern is not None and not any(_matches(path, pattern) for path in paths.values()):
            some = shorten_list([str(path) for path in paths.values()])
            raise ValueError(
                f"no file in {root.absolute()} matches {option} '{pattern}' ({some}): correct the "
                "pattern, which is of the path below that folder, or of the name"
            )
    _check_kinds(root, found[False], found[True])
    if not several_readers:
        pairs, faults = _pair(found[False], found[True], root)
        if not faults:
            return pairs, faults
    cases = find_case_keys(found[True], found[False].values())
    drawn, others = _pair(found[False], cases, root, readers=name_readers(all_words, cases))
    if several_readers or any(len(pair.readers) > 1 for pair in drawn):
        return drawn, others
    return pairs, faults


def list_image_files(root: Path) -> list[Path]:
    """The volumes below a folder, or where there are none the pictures."""
    volumes, pictures = _list_by_kind(root)
    return volumes or pictures


def _list_by_kind(root: Path) -> tuple[list[Path], list[Path]]:
    """The volumes and the pictures below a folder."""
    below = [folder / name for folder, _, names in walk(root) for name in names]
    shown = [p for p in below if not p.name.startswith(".") and not is_macos_copy(p)]
    volumes = sorted(select_volume_files(p for p in shown if is_volume_file(p)))
    return volumes, sorted(p for p in shown if is_picture_file(p))


def _count_shared_folders(paths: Iterable[PurePosixPath]) -> int:
    """How many folders all paths begin with: their names tell no file from another."""
    folders = [path.parts[:-1] for path in paths]
    return next(
        (depth for depth, parts in enumerate(zip(*folders, strict=False)) if len(set(parts)) > 1),
        min(map(len, folders)),
    )


def _is_label(
    path: PurePosixPath, words: Collection[str], *, images: str | None, labels: str | None
) -> bool:
    if labels is not None:
        return _matches(path, labels)
    if images is not None and _matches(path, images):
        return False
    return not LABEL_WORDS.isdisjoint(words)


def _matches(path: PurePosixPath, pattern: str) -> bool:
    return fnmatch(str(path), pattern) or fnmatch(path.name, pattern)


def _check_kinds(root: Path, images: Iterable[Path], labels: Iterable[Path]) -> None:
    if not labels:
        some = shorten_list([str(file.relative_to(root)) for file in images])
        raise ValueError(
            f"no label files found in {root.absolute()}: no name of a file or folder holds a word "
            f"such as label, mask or seg ({some}): give the folder that holds images and labels, "
            "or pass a pattern that labels match, such as --labels '*_seg.nii.gz'"
        )
    if not images:
        some = shorten_list([str(file.relative_to(root)) for file in labels])
        raise ValueError(
            f"all files in {root.absolute()} are labels by their names ({some}): pass a pattern "
            "that images match, such as --images '*_ct.nii.gz'"
        )


def _pair(
    images: Mapping[Path, Key],
    labels: Mapping[Path, Key],
    root: Path,
    *,
    readers: Mapping[Path, str] | None = None,
) -> tuple[list[Pair], list[str]]:
    """Give each image to the label with the longest key that its own key holds.

    Several labels of one key are those of its readers, or a fault where these have no names.
    """
    if len(labels) > 1:
        images_by_key, labels_by_key = _drop_shared(images), _drop_shared(labels)
    else:  # words that all share may be the name of the only case
        images_by_key, labels_by_key = dict(images), dict(labels)
    labels_of = _group(labels_by_key)
    channels_of: defaultdict[Key, dict[str, Path]] = defaultdict(dict)
    faults, pairs = [], []
    for file, key in images_by_key.items():
        owner = _find_owner(key, labels_of)
        channel = "" if owner is None else "_".join(_subtract(key, owner))
        other = channels_of[key if owner is None else owner].setdefault(channel, file)
        if other is not file:
            two = f"{other.relative_to(root)} and {file.relative_to(root)}"
            faults.append(f"{two} are the same image of one case by their names: keep one of them")
    for key, channels in channels_of.items():
        files = labels_of.get(key, [])
        names = sorted(channels)
        ordered = tuple(channels[name] for name in names)
        case = _name(images[ordered[0]], labels[files[0]] if files else None)
        drawn = {} if readers is None else {readers[file]: file for file in sorted(files)}
        if len(files) > max(len(drawn), 1):
            listed = shorten_list([str(file.relative_to(root)) for file in files])
            which = "" if readers is None else " of one reader by their names"
            faults.append(f"case {case} has {len(files)} labels{which}: {listed}: keep one")
        label = files[0] if files else None
        pairs.append(Pair(case, ordered, tuple(names), label, readers=dict(sorted(drawn.items()))))
    for key, files in labels_of.items():
        if key not in channels_of:
            lacking = "has no image: add its image, or take it out"
            faults += [f"label {file.relative_to(root)} {lacking}" for file in files]
    return sorted(pairs, key=lambda pair: pair.case), sorted(faults)


def _drop_shared(keys: Mapping[Path, Key]) -> dict[Path, Key]:
    """The keys without the words that all have, each once, where that tells all apart as before."""
    shared = tuple(sorted(set.intersection(*map(set, keys.values()))))
    short = {file: _subtract(key, shared) for file, key in keys.items()}
    return short if len({*short.values()}) == len({*keys.values()}) else dict(keys)


def _group(keys: Mapping[Path, Key]) -> dict[Key, list[Path]]:
    groups: defaultdict[Key, list[Path]] = defaultdict(list)
    for file, key in keys.items():
        groups[key].append(file)
    return dict(groups)


def _name(image: Key, label: Key | None) -> str:
    """The name of a case: the words that image and label share, as the image spells them."""
    return spell(word for word in image if label is None or word in label) or "case"


def _find_owner(key: Key, labels: Collection[Key]) -> Key | None:
    """The label of an image: of the same words, else with the most of its words in their order."""
    if key in labels:
        return key
    fitting = [label for label in labels if label and _holds_in_order(key, label)]
    return max(fitting, key=len, default=None)


def _holds_in_order(key: Key, label: Key) -> bool:
    following = iter(key)
    return all(word in following for word in label)


def _subtract(key: Key, words: Key) -> Key:
    """A key without the first occurrence of each of some words."""
    left = list(key)
    for word in words:
        if word in left:
            left.remove(word)
    return tuple(left)
