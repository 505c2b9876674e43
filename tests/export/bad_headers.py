"""Bad headers: series of which the headers lack something or are against the standard."""

from __future__ import annotations

import pydicom
from ingest.dicom_writer import make_series, write_series

from medseg.ingest import find_series

GOOD = {
    **{"PatientID": "17", "PatientName": "Doe^Jane", "PatientBirthDate": "19700102"},
    **{"PatientSex": "F", "StudyID": "1", "StudyDate": "20260102", "StudyTime": "101112"},
    **{"AccessionNumber": "5", "ReferringPhysicianName": "Roe^J", "StudyInstanceUID": "1.2.840.1"},
}

BAD = [
    *[{keyword: None} for keyword in GOOD],
    *({"PatientID": "x" * 65}, {"PatientBirthDate": "1970-01-02"}, {"PatientSex": "female"}),
    *({"StudyDate": "yesterday"}, {"StudyTime": "25:61"}, {"AccessionNumber": "1" * 17}),
    *(
        {"StudyID": "a study of seventeen letters"},
        {"PatientAge": "48"},
    ),
    *({"StudyInstanceUID": "1." + "2" * 70}, {"StudyInstanceUID": "none"}),
    *({"SOPInstanceUID": "1." + "3" * 70}, {"SeriesInstanceUID": "1." + "4" * 70}),
    *({"FrameOfReferenceUID": "1." + "5" * 70}, {"FrameOfReferenceUID": None}),
    *({"PatientID": "a\\b"}, {"PatientName": "a\\b"}, {"StudyDate": "20260102\\20260103"}),
    *({"PatientIdentityRemoved": "perhaps"}, {"PatientSize": "1" * 17}),
    *({"PatientName": "a=b=c=d"}, {"StudyDescription": "x" * 70}, {"PatientID": "a\nb"}),
]

EMPTY = [{keyword: value} for keyword in GOOD for value in ("", "  ")]


def name_change(changes):
    return "-".join(f"{keyword}={value}"[:40] for keyword, value in changes.items())


def write_changed(folder, **changes):
    """A series with some elements changed, or left out for None, as it is found."""
    slices = make_series(uid="1.2.840.2")
    with pydicom.config.disable_value_validation():
        for dataset in slices:
            for keyword, value in {**GOOD, **changes}.items():
                if value is None:
                    dataset.pop(keyword, None)
                else:
                    setattr(dataset, keyword, value)
    write_series(folder, slices)
    (series,) = find_series(folder)
    return series
