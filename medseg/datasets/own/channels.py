"""Channels: give the images of all cases the same channels in the same order, by their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medseg.base.channels.file_names import make_channel_name
from medseg.base.text import count_noun, shorten_list
from medseg.datasets.own.pair_files import Pair
from medseg.datasets.sources.dataset_json import read_object
from medseg.ingest import IngestError
from medseg.ingest.file_words import find_kind
from medseg.ingest.formats import is_volume_file, strip_suffix
from medseg.ingest.volumes.file import read_file_header

MOST_CHANNELS = 16
"""More are no channels: volumes of a time series, or images whose names tell each from all."""


_NUMBER = re.compile(r"\d{4}")


@dataclass(frozen=True)
class ChannelRules:
    """What a person says of the channels of the images.

    Attributes:
        names: those to use, in this order; empty for all that the names of files tell.
        patterns: of the descriptions of DICOM series, for channels whose names do not tell theirs.
        allow_missing: whether a case may lack some of them.
        resample: whether those on another grid are laid onto that of the first.
    """

    names: tuple[str, ...] = ()
    patterns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    allow_missing: bool = False
    resample: bool = False

    @classmethod
    def parse(cls, text: str | None, *, allow_missing: bool, resample: bool) -> ChannelRules:
        """The rules as a person writes them: "flair,t1", or of DICOM "*FLAIR*=flair,*MPRAGE*=t1".

        Raises:
            ValueError: a pattern has no name, or a name no pattern.

        Example:
            >>> ChannelRules.parse("*T1*=t1,ct", allow_missing=False, resample=False).names
            ('t1', 'ct')
        """
        patterns: dict[str, list[str]] = {}
        names = []
        for part in filter(None, map(str.strip, (text or "").split(","))):
            pattern, sign, name = (word.strip() for word in part.rpartition("="))
            if sign and not (pattern and name):
                raise ValueError(
                    f"--channels '{part}' is no rule: write which series are which channel, such "
                    "as '*FLAIR*=flair'"
                )
            if sign:
                patterns.setdefault(name, []).append(pattern)
            if not (sign and name in names):
                names.append(name)
        return cls(tuple(names), patterns, allow_missing, resample)


def align_channels(
    pairs: Sequence[Pair], folder: Path, rules: ChannelRules
) -> tuple[list[Pair], list[str]]:
    """Give all cases the same channels in the same order.

    Files tell their channels by names. The numbers of nnU-Net become the names of dataset.json;
    those of a file of several volumes are in their order, and come from there or from `rules`.

    Args:
        pairs: the cases with labels, as found.
        folder: of the dataset, with its dataset.json.
        rules: see `ChannelRules`.

    Returns:
        The cases, with None in the place of a missing image; a file of several volumes is the only
        image beside the names of all. And what is wrong, a line for each fault.

    Raises:
        ValueError: names that fit no file or not the number of volumes, or too many channels.
    """
    stated = read_channel_names(folder)
    named, faults = _align(pairs, stated, rules)
    return [_state_kinds(pair, stated) for pair in named], faults


def _state_kinds(pair: Pair, stated: Sequence[str]) -> Pair:
    """A case with what is stated of its channels, by DICOM, their names or that of its file."""
    kinds: tuple[str, ...] = pair.kinds
    if not kinds and any(pair.channels):
        kinds = pair.channels
    if not kinds and len(stated) == 1:
        kinds = tuple(stated)
    file = pair.images[0]
    if not kinds and file is not None and find_kind(strip_suffix(file.name)) == "CT":
        kinds = ("CT",)  # another modality is not believed to a file name: "Mr" is also a title
    return replace(pair, kinds=kinds)


def _align(
    pairs: Sequence[Pair], stated: Sequence[str], rules: ChannelRules
) -> tuple[list[Pair], list[str]]:
    """The same, but for what is stated of the channels."""
    if all(len(pair.images) == 1 for pair in pairs):
        counts = [_count_volumes(pair.images[0]) for pair in pairs]
        if max(counts, default=1) > 1:
            return _name_volumes(pairs, counts, rules.names or stated)
    where = "dataset.json" if stated else "--channels"
    named, unnamed = _name_by_numbers(pairs, stated or rules.names, where)
    ordered, faults = _order(named, rules)
    return ordered, [*unnamed, *faults]


def read_channel_names(folder: Path) -> tuple[str, ...]:
    """The names of the channels in dataset.json, of nnU-Net or MSD, in order; none without it.

    Raises:
        ValueError: dataset.json is damaged.

    Example:
        >>> read_channel_names(Path("no such folder"))
        ()
    """
    file = folder / "dataset.json"
    if not file.is_file():
        return ()
    content = read_object(file)
    try:
        named = content.get("channel_names") or content.get("modality") or {}
        listed = (
            named if isinstance(named, list) else [named[key] for key in sorted(named, key=int)]
        )
        names = [make_channel_name(str(name)) for name in listed]
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{file} names no channels: write them as {{"channel_names": {{"0": "T1", "1": "T2"}}}}'
        ) from error
    twice = {name for name, count in Counter(names).items() if count > 1 or not name}
    return tuple(f"{name}_{i}" if name in twice else name for i, name in enumerate(names))


def _count_volumes(path: Path | None) -> int:
    """How many volumes a file holds; 1 where that is not known, for reading says why."""
    if path is None or not is_volume_file(path):
        return 1
    try:
        header = read_file_header(path)
    except IngestError:
        return 1
    return 1 if header.segments else header.volumes


def _name_volumes(
    pairs: Sequence[Pair], counts: Sequence[int], names: Sequence[str]
) -> tuple[list[Pair], list[str]]:
    """Name the volumes of files that hold all channels of their case."""
    usual = Counter(counts).most_common(1)[0][0]
    if usual > 1 and (usual != len(names) or usual > MOST_CHANNELS):
        said = f"{len(names)} of them have names ({', '.join(names)})" if names else "no names"
        raise ValueError(
            f"most images hold {usual} volumes each, with {said}: where these are channels, name "
            "each, such as --channels flair,t1, and else split the files"
        )
    faults = [
        f"case {pair.case} has an image of {count_noun(count, 'volume')}, and most others have one "
        f"of {usual}: split the file, or take the case out"
        for pair, count in zip(pairs, counts, strict=True)
        if count != usual
    ]
    named = tuple(names) if usual > 1 else ("",)
    return [replace(pair, channels=named) for pair in pairs], faults


def _name_by_numbers(
    pairs: Sequence[Pair], stated: Sequence[str], where: str
) -> tuple[list[Pair], list[str]]:
    """Give channels that are numbered as those of nnU-Net the names that are stated somewhere.

    A number without a name is a fault, and taken out.
    """
    found = {channel for pair in pairs for channel in pair.channels}
    numbers = {f"{place:04}": name for place, name in enumerate(stated)}
    if not found & numbers.keys() or not all(map(_NUMBER.fullmatch, found)):
        return list(pairs), []
    faults = [
        f"{_list_cases(pairs, each)} a channel {each}, and {where} names "
        f"{count_noun(len(stated), 'channel')} ({', '.join(stated)}): take the file out, or name "
        "the channel there"
        for each in sorted(found - numbers.keys())
    ]
    left = [_drop(pair, found - numbers.keys()) for pair in pairs]
    return [replace(p, channels=tuple(numbers[each] for each in p.channels)) for p in left], faults


def _list_cases(pairs: Sequence[Pair], channel: str) -> str:
    """The cases that have a channel, and the verb."""
    those = [pair.case for pair in pairs if channel in pair.channels]
    return f"case {those[0]} has" if len(those) == 1 else f"cases {shorten_list(those)} have"


def _drop(pair: Pair, channels: Collection[str]) -> Pair:
    """A case without some of its channels."""
    kept = [place for place, name in enumerate(pair.channels) if name not in channels]
    return replace(
        pair,
        channels=tuple(pair.channels[place] for place in kept),
        images=tuple(pair.images[place] for place in kept),
    )


def _find_surplus(pairs: Sequence[Pair], rules: ChannelRules) -> dict[str, str]:
    """Channel that few cases have -> what is wrong; none where that is allowed."""
    counts = Counter(channel for pair in pairs for channel in pair.channels)
    rare = [name for name, count in counts.items() if 2 * count < len(pairs)]
    if rules.names or rules.allow_missing or len(rare) == len(counts):
        return {}
    usual = ",".join(name for name in counts if name not in rare)
    choose = f"choose --channels {usual}" if usual else "choose --images"
    return {
        name: f"{_list_cases(pairs, name)} an image {name or 'without a channel'}, and "
        f"{len(pairs) - counts[name]} others have none: take it out, {choose}, or pass "
        "--allow-missing-channel"
        for name in rare
    }


def _order(pairs: Sequence[Pair], rules: ChannelRules) -> tuple[list[Pair], list[str]]:
    """Give all cases the images of the same channels, ordered as in the fullest or by rules."""
    surplus = _find_surplus(pairs, rules)
    pairs = [_drop(pair, surplus) for pair in pairs]
    fullest = max((pair.channels for pair in pairs), key=len, default=())
    found = tuple(dict.fromkeys([*fullest, *(name for pair in pairs for name in pair.channels)]))
    names = rules.names or found
    if pairs and (unknown := [name for name in names if name not in found]):
        told = [name for name in found if name]
        there = f"the names of files tell {shorten_list(told)}" if told else "each case has one"
        raise ValueError(
            f"no image is of the channel {unknown[0]} ({there}): correct --channels or leave it out"
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"--channels names {twice[0]} twice: leave one of them out")
    if len(names) > MOST_CHANNELS:
        raise ValueError(
            f"the names tell {len(names)} images of a case apart ({shorten_list(found)}): name the "
            "channels with --channels, or the images with --images"
        )
    ordered, faults = [], [*surplus.values()]
    for pair in pairs:
        image_of = dict(zip(pair.channels, pair.images, strict=True))
        kind_of = dict(zip(pair.channels, pair.kinds, strict=False))
        missing = [name for name in names if name not in image_of]
        kinds = tuple(kind_of.get(name, "") for name in names) if kind_of else ()
        images = tuple(map(image_of.get, names))
        ordered.append(replace(pair, images=images, channels=names, kinds=kinds))
        if missing and not (rules.allow_missing and len(missing) < len(names)):
            remedy = "" if rules.allow_missing else ", or pass --allow-missing-channel"
            lacking = " and no ".join(missing)
            faults.append(f"case {pair.case} has no image {lacking}: add it{remedy}")
    return ordered, faults
