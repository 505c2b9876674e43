"""Find channels: the cases of an input whose images have several channels."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from medseg.base.arguments import require_bool
from medseg.base.channels.file_names import find_channel
from medseg.base.text import LeftOut, count_noun, shorten_list
from medseg.base.walk import walk
from medseg.inference.cases.existing import Case
from medseg.inference.cases.find_cases import list_entries, open_input, select_undone
from medseg.inference.cases.find_studies import find_studies
from medseg.inference.cases.labels_beside import find_key, is_label, is_of_one
from medseg.inference.outputs.source import get_case_name
from medseg.ingest.dicom.channel_series import Patterns
from medseg.ingest.formats import is_volume_file, select_volume_files, strip_suffix
from medseg.ingest.reader import VolumeReader

logger = logging.getLogger(__name__)

_ALL = -1
"""The place of a file that holds all channels."""

Found = dict[str, dict[int, Path]]
"""Case -> place of a channel, or `_ALL` -> its file."""

NamedFile = tuple[str, int | None, Path]
"""The name of a case, the place of a channel, None where the name tells none, and its file."""


def find_channel_cases(
    path: str | os.PathLike,
    channels: Sequence[str],
    *,
    output_dir: str | os.PathLike | None = None,
    existing: str | None = "refuse",
    probabilities: bool = False,
    allow_missing: bool = False,
    channel_dropout: float = 0.0,
    reader: VolumeReader | None = None,
    series: Patterns | None = None,
) -> list[Case]:
    """The cases of an input, as `{"case": name, "image": [path of each channel]}`, sorted.

    Which channel a file is, its name tells, see `find_channel`: that of nnU-Net, `x_0001.nii.gz`,
    by the number. In a folder the files of one case have the rest of their names in common; a
    folder in it is a case, or has the name of a channel and the files of that. A file whose name
    tells no channel holds all of them, and is the image itself; beside the channels of its case it
    is left out, and so is a label, which is logged.

    Where there are no volume files, each DICOM study is a case, and the channels are series of it,
    see `medseg.ingest.dicom.channel_series`. Its name is that of its folder.

    Args:
        path: a folder, a file with all channels, or a DICOM study.
        channels: their names, in the order of the network's input.
        output_dir: as that of `medseg.inference.find_cases`; likewise `existing`, `probabilities`.
        allow_missing: accept a case without some of the channels; None is in their places then.
        channel_dropout: how often channels were dropped in the training.
        reader: that will read the images; None for one of no options.
        series: of a DICOM study, patterns of the series of each channel.

    Raises:
        FileNotFoundError: `path` does not exist.
        TypeError: `path` is no path, or `probabilities` is neither true nor false.
        ValueError: a case lacks a channel and may not, or has two files or series for one; there
            is no case; or as `find_cases`.

    Example:
        >>> find_channel_cases("imagesTs", ["flair", "t1"])  # doctest: +SKIP
        [{"case": "x", "image": ["imagesTs/x_0000.nii.gz", "imagesTs/x_0001.nii.gz"]}]
    """
    asked = require_bool(probabilities, "save_probabilities")
    source, target = open_input(path, output_dir, existing=existing)
    found: Found = defaultdict(dict)
    is_dicom = not _holds_volumes(source, target)
    if is_dicom:
        found = find_studies(source, channels, reader or VolumeReader(), series or {})
    elif source.is_dir():
        _find_in_folder(source, target, channels, found)
    else:
        place, _ = find_channel(strip_suffix(source.name), channels)
        if place is not None:
            raise ValueError(
                f"{source} is the channel {channels[place]} alone by its name: pass its folder, "
                "which has the others too"
            )
        found[get_case_name(source)][_ALL] = source
    if not found:
        raise ValueError(
            f"{source.absolute()} holds no volume files and no DICOM series: give a folder of "
            f"files with the channels {', '.join(channels)} in their names, or a DICOM study"
        )
    _check_missing(
        found, channels, is_dicom=is_dicom, is_allowed=allow_missing, is_known=channel_dropout > 0
    )
    cases = [_make_case(name, files, channels) for name, files in sorted(found.items())]
    if not is_dicom:  # whose series are named by number
        _log_channels(cases[0], channels)
    return select_undone(cases, source, target, existing=existing, asked=asked)


def _holds_volumes(source: Path, target: Path | None) -> bool:
    """Whether a path is a volume file, or a folder with one below it outside the outputs."""
    if not source.is_dir():
        return is_volume_file(source)
    entries = list_entries(source, target, LeftOut())
    return any(_list_volumes(one) if one.is_dir() else is_volume_file(one) for one in entries)


def _find_in_folder(
    source: Path, target: Path | None, channels: Sequence[str], found: Found
) -> None:
    left = LeftOut()
    entries = list_entries(source, target, left)
    folders = [entry for entry in entries if os.path.isdir(entry)]
    files = [
        *_name_files(source, [entry for entry in entries if entry not in folders], channels),
        *(one for folder in folders for one in _name_folder(folder, channels, left)),
    ]
    others = _find_others(files, source, channels)
    left.add("that are no channel of a case", (volume.name for volume in others))
    for name, place, volume in files:
        if volume not in others:
            _add(found, name, place, volume, channels)
    unknown = (entry for entry in entries if entry not in folders and not is_volume_file(entry))
    left.add("in an unsupported format", (entry.name for entry in unknown))
    left.warn(logger, source, used=len(found))


def _name_files(
    source: Path, entries: Sequence[Path], channels: Sequence[str]
) -> Iterator[NamedFile]:
    """The volume files of the input, each named by itself."""
    for volume in select_volume_files(entries):
        place, name = find_channel(strip_suffix(volume.name), channels)
        yield name or source.absolute().name, place, volume


def _name_folder(folder: Path, channels: Sequence[str], left: LeftOut) -> Iterator[NamedFile]:
    """The volume files of a folder in the input: a case, or a channel or labels by its name."""
    of_folder, rest = find_channel(folder.name, channels)
    is_channel = of_folder is not None and not rest
    is_of_labels = is_label(folder.name, channels=channels) and not find_key(folder.name)
    files = _list_volumes(folder)
    if not files:
        left.add("without volume files", [folder.name], noun="folder")
    for volume in files:
        stem = strip_suffix(volume.name)
        if is_channel or is_of_labels:
            yield stem, of_folder, volume
        else:
            yield folder.name, find_channel(stem, channels)[0], volume


def _find_others(files: Sequence[NamedFile], source: Path, channels: Sequence[str]) -> list[Path]:
    """The files that are no channel, beside those that are channels of the same case.

    They are labels by a word in their paths; or no channel by name, of a case that has all.
    """
    labels = {one for _, _, one in files if is_label(one.relative_to(source), channels=channels)}
    places: defaultdict[str, set[int]] = defaultdict(set)
    for name, place, one in files:
        if place is not None and one not in labels:
            places[name].add(place)
    keys = [find_key(case) for case in places]
    whole = [find_key(case) for case, found in places.items() if len(found) == len(channels)]
    return [
        one
        for name, place, one in files
        if (one in labels and (name in places or is_of_one(find_key(name), keys)))
        or (place is None and any(find_key(name)[: len(key)] == key for key in whole))
    ]


def _list_volumes(folder: Path) -> list[Path]:
    return select_volume_files(
        below / name for below, _, names in walk(folder) for name in names if is_volume_file(name)
    )


def _add(found: Found, name: str, place: int | None, volume: Path, channels: Sequence[str]) -> None:
    """Enter a file of a case, which has one file for each channel, or one alone."""
    files = found[name]
    key = _ALL if place is None else place
    if files and (key in files or key == _ALL or _ALL in files):
        other = files.get(key) or next(iter(files.values()))
        which = f" as {channels[place]}" if place is not None and key in files else ""
        raise ValueError(
            f"case {name} has both {other.name} and {volume.name}{which}: leave one out, or name "
            f"each file after its channel ({', '.join(channels)})"
        )
    files[key] = volume


def _check_missing(
    found: Found, channels: Sequence[str], *, is_dicom: bool, is_allowed: bool, is_known: bool
) -> None:
    lacking = {}
    for name, files in found.items():
        missing = [channel for place, channel in enumerate(channels) if place not in files]
        if missing and _ALL not in files:
            lacking[name] = f"{name} has no {' and no '.join(missing)}"
    if not lacking or (is_allowed and is_known):
        return
    add = "add it, or say by --channel_series which series it is" if is_dicom else "add it"
    remedy = (
        f"{add}, or pass --allow_missing_channel True"
        if is_known
        else f"{add}; the network was trained on cases with all channels, so that none may miss"
    )
    count = f"{len(lacking)} of {count_noun(len(found), 'case')}"
    said = shorten_list([*lacking.values()])
    raise ValueError(f"a channel is missing in {count} ({said}): {remedy}")


def _log_channels(case: Case, channels: Sequence[str]) -> None:
    """Say of one case which file is which channel, since numbers and an order tell it alone."""
    if isinstance(case["image"], str):
        said = f"in this order in {Path(case['image']).name}"
    else:
        pairs = zip(channels, case["image"], strict=True)
        said = ", ".join(f"{name} {Path(path).name}" for name, path in pairs if path)
    logger.info("channels %s: %s", ", ".join(channels), said)


def _make_case(name: str, files: dict[int, Path], channels: Sequence[str]) -> Case:
    if _ALL in files:
        return {"case": name, "image": str(files[_ALL])}
    paths = [files.get(place) for place in range(len(channels))]
    return {"case": name, "image": [None if path is None else str(path) for path in paths]}
