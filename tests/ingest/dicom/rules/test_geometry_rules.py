"""Tests of medseg.ingest.dicom.rules.geometry_rules: place and size must be whole."""

from __future__ import annotations

import pytest
from ingest.dicom_writer import (
    make_series,
    ramp,
    write_series,
)

from medseg.ingest import Verdict, find_series
from medseg.ingest.dicom.read_slices import read_header
from medseg.ingest.dicom.rules.geometry_rules import list_absent_geometry


def test_rounded_direction_cosines_are_one_orientation(tmp_path):
    slices = make_series()
    slices[1].ImageOrientationPatient = [1, 0, 0.00002, 0, 1, 0]
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    assert series.verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("PixelSpacing", None, ["PixelSpacing"]),
        ("ImagePositionPatient", [1, 2], ["ImagePositionPatient of 3 values (2 are stated)"]),
        ("Rows", None, ["Rows and Columns"]),
    ],
)
def test_what_a_slice_lacks_of_its_geometry_is_named(keyword, value, said, tmp_path):
    (dataset,) = make_series(ramp((1, 6, 4)))
    if value is None:
        delattr(dataset, keyword)
    else:
        dataset[keyword].value = value
    (path,) = write_series(tmp_path, [dataset])
    assert list_absent_geometry(read_header(path)) == said
