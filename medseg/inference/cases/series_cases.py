"""Series cases: a case for each series of a DICOM study that a bundle accepts."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from medseg.base.text import count_noun
from medseg.inference.cases.check_image import CheckImaged
from medseg.inference.cases.existing import Case
from medseg.ingest.dicom.selection import (
    REFERRED_IMAGES,
    describe_briefly,
    get_number,
    is_companion,
)
from medseg.ingest.dicom.series import Series
from medseg.ingest.formats import is_volume_file
from medseg.ingest.reader import VolumeReader, describe_kind
from medseg.ingest.reasons import Verdict

logger = logging.getLogger(__name__)

ONE_OF = "one_of"
"""Key of a case that is one series of a study: the name of the study. Where it turns out to be of
another kind than the network was trained on, it is left out, and no failure."""

_OTHER_BUNDLE = "pass a bundle for what they show, see `medseg bundles list`"


def list_series_cases(
    cases: Sequence[Case], reader: VolumeReader, *, check: CheckImaged | None = None
) -> list[Case]:
    """Replace each DICOM folder by a case for each image series that can be read and is accepted.

    The case of series 4 of `study` is `study_series-4`. Where two have one number, or one has none,
    a digest of the UID follows: `study_series-4-1a2b3c4d`. Names have no word of a header, which
    may name a patient. Localizers and objects that are no images are passed over; any other series
    that is not segmented is a warning with the reason.

    Args:
        cases: with the paths of volumes and of DICOM folders or files.
        reader: that will read the images.
        check: accepts a series by its modality and body part; None for all.

    Raises:
        IngestError: "not-found".
        ValueError: no study has a series that is accepted.
    """
    refusals: list[tuple[str, str]] = []
    found = [one for case in cases for one in _split(case, reader, check, refusals)]
    if refusals and not found:
        raise ValueError(": ".join(refusals[0]))
    for finding, _ in refusals:
        logger.warning("%s: the study is left out", finding)
    return found


def _split(
    case: Case,
    reader: VolumeReader,
    check: CheckImaged | None,
    refusals: list[tuple[str, str]],
) -> Iterator[Case]:
    """The cases of a study; where it has none, the finding and remedy are added to `refusals`."""
    path = Path(case["image"])
    if is_volume_file(path):
        yield case
        return
    listed = reader.list_series(path)
    images = {place: one for place, one in listed.items() if not is_companion(one)}
    if not listed:  # damaged, or no DICOM at all: the reader says which
        yield case
        return
    if not images:
        count = count_noun(len(listed), "series", plural="series")
        finding = f"{count} in {path.absolute()}, none of which is an image to segment"
        refusals.append((finding, REFERRED_IMAGES))
        return
    reasons = {place: _explain_refusal(one, check) for place, one in images.items()}
    refused = {place: one for place, one in images.items() if reasons[place]}
    names = {place: f"{case['case']}_{name}" for place, name in _name(images).items()}
    reader.left_out |= {
        names[place]: {"reason": reasons[place], "series_uid": one.uid}
        for place, one in refused.items()
    }
    left_out = [f"{describe_briefly(one)}: {reasons[place]}" for place, one in refused.items()]
    accepted = {place: one for place, one in images.items() if not reasons[place]}
    if not accepted:
        count = count_noun(len(images), "image series", plural="image series")
        finding = f"none of {count} in {path.absolute()} is accepted ({'; '.join(left_out)})"
        refusals.append((finding, _OTHER_BUNDLE))
        return
    for one in left_out:
        logger.warning("%s: left out: %s", case["case"], one)
    for place in names:
        if place in accepted:
            yield {"case": names[place], "image": str(place), ONE_OF: case["case"]}


def _explain_refusal(series: Series, check: CheckImaged | None) -> str:
    if series.verdict is Verdict.REFUSE:
        return series.message
    return "" if check is None else check.explain_other_kind(describe_kind(series))


def _name(series: dict[Path, Series]) -> dict[Path, str]:
    """A name for each that no other has, sorted by number."""
    numbers = {place: get_number(one) for place, one in series.items()}
    count = Counter(numbers.values())
    names = {}
    for place in sorted(series, key=lambda p: (numbers[p] is None, numbers[p] or 0, p)):
        number = numbers[place]
        parts = ["series"] if number is None else ["series", str(number)]
        if number is None or count[number] > 1:
            parts.append(hashlib.sha256(series[place].uid.encode()).hexdigest()[:8])
        names[place] = "-".join(parts)
    return names
