"""Tests of medseg.report.followup.register: a known motion is found, a wrong pair is not."""

from __future__ import annotations

import numpy as np
import pytest
from report.followup.bodies import draw_body, make_grid, make_motion, measure_error

from medseg.geometry import Geometry
from medseg.report.followup.register import register, stay

EARLIER = make_grid((70, 55, 65), (2.0, 2.0, 2.0))
LATER = {
    "same": EARLIER,
    "anisotropic": make_grid((90, 70, 28), (1.5, 1.5, 5.0)),
    "oblique": make_grid((64, 56, 56), (2.2, 2.0, 2.4), turn=(12, -8, 15)),
    "flipped": make_grid((70, 55, 65), (2.0, 2.0, 2.0), flips=(-1, -1, 1)),
}
MOTIONS = {
    "none": make_motion(),
    "small": make_motion(degrees=(3.0, -2.0, 4.0), shift=(4.0, -5.0, 6.0)),
    "turn": make_motion(degrees=(5.0, -4.0, 12.0)),
    "both": make_motion(degrees=(-8.0, 6.0, 10.0), shift=(-14.0, 9.0, 6.0)),
}
WITHIN_DEGREES, WITHIN_MM = 0.5, 0.5
THICK = 2.0, 3.0
"""How many times that, in degrees and mm, is right with slices of 5 mm."""

SHEARED = [[1, 0.3, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
QUICK = [("same", "none"), ("anisotropic", "small"), ("oblique", "both")]
OTHERS = [(g, m) for g in LATER for m in MOTIONS if (g, m) not in QUICK]


@pytest.mark.parametrize(
    ("grid", "motion"),
    [*QUICK, *(pytest.param(*one, marks=pytest.mark.long) for one in OTHERS)],
)
def test_a_known_motion_is_found_on_any_grid(grid, motion):
    true, later = MOTIONS[motion], LATER[grid]
    found = register(draw_body(EARLIER), EARLIER, draw_body(later, true, noise=20.0), later)
    degrees, millimetres = measure_error(found.matrix, true, EARLIER)
    looser = THICK if grid == "anisotropic" else (1.0, 1.0)
    assert degrees < WITHIN_DEGREES * looser[0]
    assert millimetres < WITHIN_MM * looser[1]
    assert not found.warnings
    assert found.similarity > 0.5
    assert found.overlap > 0.7


def test_it_says_how_far_the_centre_moves_and_by_how_much_it_turns():
    true = make_motion(degrees=(0, 0, 7.0), shift=(6.0, -3.0, 2.0))
    found = register(draw_body(EARLIER), EARLIER, draw_body(EARLIER, true), EARLIER)
    np.testing.assert_allclose(found.shift_mm, (6, -3, 2), atol=0.3)
    assert found.angle_degrees == pytest.approx(7, abs=WITHIN_DEGREES)
    assert found.similarity > found.similarity_at_start
    assert found.method == "rigid"


def test_the_same_images_give_the_same_matrix():
    later = draw_body(EARLIER, MOTIONS["small"], noise=20.0)
    first, second = (register(draw_body(EARLIER), EARLIER, later, EARLIER) for _ in range(2))
    np.testing.assert_array_equal(first.matrix, second.matrix)


def test_one_image_twice_stays_where_it_is_and_is_not_doubted():
    image = draw_body(EARLIER, noise=20.0)
    found = register(image, EARLIER, image, EARLIER)
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert found.warnings == ()


def test_images_that_lie_apart_are_brought_together():
    far = EARLIER.affine.copy()
    far[:3, 3] += (500, 0, -2000)
    moved = Geometry(EARLIER.shape, far)
    found = register(draw_body(EARLIER), EARLIER, draw_body(EARLIER, noise=20.0), moved)
    assert found.similarity_at_start is None
    np.testing.assert_allclose(found.shift_mm, (500, 0, -2000), atol=WITHIN_MM)


def test_unrelated_images_are_refused():
    noise = np.random.default_rng(0).normal(size=(2, *EARLIER.shape))
    with pytest.raises(
        ValueError, match=r"similarity of 0\.\d+ after .*: give images of one patie"
    ):
        register(noise[0], EARLIER, noise[1], EARLIER)


def test_a_poor_fit_is_warned_of():
    noise = np.random.default_rng(0).normal(0, 250, (2, *EARLIER.shape))
    pair = (draw_body(EARLIER) + noise[0], draw_body(EARLIER) + noise[1])
    found = register(pair[0], EARLIER, pair[1], EARLIER)
    assert found.similarity < 0.25
    assert any("as those of two patients or body parts have" in one for one in found.warnings)


@pytest.mark.parametrize(
    ("image", "grid", "why"),
    [
        (np.zeros(EARLIER.shape), EARLIER, "of the value 0 alone"),
        (np.ones((20, 20, 1)), Geometry((20, 20, 1), np.eye(4)), "of one slice"),
        (
            np.ones((20, 20, 20)),
            Geometry((20, 20, 20), SHEARED),
            "not at right angles",
        ),
    ],
)
def test_an_image_that_cannot_be_registered_is_refused(image, grid, why):
    with pytest.raises(ValueError, match=why):
        register(image, grid, draw_body(EARLIER), EARLIER)


def test_without_registration_nothing_moves_on_one_grid():
    found = stay(EARLIER, EARLIER)
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    assert (found.method, found.overlap, found.similarity) == ("none", None, None)


def test_without_registration_two_grids_are_refused():
    with pytest.raises(ValueError, match=r"on one grid, got shape .*: leave --no-registration out"):
        stay(EARLIER, LATER["anisotropic"])
