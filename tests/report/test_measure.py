"""Tests of medseg.report.measure: bodies whose measures are known on paper."""

from __future__ import annotations

import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.labels import make_table
from medseg.report import measure_structures
from medseg.report.measure import find_slice_axis

LIVER = make_table(["liver"])


def make_grid(shape, spacing, *, turn=0.0):
    cos, sin = np.cos(turn), np.sin(turn)
    about_z = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag(spacing)
    affine[:3, 3] = (-17.0, 40.0, 300.0)
    return Geometry(shape, affine)


GRIDS = [
    pytest.param((1.0, 1.0, 1.0), 0.0, id="isotropic"),
    pytest.param((0.7, 0.7, 2.5), 0.0, id="anisotropic"),
    pytest.param((0.7, 0.8, 2.5), 0.4, id="oblique"),
]


def draw_ellipsoid(radii, spacing, turn):
    """An ellipsoid along the axes of the grid, its grid, and its centre in mm."""
    shape = tuple(int(2 * r / s) + 6 for r, s in zip(radii, spacing, strict=True))
    geometry = make_grid(shape, spacing, turn=turn)
    centre = (np.array(shape) - 1) / 2
    at = (np.moveaxis(np.indices(shape), 0, -1) - centre) * spacing
    mask = ((at / radii) ** 2).sum(axis=-1) <= 1
    return mask.astype(np.uint8), geometry, geometry.voxel_to_world(centre)


@pytest.mark.parametrize(("spacing", "turn"), GRIDS)
def test_a_sphere(spacing, turn):
    mask, geometry, centre = draw_ellipsoid((20, 20, 20), spacing, turn)
    (found,) = measure_structures(mask, geometry, LIVER)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 20**3 / 1000, rel=0.01)
    assert found.surface_mm2 == pytest.approx(4 * np.pi * 20**2, rel=0.06)
    assert found.long_axis_mm == pytest.approx(40, abs=1)
    assert found.perpendicular_mm == pytest.approx(40, abs=1)
    assert found.largest_diameter_mm == pytest.approx(40, abs=max(spacing))
    np.testing.assert_allclose(found.centroid_mm, centre, atol=1e-6)
    assert found.is_at_edge is False


@pytest.mark.parametrize(("spacing", "turn"), GRIDS)
def test_an_ellipsoid(spacing, turn):
    mask, geometry, _ = draw_ellipsoid((30, 12, 18), spacing, turn)
    (found,) = measure_structures(mask, geometry, LIVER)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 30 * 12 * 18 / 1000, rel=0.01)
    a, b, c = np.array([30, 12, 18]) ** 1.6075  # Thomsen's formula, right within 1.2 %
    surface = 4 * np.pi * ((a * b + a * c + b * c) / 3) ** (1 / 1.6075)
    assert found.surface_mm2 == pytest.approx(surface, rel=0.05)
    axis = find_slice_axis(geometry)
    across = sorted(r for k, r in enumerate((30, 12, 18)) if k != axis)
    assert found.long_axis_mm == pytest.approx(2 * across[1], abs=1)
    assert found.perpendicular_mm == pytest.approx(2 * across[0], abs=1)
    assert found.width_mm == pytest.approx(2 * across[0], abs=1)


@pytest.mark.parametrize(("spacing", "turn"), GRIDS)
def test_a_box(spacing, turn):
    geometry = make_grid((30, 26, 14), spacing, turn=turn)
    mask = np.zeros(geometry.shape, np.uint8)
    mask[5:25, 6:20, 3:11] = 1
    a, b, c = np.array([20, 14, 8]) * spacing
    (found,) = measure_structures(mask, geometry, LIVER)
    assert found.voxels == 20 * 14 * 8
    assert found.volume_ml == pytest.approx(a * b * c / 1000)
    assert 0.9 < found.surface_mm2 / (2 * (a * b + a * c + b * c)) < 1  # edges are rounded
    in_plane = [n for k, n in enumerate((a, b, c)) if k != find_slice_axis(geometry)]
    assert found.long_axis_mm == pytest.approx(np.hypot(*in_plane), rel=0.05)


def test_values_within_are_those_of_the_image():
    mask, geometry, _ = draw_ellipsoid((20, 20, 20), (1, 1, 1), 0.0)
    rng = np.random.default_rng(0)
    image = rng.normal(60, 10, mask.shape)
    (found,) = measure_structures(mask, geometry, LIVER, image=image)
    inside = image[mask > 0]
    assert found.intensities.mean == pytest.approx(inside.mean())
    assert found.intensities.standard_deviation == pytest.approx(inside.std())
    assert found.intensities.percentiles["50"] == pytest.approx(np.median(inside))
    assert (found.intensities.minimum, found.intensities.maximum) == (inside.min(), inside.max())


def test_lesions_are_measured_one_by_one_the_largest_first():
    geometry = make_grid((40, 20, 10), (1.0, 1.0, 3.0))
    mask = np.zeros(geometry.shape, np.uint8)
    mask[2:5, 2:5, 2:4] = 1
    mask[20:30, 5:15, 2:8] = 1
    found = measure_structures(mask, geometry, make_table(["tumour"]))
    assert [(one.lesion, one.voxels) for one in found] == [(0, 618), (1, 600), (2, 18)]
    np.testing.assert_allclose(found[2].centroid_mm, geometry.voxel_to_world([3, 3, 2.5]))
    assert found[1].slice_axis == 2
    assert 2 <= found[1].slice_index < 8


