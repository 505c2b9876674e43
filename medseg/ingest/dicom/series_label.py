"""Series label: what a person tells the series of a study apart by."""

from __future__ import annotations

from dataclasses import dataclass

import pydicom

from medseg.ingest.dicom.files.bounded_file import BoundedFile
from medseg.ingest.dicom.files.parse import PARSE_ERRORS, parse, stop_validation
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.series import Series
from medseg.ingest.reasons import IngestError

_DATES = ("SeriesDate", "AcquisitionDate", "StudyDate")
_KEYWORDS = ("SOPClassUID", "SpecificCharacterSet", "SeriesDescription", *_DATES)


@dataclass(frozen=True)
class SeriesLabel:
    """How a series is called in its headers; "" where they say nothing.

    The description is free text of the scanner or its operator, and may name a patient: show it to
    a person who asked to look at the study, and write it nowhere else.

    Attributes:
        number: SeriesNumber.
        description: SeriesDescription.
        date: of the series, else of the acquisition or the study: "2026-01-31".
        body_part: BodyPartExamined.
        phase: what is known of contrast, time, heart and breath: "contrast, time 2, heart 75 %".
    """

    number: str = ""
    description: str = ""
    date: str = ""
    body_part: str = ""
    phase: str = ""


def read_series_label(series: Series) -> SeriesLabel:
    """Read the label of a series; number and phase are those that all its slices share.

    The first file is read once more, for the description in its character set.
    """
    if not series.slices:
        return SeriesLabel()
    stated = _parse(series.slices[0])
    return SeriesLabel(
        number=_find_shared(series, "series_number"),
        description=_get_text(stated, "SeriesDescription"),
        date=next(filter(None, (_format_date(_get_text(stated, k)) for k in _DATES)), ""),
        body_part=_find_shared(series, "body_part"),
        phase=", ".join(_list_phases(series)),
    )


def _parse(header: Slice) -> pydicom.Dataset:
    """The elements of the label; none where the file cannot be read any more."""
    try:
        with BoundedFile(header.path) as file, stop_validation():
            parsed = parse(file, header.path, keywords=_KEYWORDS)
    except (*PARSE_ERRORS, IngestError):
        return pydicom.Dataset()
    return pydicom.Dataset() if parsed is None else parsed.dataset


def _get_text(stated: pydicom.Dataset, keyword: str) -> str:
    try:
        with stop_validation():
            return " ".join(str(stated.get(keyword) or "").split())
    except PARSE_ERRORS:
        return ""


def _format_date(text: str) -> str:
    """A date as ISO 8601; "" where it is none."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else ""


def _find_shared(series: Series, name: str) -> str:
    """The value of a field that all slices have; "" where they differ."""
    found = {getattr(header.origin, name) for header in series.slices}
    return " ".join(found.pop().split()) if len(found) == 1 else ""


def _list_phases(series: Series) -> list[str]:
    phases = ["contrast"] if _find_shared(series, "contrast_agent") else []
    for name, words in (
        ("temporal_position", "time {}"),
        ("cardiac_phase", "heart {} %"),
        ("respiratory_phase", "breath {} %"),
    ):
        if value := _find_shared(series, name):
            phases.append(words.format(value))
    return phases
