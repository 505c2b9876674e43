"""Patient: what the headers of a series say of the patient, for a page that is to show it."""

from __future__ import annotations

import pydicom

from medseg.ingest.dicom.files.bounded_file import BoundedFile
from medseg.ingest.dicom.files.parse import PARSE_ERRORS, parse, stop_validation
from medseg.ingest.dicom.series import Series
from medseg.ingest.reasons import IngestError

_SHOWN = (
    ("Patient", "PatientName"),
    ("Patient ID", "PatientID"),
    ("Birth date", "PatientBirthDate"),
)


def read_patient(series: Series) -> list[tuple[str, str]]:
    """Name, identifier and birth date of the patient, as the first file of a series states them.

    Returns:
        Names and values for a person to read; what the headers lack is left out.
    """
    if not series.slices:
        return []
    path = series.slices[0].path
    keywords = ("SpecificCharacterSet", *(keyword for _, keyword in _SHOWN))
    try:
        with BoundedFile(path) as file, stop_validation():
            parsed = parse(file, path, keywords=keywords)
            stated = pydicom.Dataset() if parsed is None else parsed.dataset
            return [(name, text) for name, k in _SHOWN if (text := _format(stated, k))]
    except (*PARSE_ERRORS, IngestError):
        return []


def _format(stated: pydicom.Dataset, keyword: str) -> str:
    text = " ".join(str(stated.get(keyword) or "").split())
    if keyword == "PatientName":
        parts = [part.strip() for part in text.partition("=")[0].split("^")]
        return ", ".join(filter(None, [parts[0], " ".join(filter(None, parts[1:3]))]))
    if keyword == "PatientBirthDate" and len(text) == 8 and text.isdigit():
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return text
