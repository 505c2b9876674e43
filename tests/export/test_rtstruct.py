"""Tests of medseg.export.rtstruct: contours enclose the voxels that they were drawn around."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from export.bad_headers import BAD, name_change, write_changed
from export.judges import find_errors, needs_dciodvfy, needs_plastimatch, read_by_plastimatch
from export.polygon_filling import EXCLUSIVE_OR, RULES, UNION, fill, measure_area
from export.test_segmentation import ALGORITHM, KINDS, LABELS, draw_mask, write_kind
from ingest.dicom_writer import OBLIQUE, make_series, write_series

from medseg.export import Algorithm, describe_source, write_rtstruct
from medseg.geometry import Geometry
from medseg.ingest import find_series
from medseg.labels import make_table


@pytest.fixture(params=KINDS)
def series(request, tmp_path):
    return write_kind(request.param, tmp_path / "ct")


def save(mask, path, series, geometry=None, **options):
    return write_rtstruct(
        mask,
        path,
        source=series,
        geometry=geometry or series.geometry,
        **{"labels": LABELS, "algorithm": ALGORITHM, **options},
    )


def list_contours(path, number):
    """The contours of an ROI, each (n, 3) in LPS+ mm."""
    rois = pydicom.dcmread(path).ROIContourSequence
    (roi,) = [roi for roi in rois if roi.ReferencedROINumber == number]
    return [
        np.reshape(c.ContourData, (-1, 3)).astype(float) for c in roi.get("ContourSequence", [])
    ]


def read_planes(path, number, geometry):
    """The contours of an ROI on a grid: plane k -> polygons (n, 2) in voxels."""
    planes = {}
    for points in list_contours(path, number):
        voxels = geometry.world_to_voxel(points * (-1, -1, 1))
        k = round(voxels[0, 2])
        np.testing.assert_allclose(voxels[:, 2], k, atol=0.01)
        planes.setdefault(k, []).append(voxels[:, :2])
    return planes


def read_by_filling(path, geometry, labels=LABELS, rule=UNION):
    """The mask that the contours enclose, (I, J, K)."""
    found = np.zeros(geometry.shape, np.uint8)
    for label in labels.foreground:
        for k, polygons in read_planes(path, label.index, geometry).items():
            found[..., k][fill(polygons, geometry.shape[:2], rule)] = label.index
    return found


@pytest.mark.parametrize("rule", RULES)
def test_contours_enclose_the_voxels_of_the_mask(series, rule, tmp_path):
    mask = draw_mask(series.geometry.shape)
    save(mask, tmp_path / "rt.dcm", series)
    found = read_by_filling(tmp_path / "rt.dcm", series.geometry, rule=rule)
    np.testing.assert_array_equal(found, mask)


@needs_dciodvfy
def test_dciodvfy_finds_no_error(series, tmp_path):
    save(draw_mask(series.geometry.shape), tmp_path / "rt.dcm", series)
    assert find_errors(tmp_path / "rt.dcm") == []


def test_each_contour_names_the_image_of_its_plane(series, tmp_path):
    if series.resampling is not None:
        pytest.skip("no image lies on some planes")
    save(draw_mask(series.geometry.shape), tmp_path / "rt.dcm", series)
    headers = {s.instance if s.frame is None else s.frame: s for s in series.slices}
    for roi in pydicom.dcmread(tmp_path / "rt.dcm").ROIContourSequence:
        for contour in roi.ContourSequence:
            (image,) = contour.ContourImageSequence
            frame = image.get("ReferencedFrameNumber")
            header = headers[image.ReferencedSOPInstanceUID if frame is None else frame - 1]
            normal = np.cross(header.orientation[:3], header.orientation[3:])
            points = np.reshape(contour.ContourData, (-1, 3)).astype(float)
            np.testing.assert_allclose((points - header.position) @ normal, 0, atol=0.001)


def test_planes_of_a_resampled_grid_without_an_image_name_none(tmp_path):
    series = write_kind("resampled", tmp_path / "ct")
    save(np.ones(series.geometry.shape, np.uint8), tmp_path / "rt.dcm", series)
    (contours, _) = pydicom.dcmread(tmp_path / "rt.dcm").ROIContourSequence
    named = [len(c.get("ContourImageSequence", [])) for c in contours.ContourSequence]
    assert named == [1, 1, 0, 1, 1]


def draw_ball(shape, spacing_mm, radius_mm):
    centre = (np.array(shape) - 1) / 2
    offsets = (np.indices(shape).T - centre) * spacing_mm
    return (np.linalg.norm(offsets, axis=-1) <= radius_mm).T


def draw_shell(shape, spacing_mm):
    return draw_ball(shape, spacing_mm, 12) & ~draw_ball(shape, spacing_mm, 9)


SHAPES = {
    "ball": lambda *grid: draw_ball(*grid, 8),
    "shell": draw_shell,
    "ring in ring": lambda *grid: draw_shell(*grid) | draw_ball(*grid, 7) & ~draw_ball(*grid, 4),
    "sponge": lambda shape, _: np.random.default_rng(0).random(shape) < 0.7,
    "whole image": lambda shape, _: np.ones(shape, bool),
}


def write_shape(name, folder):
    """An oblique series, and a mask of a shape of over 1 mL on its grid."""
    slices = make_series(np.zeros((12, 41, 37), np.int16), orientation=OBLIQUE, step_mm=2.5)
    write_series(folder, slices)
    (series,) = find_series(folder)
    mask = SHAPES[name](series.geometry.shape, series.geometry.spacing_mm).astype(np.uint8)
    assert mask.sum() * series.geometry.voxel_volume_ml > 1
    return series, mask


def measure_dice(found, mask):
    return 2 * (found & mask).sum() / (found.sum() + mask.sum())


SHAPE = make_table(["shape"])


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("rule", RULES)
def test_dice_and_volume_of_structures_over_1_ml(name, rule, tmp_path):
    series, mask = write_shape(name, tmp_path / "ct")
    save(mask, tmp_path / "rt.dcm", series, labels=SHAPE)
    found = read_by_filling(tmp_path / "rt.dcm", series.geometry, SHAPE, rule)
    assert measure_dice(found, mask) >= 0.99
    planes = read_planes(tmp_path / "rt.dcm", 1, series.geometry)
    area = sum(measure_area(polygon) for polygons in planes.values() for polygon in polygons)
    assert abs(area) == pytest.approx(mask.sum(), rel=0.001)  # so is the volume, in voxels


@needs_plastimatch
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("xor", [False, True])
def test_plastimatch_reads_structures_over_1_ml(name, xor, tmp_path):
    series, mask = write_shape(name, tmp_path / "ct")
    save(mask, tmp_path / "rt.dcm", series, labels=SHAPE)
    found = read_by_plastimatch(
        tmp_path / "rt.dcm", tmp_path / "ct", "shape", series.geometry, xor=xor
    )
    assert measure_dice(found, mask) >= 0.99


def test_a_mask_on_a_part_of_the_grid_is_in_its_place_and_names_its_images(tmp_path):
    series = write_kind("oblique", tmp_path / "ct")
    mask = draw_mask(series.geometry.shape)
    affine = series.geometry.affine.copy()
    affine[:3, 3] = series.geometry.voxel_to_world([1, 2, 1])
    part = mask[1:9, 2:14, 1:4]
    save(part, tmp_path / "rt.dcm", series, Geometry(part.shape, affine))
    whole = np.zeros_like(mask)
    whole[1:9, 2:14, 1:4] = part
    np.testing.assert_array_equal(read_by_filling(tmp_path / "rt.dcm", series.geometry), whole)
    (contours, _) = pydicom.dcmread(tmp_path / "rt.dcm").ROIContourSequence
    assert [len(c.ContourImageSequence) for c in contours.ContourSequence] == [1, 1, 1]


@needs_dciodvfy
def test_a_label_without_a_voxel_is_an_roi_without_contours(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    save(np.zeros(series.geometry.shape, np.uint8), tmp_path / "rt.dcm", series)
    found = pydicom.dcmread(tmp_path / "rt.dcm")
    assert [roi.ROIName for roi in found.StructureSetROISequence] == [
        label.name for label in LABELS.foreground
    ]
    assert not any("ContourSequence" in roi for roi in found.ROIContourSequence)
    assert find_errors(tmp_path / "rt.dcm") == []


@needs_dciodvfy
def test_sixty_labels_come_back(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    mask = np.zeros(series.geometry.shape, np.uint8)
    mask.reshape(-1)[:180] = np.repeat(np.arange(1, 61), 3)
    labels = make_table([f"part {n}" for n in range(1, 61)])
    save(mask, tmp_path / "rt.dcm", series, labels=labels)
    found = read_by_filling(tmp_path / "rt.dcm", series.geometry, labels, EXCLUSIVE_OR)
    np.testing.assert_array_equal(found, mask)
    assert find_errors(tmp_path / "rt.dcm") == []


@needs_dciodvfy
@pytest.mark.parametrize("changes", BAD, ids=name_change)
def test_a_result_from_a_bad_header_is_a_valid_object(changes, tmp_path):
    series = write_changed(tmp_path / "ct", **changes)
    notes = save(np.ones(series.geometry.shape, np.uint8), tmp_path / "rt.dcm", series)
    is_nobody = changes.get("ReferringPhysicianName", "") is None
    assert len(notes) == (0 if is_nobody else 1)
    assert find_errors(tmp_path / "rt.dcm") == []


def test_values_have_three_decimals_and_at_most_16_characters(tmp_path):
    slices = make_series(orientation=OBLIQUE, origin=(-1234.567891, 0.0001, 987.654321))
    write_series(tmp_path / "ct", slices)
    (series,) = find_series(tmp_path / "ct")
    save(np.ones(series.geometry.shape, np.uint8), tmp_path / "rt.dcm", series)
    with pydicom.config.disable_value_validation():
        contour = pydicom.dcmread(tmp_path / "rt.dcm").ROIContourSequence[0].ContourSequence[0]
    texts = [value.original_string for value in contour.ContourData]
    assert all(len(text.partition(".")[2]) == 3 and len(text) <= 16 for text in texts)
    assert "-0.000" not in texts


def test_a_coordinate_that_dicom_cannot_state_is_refused_and_writes_nothing(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    affine = series.geometry.affine.copy()
    affine[0, 3] = 1e13
    far = Geometry(series.geometry.shape, affine)
    images = replace(describe_source(series), geometry=far)
    with pytest.raises(ValueError, match="has over 16 characters"):
        save(np.ones(far.shape, np.uint8), tmp_path / "rt.dcm", images, far)
    assert not (tmp_path / "rt.dcm").exists()


def test_pixels_of_a_micrometre_keep_their_outline(tmp_path):
    write_series(tmp_path / "ct", make_series(pixel_spacing_mm=(0.001, 0.001)))
    (series,) = find_series(tmp_path / "ct")
    mask = np.ones(series.geometry.shape, np.uint8)
    save(mask, tmp_path / "rt.dcm", series)
    np.testing.assert_array_equal(read_by_filling(tmp_path / "rt.dcm", series.geometry), mask)


def test_a_contour_of_more_than_64_kilobytes_comes_back(tmp_path):
    write_series(tmp_path / "ct", make_series(np.zeros((1, 128, 128), np.int16)))
    (series,) = find_series(tmp_path / "ct")
    mask = np.ones(series.geometry.shape, np.uint8)
    mask[1:-1:2, 1:-1:2] = 0
    save(mask, tmp_path / "rt.dcm", series)
    (points,) = list_contours(tmp_path / "rt.dcm", 1)
    assert len(points) > 65536 / 8
    np.testing.assert_array_equal(read_by_filling(tmp_path / "rt.dcm", series.geometry), mask)


def test_codes_colours_and_algorithm_are_those_of_the_bundle(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    save(draw_mask(series.geometry.shape), tmp_path / "rt.dcm", series)
    found = pydicom.dcmread(tmp_path / "rt.dcm")
    liver, other = found.RTROIObservationsSequence
    kind = liver.RTROIIdentificationCodeSequence[0]
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("10200004", "SCT")
    assert (liver.RTROIInterpretedType, other.RTROIInterpretedType) == ("ORGAN", "")
    assert "RTROIIdentificationCodeSequence" not in other
    assert list(found.ROIContourSequence[0].ROIDisplayColor) == list(LABELS[1].rgb)
    assert found.StructureSetROISequence[0].ROIGenerationDescription == "medseg liver 1.0"
    assert found.ApprovalStatus == "UNAPPROVED"


@needs_dciodvfy
@pytest.mark.parametrize("name", ["left\\right", "a\tname", "x" * 70, "Änne " * 20])
def test_any_names_give_a_valid_object(name, tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    labels, algorithm = make_table([name, "other"]), Algorithm(name, name)
    mask = draw_mask(series.geometry.shape)
    save(mask, tmp_path / "rt.dcm", series, labels=labels, algorithm=algorithm)
    assert find_errors(tmp_path / "rt.dcm") == []


def test_long_names_are_cut_to_what_dicom_allows(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    labels = make_table(["x" * 70, "ä" * 64])
    save(draw_mask(series.geometry.shape), tmp_path / "rt.dcm", series, labels=labels)
    found = pydicom.dcmread(tmp_path / "rt.dcm").StructureSetROISequence
    assert [roi.ROIName for roi in found] == ["x" * 64, "ä" * 32]


def test_patient_and_frame_of_reference_are_those_of_the_source(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    save(draw_mask(series.geometry.shape), tmp_path / "rt.dcm", series)
    found = pydicom.dcmread(tmp_path / "rt.dcm")
    assert (found.PatientID, str(found.PatientName)) == ("17", "Müller^Änne")
    assert found.StudyInstanceUID == "1.2.840.1"
    frame = series.slices[0].frame_of_reference
    (referenced,) = found.ReferencedFrameOfReferenceSequence
    assert found.FrameOfReferenceUID == referenced.FrameOfReferenceUID == frame
    (of_series,) = referenced.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    assert of_series.SeriesInstanceUID == series.uid != found.SeriesInstanceUID
    named = [image.ReferencedSOPInstanceUID for image in of_series.ContourImageSequence]
    assert named == [header.instance for header in series.slices]


def test_the_same_mask_is_the_same_object_and_another_is_another(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    mask = draw_mask(series.geometry.shape)
    for name, values in (("a", mask), ("b", mask), ("c", np.maximum(mask, mask[::-1]))):
        save(values, tmp_path / f"{name}.dcm", series)
    a, b, c = (pydicom.dcmread(tmp_path / f"{name}.dcm").SOPInstanceUID for name in "abc")
    assert a == b != c


def test_a_mask_with_a_value_without_a_label_writes_nothing(tmp_path):
    series = write_kind("axial", tmp_path / "ct")
    with pytest.raises(ValueError, match="give each value a label"):
        save(np.full(series.geometry.shape, 3), tmp_path / "rt.dcm", series)
    assert not (tmp_path / "rt.dcm").exists()
