"""Tests of medseg.ingest.dicom.notes: what must be known of a series is said, and once."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import make_series, ramp, write_series
from pydicom.uid import MRImageStorage

from medseg.ingest import Reason, Verdict, find_series, load
from medseg.ingest.dicom.notes import collect_notes, find_padding_in_tissue, name_slices
from medseg.ingest.dicom.read_slices import read_header


def test_everything_that_is_to_be_said_is_said(tmp_path):
    (dataset,) = make_series(ramp((1, 6, 4)), uid="1.2.3")
    dataset.LossyImageCompression, dataset.RescaleType = "01", "US"
    write_series(tmp_path, [dataset])
    (series,) = find_series(tmp_path)
    reasons = [reason for reason, _ in series.notes]
    assert reasons == [Reason.SINGLE_SLICE, Reason.LOSSY_COMPRESSION, Reason.NOT_HOUNSFIELD]
    assert series.verdict is Verdict.REPAIR
    assert series.message.count("series 1.2.3") == 3


def test_another_unit_than_hu_is_accepted_and_recorded(tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.RescaleType = "US"
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.NOT_HOUNSFIELD)


def test_slices_are_called_by_their_series_folder_or_file(tmp_path):
    headers = [read_header(f) for f in write_series(tmp_path / "a", make_series(uid="1.2.3"))]
    assert name_slices(headers) == "series 1.2.3"
    assert name_slices(headers[:1]) == f"series 1.2.3 ({headers[0].path.name})"
    slices = make_series()
    for dataset in slices:
        del dataset.SeriesInstanceUID
    unnamed = [read_header(f) for f in write_series(tmp_path / "b", slices)]
    assert name_slices(unnamed) == str(tmp_path / "b")


def test_of_a_plain_stack_there_is_nothing_to_say(tmp_path):
    headers = [read_header(file) for file in write_series(tmp_path, make_series())]
    assert collect_notes(headers) == ()


def padded(dtype=np.int16, *, vr="SS", limit=None, **elements):
    slices = make_series(ramp().astype(dtype), uid="1.2.3")
    for s in slices:
        for keyword, value in elements.items():
            setattr(s, keyword, value)
        s["PixelPaddingValue"].VR = vr
        if limit is not None:
            s.add_new("PixelPaddingRangeLimit", vr, limit)
    return slices


@pytest.mark.parametrize(
    ("limit", "elements", "expected"),
    [
        (None, {"PixelPaddingValue": 1024}, (0, 0)),
        (4000, {"PixelPaddingValue": 0}, (-1024, 2976)),
        (None, {"PixelPaddingValue": 0}, None),  # -1024 HU: air
        (None, {"PixelPaddingValue": -2000}, None),
        (100, {"PixelPaddingValue": 74}, (-950, -924)),
        (None, {"PixelPaddingValue": 74}, None),
        (None, {"PixelPaddingValue": 4095}, None),  # 3071 HU: the end of 12 bits
        (None, {"PixelPaddingValue": 0, "RescaleIntercept": 0}, (0, 0)),
        (None, {"PixelPaddingValue": 1024, "Modality": "MR"}, (0, 0)),  # the SOP class is CT
        (None, {"PixelPaddingValue": 1024, "Modality": "MR", "SOPClassUID": MRImageStorage}, None),
    ],
)
def test_padding_between_air_and_the_end_of_12_bits_is_in_tissue(
    limit, elements, expected, tmp_path
):
    path, *_ = write_series(tmp_path, padded(limit=limit, **elements))
    assert find_padding_in_tissue(read_header(path)) == expected


def test_a_sign_that_its_element_does_not_have_is_that_of_the_samples(tmp_path):
    """63536 in 16 bits is -2000: GE writes it as unsigned beside signed samples."""
    path, *_ = write_series(tmp_path, padded(vr="US", PixelPaddingValue=63536))
    assert find_padding_in_tissue(read_header(path)) is None


def test_no_padding_is_not_in_tissue(tmp_path):
    path, *_ = write_series(tmp_path, make_series())
    assert find_padding_in_tissue(read_header(path)) is None


def test_holes_in_tissue_are_recorded(tmp_path):
    write_series(tmp_path, padded(limit=119, PixelPaddingValue=0, RescaleIntercept=0))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.PADDED_TISSUE)
    said = "values from 0 to 119 HU are declared as padding and become -1024 HU in series 1.2.3"
    assert said in series.message
    assert set(load(tmp_path)[0].ravel()) == {-1024}


def test_padding_below_tissue_is_not_spoken_of(tmp_path):
    write_series(tmp_path, padded(PixelPaddingValue=-2000))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.notes) == (Verdict.ACCEPT, ())


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"Modality": "MR"}, -1024),
        ({"Modality": "CT", "SOPClassUID": MRImageStorage}, -1024),
        ({"Modality": "MR", "SOPClassUID": MRImageStorage}, -3024),
    ],
)
def test_padding_becomes_minus_1024_where_class_or_modality_says_ct(elements, expected, tmp_path):
    slices = padded(PixelPaddingValue=-2000, **elements)
    for s in slices:
        stored = ramp()[0].copy()
        stored[0, 0] = -2000  # with the intercept of -1024
        s.PixelData = stored.tobytes()
    write_series(tmp_path, slices)
    volume, _ = load(tmp_path)
    assert (volume[0, 0] == expected).all()
    assert volume[1, 0, 0] == 1 - 1024
