"""Tests of medseg.export.given: what is of the wrong kind is refused in one clear line."""

from __future__ import annotations

import numpy as np
import pytest
from export.test_segmentation import ALGORITHM, LABELS, draw_mask, read_by_highdicom, write_kind

from medseg.export import write_parametric_map, write_rtstruct, write_seg, write_sr
from medseg.export.given import check_kinds, take_source


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    return write_kind("axial", tmp_path_factory.mktemp("given") / "ct")


def write(writer, series, path, **changes):
    mask = draw_mask(series.geometry.shape)
    given = {"source": series, "geometry": series.geometry, "algorithm": ALGORITHM, **changes}
    if writer is not write_parametric_map:
        given = {"labels": LABELS, **given}
    return writer(
        given.pop("mask", mask * (0.4 if writer is write_parametric_map else 1)), path, **given
    )


@pytest.mark.parametrize("writer", [write_seg, write_rtstruct, write_parametric_map])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"source": "study/ct"},
            r"source must be a series, got str: pass one of those that medseg",
        ),
        ({"source": None}, "source must be a series, got NoneType"),
        (
            {"geometry": np.eye(4)},
            r"geometry must be a Geometry, got ndarray: pass series\.geometry",
        ),
        ({"algorithm": "liver"}, r"algorithm must be an Algorithm, got str: pass medseg\.export"),
        ({"mask": "liver"}, "must be an array of real numbers, got str"),
        ({"mask": np.zeros((2, 2, 2), complex)}, "must be an array of real numbers"),
    ],
)
def test_an_argument_of_another_kind_is_refused(writer, changes, said, series, tmp_path):
    with pytest.raises(TypeError, match=said):
        write(writer, series, tmp_path / "made.dcm", **changes)
    assert not (tmp_path / "made.dcm").exists()


def test_labels_are_a_table():
    with pytest.raises(TypeError, match="labels must be a LabelTable, got list: pass medseg"):
        check_kinds(labels=["liver"])


def test_a_report_refuses_a_path_as_its_source(tmp_path):
    given = {"segmentation": tmp_path / "seg.dcm", "labels": LABELS, "algorithm": ALGORITHM}
    with pytest.raises(TypeError, match="source must be a series, got PosixPath"):
        write_sr([], tmp_path / "sr.dcm", source=tmp_path, **given)


@pytest.mark.parametrize(("name", "near"), [("binary", "BINARY"), ("labelmap", "LABELMAP")])
def test_an_unknown_type_is_refused_with_the_nearest(name, near, series, tmp_path):
    said = f"must be one of BINARY, LABELMAP, FRACTIONAL, got '{name}': pass '{near}'"
    with pytest.raises(ValueError, match=said):
        write(write_seg, series, tmp_path / "made.dcm", segmentation_type=name)


def test_an_unknown_quantity_is_refused(series, tmp_path):
    with pytest.raises(ValueError, match="quantity must be one of probability, uncertainty"):
        write(write_parametric_map, series, tmp_path / "made.dcm", quantity="dose")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.1, 1.5])
def test_probabilities_that_are_none_are_refused(wrong, series, tmp_path):
    values = np.full((2, *series.geometry.shape), 0.5)
    values[0, 0, 0, 0] = wrong
    with pytest.raises(ValueError, match="probability goes from 0 to 1, and"):
        write(write_seg, series, tmp_path / "seg.dcm", mask=values, segmentation_type="FRACTIONAL")
    assert not (tmp_path / "seg.dcm").exists()


def test_nested_lists_are_taken_as_an_array(series, tmp_path):
    mask = draw_mask(series.geometry.shape)
    write(write_seg, series, tmp_path / "seg.dcm", mask=mask.tolist())
    np.testing.assert_array_equal(read_by_highdicom(tmp_path / "seg.dcm", series.geometry), mask)


def test_images_that_were_described_are_taken_as_they_are(series):
    images = take_source(series)
    assert take_source(images) is images
