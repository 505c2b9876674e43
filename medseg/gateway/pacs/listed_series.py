"""Listed series: what is known of a series before its images are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

KEYWORDS = (
    *("StudyInstanceUID", "SeriesInstanceUID", "Modality", "BodyPartExamined"),
    *("SeriesDescription", "InstitutionName", "NumberOfSeriesRelatedInstances"),
)
"""What a server is asked for."""


@dataclass(frozen=True)
class ListedSeries:
    """What a server, or the header of an image, says of a series; texts may be empty.

    Attributes:
        instances: how many images the server has; None where it does not say.
        is_doubled: whether the server lists it more than once, as it does where images of one
            series state several patients or studies.
    """

    study_uid: str
    series_uid: str
    modality: str = ""
    body_part: str = ""
    description: str = ""
    institution: str = ""
    instances: int | None = None
    is_doubled: bool = False


def read_listed(entry: Any) -> ListedSeries | None:
    """Read one answer of a QIDO-RS search for series; None where it lacks a UID.

    Servers are not trusted to send what the standard says: what has another shape is as good as
    absent.

    Source: DICOM PS3.18 section F.2.

    Example:
        >>> uids = {"0020000D": {"Value": ["1.2"]}, "0020000E": {"Value": ["1.3"]}}
        >>> read_listed(uids).series_uid
        '1.3'
    """
    if not isinstance(entry, Mapping):
        return None
    texts = {keyword: _read_text(entry, keyword) for keyword in KEYWORDS}
    if not texts["StudyInstanceUID"] or not texts["SeriesInstanceUID"]:
        return None
    number = texts["NumberOfSeriesRelatedInstances"]
    return _make(texts, int(number) if number.isascii() and number.isdigit() else None)


def describe_listed(header: Dataset) -> ListedSeries:
    """The same from the header of an image."""
    texts = {keyword: str(header.get(keyword) or "").strip() for keyword in KEYWORDS}
    return _make(texts, None)


def _make(texts: Mapping[str, str], instances: int | None) -> ListedSeries:
    return ListedSeries(
        study_uid=texts["StudyInstanceUID"],
        series_uid=texts["SeriesInstanceUID"],
        modality=texts["Modality"],
        body_part=texts["BodyPartExamined"],
        description=texts["SeriesDescription"],
        institution=texts["InstitutionName"],
        instances=instances,
    )


def read_instance_uid(entry: Any) -> str:
    """The SOP Instance UID of one answer of a search for instances; empty where it has none."""
    return _read_text(entry, "SOPInstanceUID") if isinstance(entry, Mapping) else ""


def _read_text(entry: Mapping[str, Any], keyword: str) -> str:
    element = entry.get(f"{tag_for_keyword(keyword):08X}")
    values = element.get("Value") if isinstance(element, Mapping) else None
    first = values[0] if isinstance(values, list) and values else ""
    return str(first).strip() if isinstance(first, (str, int)) else ""
