"""Tests of medseg.report.diameters: shapes whose diameters are known on paper."""

import numpy as np
import pytest

from medseg.report.diameters import measure_diameters, measure_long_axis


def draw(inside, spacing, size_mm=80.0):
    """The pixels whose centres are inside a shape around (0, 0)."""
    n = [int(size_mm / s) for s in spacing]
    x, y = ((np.arange(k) - (k - 1) / 2) * s for k, s in zip(n, spacing, strict=True))
    return inside(x[:, None], y[None, :])


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.5), (0.7, 1.1)])
def test_a_disc_is_as_long_as_wide(spacing):
    found = measure_diameters(draw(lambda x, y: x**2 + y**2 <= 20**2, spacing), spacing)
    assert found.long_axis_mm == measure_long_axis(
        draw(lambda x, y: x**2 + y**2 <= 20**2, spacing), spacing
    )
    for value in (found.long_axis_mm, found.perpendicular_mm, found.width_mm):
        assert value == pytest.approx(40, abs=1.5 * max(spacing))


@pytest.mark.parametrize("turn", [0.0, 0.3, 0.8, np.pi / 2])
@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.6, 0.9)])
def test_an_ellipse_has_its_two_axes_however_it_is_turned(turn, spacing):
    def inside(x, y):
        u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
        return (u / 30) ** 2 + (v / 10) ** 2 <= 1

    found = measure_diameters(draw(inside, spacing), spacing)
    assert found.long_axis_mm == pytest.approx(60, abs=1.5 * max(spacing))
    assert found.perpendicular_mm == pytest.approx(20, abs=1.5 * max(spacing))
    assert found.width_mm == pytest.approx(20, abs=1.5 * max(spacing))


def test_a_perpendicular_stays_within_the_structure():
    """Of a ring the long axis goes through the hole, and the perpendicular does not."""
    ring = draw(lambda x, y: (x**2 + y**2 <= 30**2) & (x**2 + y**2 >= 25**2), (0.5, 0.5))
    found = measure_diameters(ring, (0.5, 0.5))
    assert found.long_axis_mm == pytest.approx(60, abs=1)
    chord = 2 * np.sqrt(30**2 - 25**2)  # the longest that passes the hole
    assert found.perpendicular_mm == pytest.approx(chord, abs=2)
    assert found.width_mm == pytest.approx(60, abs=1)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 0.5)])
def test_a_pixel_and_a_row_have_the_size_of_their_pixels(spacing):
    one = measure_diameters(np.ones((1, 1), bool), spacing)
    assert one.long_axis_mm == max(spacing)
    row = measure_diameters(np.ones((1, 8), bool), spacing)
    assert row.long_axis_mm == pytest.approx(8 * spacing[1], abs=0.05)
    assert row.perpendicular_mm == pytest.approx(spacing[0], abs=min(spacing))


def test_the_ends_are_on_the_outline():
    mask = np.zeros((10, 10), bool)
    mask[2:9, 4] = True
    ends = measure_diameters(mask, (1.0, 1.0)).ends
    assert sorted(map(tuple, ends)) == [(1.5, 4.0), (8.5, 4.0)]


def test_an_empty_mask_has_no_diameter():
    with pytest.raises(ValueError, match="no diameter"):
        measure_diameters(np.zeros((3, 3), bool), (1.0, 1.0))
