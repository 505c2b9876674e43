"""Series of two volumes under one UID, and what is found of them."""

import pytest
from ingest.dicom_writer import make_series, ramp, write_series
from pydicom.uid import MRImageStorage, PositronEmissionTomographyImageStorage

from medseg.ingest import Verdict, find_series

AT_HALF_SPACING = (-10.0, 20.0, -29.375)
"""Half of 1.25 mm above the origin of `make_series`."""

AT_THE_SAME_PLACES = (-10.0, 20.0, -30.0)
PLACES = pytest.mark.parametrize("origin", [AT_HALF_SPACING, AT_THE_SAME_PLACES])


def mr(slices):
    for s in slices:
        s.SOPClassUID = MRImageStorage
        s.Modality, s.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"]
    return slices


def pet(slices):
    for s in slices:
        s.SOPClassUID, s.Modality, s.Units = PositronEmissionTomographyImageStorage, "PT", "BQML"
        s.RescaleIntercept, s.RescaleType = 0, "BQML"
    return slices


def two_sets(first, second, *, origin, modality="CT"):
    """Ten slices under one UID: five with the elements of `first`, five with those of `second`."""
    sets = make_series(uid="1.2.3"), make_series(uid="1.2.3", origin=origin)
    for slices, elements in zip(sets, (first, second), strict=True):
        for s in {"MR": mr, "PT": pet, "CT": list}[modality](slices):
            s.FrameOfReferenceUID = "1.2.4"
            for keyword, value in elements.items():
                setattr(s, keyword, value)
    return sets[0] + sets[1]


def verdict_of(slices, tmp_path):
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    return series


def check_refused(series, reason, words):
    assert (series.verdict, series.reason) == (Verdict.REFUSE, reason)
    assert words in series.message
    assert "in series 1.2.3" in series.message
    assert "\n" not in series.message


def in_order(keyword, values, *, modality="CT"):
    """Slices along the normal, one for each value."""
    slices = make_series(ramp((len(values), 6, 4)), uid="1.2.3")
    for s, value in zip(mr(slices) if modality == "MR" else slices, values, strict=True):
        setattr(s, keyword, value)
    return slices
