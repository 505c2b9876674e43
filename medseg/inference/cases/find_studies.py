"""Find studies: the cases of an input of DICOM studies whose series are channels."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from medseg.base.text import shorten_list
from medseg.inference.outputs.source import get_case_name
from medseg.ingest.dicom.channel_series import Patterns, find_channel_series
from medseg.ingest.dicom.selection import describe_briefly, is_companion, is_of_unknown_series
from medseg.ingest.dicom.series import Series
from medseg.ingest.reader import VolumeReader

logger = logging.getLogger(__name__)

Studies = dict[str, dict[Path, Series]]
"""Name of a case -> the series of its study, by the paths that stand for them."""


def find_studies(
    source: Path, channels: Sequence[str], reader: VolumeReader, patterns: Patterns
) -> dict[str, dict[int, Path]]:
    """Case -> place of a channel -> the path that stands for its series.

    Args:
        source: a folder with a study, or with a folder for each of several; or a DICOM file.
        channels: their names.
        reader: that will read the images.
        patterns: of the series of channels, see `find_channel_series`.

    Returns:
        The cases; none where there is no DICOM series.

    Raises:
        IngestError: "not-found".
        ValueError: the reader is to read one series, several studies lie in one folder, or the
            channels of one cannot be told.
    """
    options = reader.options
    if reader.takes_all_series or options.choose is not None or options.series_uid is not None:
        raise ValueError(
            "--series names one series, and the network takes a series for each of "
            f"{', '.join(channels)}: leave it out; --channel_series tells which is which"
        )
    found, faults = {}, []
    for name, study in _group(source, reader.list_series(source)).items():
        try:
            chosen = find_channel_series([*study.values()], channels, patterns)
            if not chosen:
                raise ValueError(
                    f"none of its series is the channel {' or '.join(channels)}: say which is by "
                    f"--channel_series, such as \"{{'{channels[0]}': '*DESCRIPTION*'}}\", which "
                    "medseg inspect shows"
                )
        except ValueError as fault:
            faults.append(f"{name}: {fault}")
            continue
        path_of = {id(series): path for path, series in study.items()}
        found[name] = {
            place: path_of[id(chosen[channel])]
            for place, channel in enumerate(channels)
            if channel in chosen
        }
        said = ", ".join(f"{channel} {describe_briefly(one)}" for channel, one in chosen.items())
        logger.info("channels of %s: %s", name, said)
    if faults:
        raise ValueError(shorten_list(faults))
    return found


def _group(source: Path, listed: Mapping[Path, Series]) -> Studies:
    """The series by their studies, each named by its folder."""
    studies: defaultdict[str, dict[Path, Series]] = defaultdict(dict)
    images = {path: one for path, one in listed.items() if not is_companion(one)}
    damaged = {path: one for path, one in images.items() if is_of_unknown_series(one)}
    for path, series in images.items():
        if path not in damaged:
            studies[series.slices[0].origin.study or series.uid][path] = series
    folders = {
        uid: {_find_folder(source, series) for series in study.values()}
        for uid, study in studies.items()
    }
    if len(studies) < 2:
        own = set().union(*folders.values())
        name = own.pop() if len(own) == 1 else ""
        return {name or get_case_name(source): images} if images else {}
    for uid, own in folders.items():
        others = {folder for other, each in folders.items() if other != uid for folder in each}
        if len(own) > 1 or own & others or "" in own:
            raise ValueError(
                f"{source.absolute()} holds {len(studies)} studies, and not each in a folder of "
                "its own: put the series of each study into one"
            )
    named = {next(iter(own)): studies[uid] for uid, own in folders.items()}
    for path, series in damaged.items():  # may be of any series of the study in their folder
        named.setdefault(_find_folder(source, series), {})[path] = series
    return dict(sorted(named.items()))


def _find_folder(source: Path, series: Series) -> str:
    """The name of the folder in the source that the files of a series lie in; "" without one."""
    names = {_find_first(file, source) for file in series.files}
    return names.pop() if len(names) == 1 else ""


def _find_first(file: Path, source: Path) -> str:
    """The first folder of a path below the source; "" where it lies in the source itself."""
    if file.parent == source or not source.is_dir():
        return ""
    return file.relative_to(source).parts[0]
