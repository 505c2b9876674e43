"""Tests of medseg.datasets.phantom.canvas: shapes are exact at the points given."""

import numpy as np
import pytest

from medseg.datasets.phantom.canvas import AIR_HU, Canvas, Organ, draw_smooth_noise


@pytest.fixture
def canvas():
    """Points 1 mm apart, from -5 to 5 mm along each axis."""
    return Canvas(*np.meshgrid(*[np.arange(-5.0, 6.0, dtype=np.float32)] * 3, indexing="ij"))


def test_an_organ_has_level_1_at_its_centre_0_on_its_surface_and_less_outside():
    organ = Organ((1, 2, 3), (2, 4, 8), 50)
    x, y, z = np.array([(1, 2, 3), (3, 2, 3), (1, 6, 3), (1, 2, -5), (5, 2, 3)], np.float32).T
    np.testing.assert_allclose(organ.measure_level(x, y, z), [1, 0, 0, 0, -1], atol=1e-6)


def test_an_infinite_radius_makes_a_tube(canvas):
    canvas.paint_organ(Organ((0, 0, 0), (1.5, 1.5, float("inf")), 50))
    painted = canvas.hu == 50
    assert painted.sum() == 9 * 11  # the centre, 4 points at 1 mm, 4 at 1.41 mm, in 11 slices
    assert painted[5, 5].all()


def test_a_canvas_is_air_without_a_label_until_it_is_painted(canvas):
    assert np.unique(canvas.hu).tolist() == [AIR_HU]
    assert np.unique(canvas.label).tolist() == [0]


def test_an_organ_is_painted_inside_its_surface_and_within_the_mask_alone(canvas):
    canvas.paint_organ(Organ((0, 0, 0), (1.5, 1.5, 1.5), 50))
    assert (canvas.hu == 50).sum() == 19  # the centre, 6 points at 1 mm, 12 at 1.41 mm
    canvas.paint_organ(Organ((0, 0, 0), (1.5, 1.5, 1.5), 60), only=canvas.x > 0)
    assert (canvas.hu == 60).sum() == 5
    assert (canvas.hu == 50).sum() == 14


def test_a_later_shape_covers_the_number_and_the_label_of_an_earlier_one(canvas):
    canvas.fill(canvas.x > -1, 50, label=1)
    canvas.fill(canvas.x > 1, 60, label=2)
    assert canvas.hu[:, 0, 0].tolist() == [AIR_HU] * 5 + [50] * 2 + [60] * 4
    assert canvas.label[:, 0, 0].tolist() == [0] * 5 + [1] * 2 + [2] * 4


def test_the_box_of_two_corners_holds_the_points_between_them_and_no_others(canvas):
    box = canvas.find_box(np.array([-1.5, 0, 3]), np.array([1.5, 0, 9]))
    assert box == (slice(4, 7), slice(5, 6), slice(8, 11))
    nothing = canvas.find_box(np.array([-1.5, 7, 3]), np.array([1.5, 8, 9]))
    assert canvas.hu[nothing].size == 0


def test_noise_has_mean_0_and_deviation_1_and_is_smooth_across_opposite_edges():
    noise = draw_smooth_noise(np.random.default_rng(0), 64, scale_pixels=4)
    assert (noise.mean(), noise.std()) == (pytest.approx(0, abs=1e-9), pytest.approx(1))
    steps = np.abs(np.diff(noise, axis=0, append=noise[:1]))
    assert steps[-1].mean() < 2 * steps[:-1].mean() < 0.5
