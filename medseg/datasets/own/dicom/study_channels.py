"""Study channels: of a series that was drawn on, the series of its study that are the channels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from medseg.base.text import shorten_list
from medseg.datasets.own.channels import ChannelRules
from medseg.datasets.own.dicom.labelled_series import LabelledSeries
from medseg.ingest.dicom.channel_series import check_frame, find_channel_series
from medseg.ingest.dicom.selection import describe_briefly
from medseg.ingest.dicom.series import Series

LABELLED = "the series of the labels"
"""What messages call a series that was drawn on."""


def choose_labelled(
    labelled: Sequence[LabelledSeries], rules: ChannelRules
) -> tuple[list[LabelledSeries], list[str]]:
    """One series of each study, as all its series are channels of one image.

    Where the same objects were drawn on several, it is that of the first channel among them.

    Args:
        labelled: the series with labels.
        rules: which channels there are.

    Returns:
        The series, and for each what is wrong, "" for nothing.
    """
    studies: defaultdict[str, list[LabelledSeries]] = defaultdict(list)
    for one in labelled:
        studies[one.series.slices[0].origin.study or one.series.uid].append(one)
    kept, faults = [], []
    for several in studies.values():
        is_same = len({frozenset(one.objects) for one in several}) == 1
        kept.append(_choose_first(several, rules) if len(several) > 1 and is_same else several[0])
        listed = " and ".join(describe_briefly(one.series) for one in several)
        faults.append(
            ""
            if is_same
            else f"labels were drawn on {listed} of one study, whose series are channels of one "
            "image: keep the objects of one series"
        )
    return kept, faults


def find_images(one: LabelledSeries, rules: ChannelRules, folder: str = "") -> dict[str, Series]:
    """Channel -> series of it, of those channels that are there.

    Args:
        one: the series with labels.
        rules: which channels there are; without names the series itself is the image.
        folder: of the series; for messages.

    Raises:
        ValueError: none is there, or see `find_channel_series` and `check_frame`.
    """
    if not rules.names:
        return {"": one.series}
    found = find_channel_series(one.study, rules.names, rules.patterns)
    if not found:
        raise ValueError(
            f"no series of its study is the channel {' or '.join(rules.names)}: correct "
            "--channels, which is compared with the descriptions that medseg inspect shows"
        )
    check_frame({**found, LABELLED: one.series})
    return found


def check_all_there(
    found: Sequence[Mapping[str, Series]], rules: ChannelRules, faults: Sequence[str]
) -> None:
    """Refuse a channel that no study has.

    Args:
        found: of each study, see `find_images`.
        rules: which channels there are.
        faults: of studies whose channels are not known.

    Raises:
        ValueError: there is such a channel.
    """
    there = {name for images in found for name in images}
    lacking = [name for name in rules.names if name not in there]
    if lacking:
        more = f" (and {faults[0]})" if faults else ""
        raise ValueError(
            f"no series of any study is the channel {shorten_list(lacking)}{more}: correct "
            "--channels, which is compared with the descriptions that medseg inspect shows"
        )


def _choose_first(several: Sequence[LabelledSeries], rules: ChannelRules) -> LabelledSeries:
    """The series that is the first channel among several of one study."""
    try:
        channels = find_channel_series(several[0].study, rules.names, rules.patterns)
    except ValueError:  # `find_images` says why
        return several[0]
    places = [one.uid for one in channels.values()]
    return min(
        several,
        key=lambda one: places.index(one.series.uid) if one.series.uid in places else len(places),
    )