def test_pieces_of_an_organ_are_one_structure():
    geometry = make_grid((20, 20, 10), (1.0, 1.0, 3.0))
    mask = np.zeros(geometry.shape, np.uint8)
    mask[2:4, 2:4, 2:4] = mask[12:14, 2:4, 2:4] = 1
    assert [one.lesion for one in measure_structures(mask, geometry, LIVER)] == [0]


def test_a_structure_is_measured_and_named_with_those_it_encloses():
    geometry = make_grid((20, 20, 10), (1.0, 1.0, 3.0))
    mask = np.zeros(geometry.shape, np.uint8)
    mask[2:12, 2:12, 2:8], mask[4:6, 4:6, 4:6] = 1, 2
    found = measure_structures(mask, geometry, make_table({"liver": [1, 2], "tumour": [2]}))
    assert [(one.name, one.voxels) for one in found[:2]] == [
        ("liver", 600),
        ("tumour", 8),
    ]


LENGTHS = ("long_axis_mm", "perpendicular_mm", "width_mm", "largest_diameter_mm")


def test_no_length_of_a_structure_runs_between_its_lesions():
    geometry = make_grid((30, 12, 4), (1.0, 1.0, 3.0))
    mask = np.zeros(geometry.shape, np.uint8)
    mask[2:7, 2:7, 1] = mask[20:25, 2:7, 1] = 1
    whole, first, second = measure_structures(mask, geometry, make_table(["tumour"]))
    assert [getattr(whole, name) for name in LENGTHS] == [None] * 4
    assert (whole.slice_index, whole.slice_axis) == (None, None)
    assert {whole.reasons[name] for name in LENGTHS} == {"its pieces are measured one by one"}
    assert whole.volume_ml == pytest.approx(first.volume_ml + second.volume_ml)
    assert first.long_axis_mm == second.long_axis_mm == pytest.approx(26**0.5 + 1, abs=1.0)


def test_a_structure_of_one_lesion_has_its_lengths():
    geometry = make_grid((12, 12, 4), (1.0, 1.0, 3.0))
    mask = np.zeros(geometry.shape, np.uint8)
    mask[2:7, 2:7, 1] = 1
    whole, lesion = measure_structures(mask, geometry, make_table(["tumour"]))
    assert [getattr(whole, name) for name in LENGTHS] == [getattr(lesion, name) for name in LENGTHS]
    assert whole.long_axis_mm is not None


def test_what_is_not_there_has_no_volume_and_a_reason_for_the_rest():
    geometry = make_grid((5, 5, 5), (1.0, 1.0, 1.0))
    (found,) = measure_structures(np.zeros(geometry.shape, np.uint8), geometry, LIVER)
    assert (found.voxels, found.volume_ml, found.long_axis_mm) == (0, 0.0, None)
    missing = [
        name for name in ("surface_mm2", "long_axis_mm", "intensities") if found.reasons[name]
    ]
    assert len(missing) == 3


def test_a_sheared_grid_has_no_diameters_in_a_slice_and_says_why():
    affine = np.eye(4)
    affine[0, 2] = 0.5
    mask = np.ones((4, 4, 4), np.uint8)
    (found,) = measure_structures(mask, Geometry(mask.shape, affine), LIVER)
    assert found.long_axis_mm is None
    assert "right angles" in found.reasons["long_axis_mm"]
    assert found.volume_ml == pytest.approx(0.064)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 1), (7, 7, 1)])
def test_a_body_of_one_voxel_row_or_slice_is_measured(shape):
    geometry = make_grid((9, 9, 3), (1.0, 1.0, 2.0))
    mask = np.zeros(geometry.shape, np.uint8)
    mask[1 : 1 + shape[0], 1 : 1 + shape[1], 1 : 1 + shape[2]] = 1
    (found,) = measure_structures(mask, geometry, LIVER)
    assert found.long_axis_mm >= max(shape[:2])
    assert found.surface_mm2 > 0


def test_a_structure_that_reaches_the_edge_is_marked():
    geometry = make_grid((9, 9, 1), (1.0, 1.0, 2.0))
    mask = np.zeros(geometry.shape, np.uint8)
    mask[3:6, 3:6] = 1
    assert measure_structures(mask, geometry, LIVER)[0].is_at_edge is False
    mask[0, 4] = 1
    assert measure_structures(mask, geometry, LIVER)[0].is_at_edge is True


@pytest.mark.parametrize(
    ("spacing", "axis"), [((0.7, 0.7, 2.5), 2), ((3.0, 0.7, 0.7), 0), ((1.0, 1.0, 1.0), 2)]
)
def test_slices_lie_along_the_longest_voxel_edge_or_from_head_to_feet(spacing, axis):
    assert find_slice_axis(make_grid((9, 9, 9), spacing)) == axis


def test_arrays_of_other_shapes_are_refused():
    geometry = make_grid((5, 5, 5), (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="give those of one image"):
        measure_structures(np.zeros((5, 5, 4), np.uint8), geometry, LIVER)


def test_pieces_of_a_label_that_stands_for_no_lesion_are_measured_where_asked_for():
    mask = np.zeros((9, 4, 4), np.uint8)
    mask[:2], mask[4:9] = 1, 1
    found = measure_structures(mask, make_grid(mask.shape, (1, 1, 1)), LIVER, pieces_of=["liver"])
    assert [(one.lesion, one.voxels) for one in found] == [(0, 112), (1, 80), (2, 32)]
    assert len(measure_structures(mask, make_grid(mask.shape, (1, 1, 1)), LIVER)) == 1
