"""Channel series: which series of a DICOM study are the channels of one image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from medseg.base.channels.file_names import find_words
from medseg.ingest.dicom.selection import (
    describe_briefly,
    get_number,
    is_companion,
    is_of_unknown_series,
)
from medseg.ingest.dicom.series import Series
from medseg.ingest.dicom.series_label import read_series_label
from medseg.ingest.reasons import IngestError, Verdict

MODALITIES = {"ct": "CT", "mr": "MR", "pt": "PT", "pet": "PT", "nm": "NM", "us": "US"}
"""Names of channels that mean a modality, whatever the description of the series is."""

Patterns = Mapping[str, str | Sequence[str]]
"""Channel -> a pattern, or several, of which one at least fits its series."""


def find_channel_series(
    study: Sequence[Series], channels: Sequence[str], patterns: Patterns | None = None
) -> dict[str, Series]:
    """The series of each channel that is there.

    The words of the channel's name stand in the description of the series, whatever their case; of
    several channels the longest counts. A name such as "ct" or "pet" is the modality instead. A
    channel with patterns has a series that fits one of them, and the first of such channels counts:
    * stands for any characters of the description or none, ? for one, and a pattern without them
    may also be the modality, or the number of the series.

    Args:
        study: its series; localizers, and objects that are no images, are passed over. One of
            damaged files may be of any channel.
        channels: their names.
        patterns: of those whose names do not tell.

    Raises:
        IngestError: a series is refused or damaged.
        ValueError: two series are of one channel, or not all lie in one frame of reference; or
            patterns are of no channel.

    Example:
        >>> find_channel_series(find_series("study"), ["ct", "pet"])  # doctest: +SKIP
        {'ct': Series(...), 'pet': Series(...)}
    """
    ruled = {k: [v] if isinstance(v, str) else [*v] for k, v in (patterns or {}).items()}
    if unknown := [name for name in ruled if name not in channels]:
        raise ValueError(
            f"channel_series has the name {unknown[0]}, and the channels are "
            f"{', '.join(channels)}: correct it"
        )
    found: defaultdict[str, list[Series]] = defaultdict(list)
    for series in study:
        if is_of_unknown_series(series):
            raise IngestError(series.reason, series.finding, remedy=series.remedies[0])
        if not is_companion(series) and (name := _find_channel(series, channels, ruled)):
            found[name].append(series)
    for name, several in found.items():
        if len(several) > 1:
            listed = " and ".join(map(describe_briefly, several))
            raise ValueError(
                f"{listed} are both the channel {name}: take one out of the folder, or tell them "
                "apart by a pattern of their descriptions, which medseg inspect shows"
            )
        if several[0].verdict is Verdict.REFUSE:
            raise ValueError(f"the series of the channel {name} is refused: {several[0].message}")
    chosen = {name: found[name][0] for name in channels if name in found}
    check_frame(chosen)
    return chosen


def check_frame(series: Mapping[str, Series]) -> None:
    """Refuse series that do not lie in one frame of reference: their places have nothing in common.

    Args:
        series: by what messages call each.

    Raises:
        ValueError: their frames of reference differ, or one of several states none.
    """
    frames = {name: one.slices[0].frame_of_reference for name, one in series.items()}
    first = next(iter(frames), "")
    for other in [name for name in frames if name != first]:
        if not frames[other] or frames[other] != frames[first]:
            raise ValueError(
                f"{first}, {describe_briefly(series[first])}, and {other}, "
                f"{describe_briefly(series[other])}, do not lie in one frame of reference: "
                "register them with another tool, and give them as NIfTI"
            )


def _find_channel(
    series: Series, channels: Sequence[str], patterns: Mapping[str, Sequence[str]]
) -> str | None:
    """The channel that a series is; None for none."""
    description = read_series_label(series).description
    modality = series.slices[0].kind
    for name in channels:
        if any(_fits(each, series, description) for each in patterns.get(name, ())):
            return name
    unruled = [name for name in channels if name not in patterns]
    for name in unruled:
        if MODALITIES.get(name.lower()) == modality:
            return name
    told = [name for name in unruled if name.lower() not in MODALITIES]
    place = find_words(description, told)
    return None if place is None else told[place[0]]


def _fits(pattern: str, series: Series, description: str) -> bool:
    wanted = _normalise(pattern)
    if not set("*?") & set(wanted):
        number = get_number(series)
        stated = (series.slices[0].kind, "" if number is None else str(number))
        if wanted in map(_normalise, filter(None, stated)):
            return True
    return fnmatchcase(_normalise(description), wanted)


def _normalise(text: str) -> str:
    return " ".join(text.casefold().split())
