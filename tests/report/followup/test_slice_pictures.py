"""Tests of medseg.report.followup.slice_pictures: a lesion lies where its outline is drawn."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from report.followup.bodies import make_motion
from report.followup.test_compare import EARLIER, LATER, compare_studies, make_case

from medseg.report.followup import slice_pictures
from medseg.report.followup.register import Registration
from medseg.report.followup.slice_pictures import (
    EARLIER as BLUE,
)
from medseg.report.followup.slice_pictures import (
    LATER as YELLOW,
)
from medseg.report.followup.slice_pictures import (
    PIXELS,
    choose_limits,
    draw_slices,
)

MOTION = make_motion(shift=(12.0, 0.0, 0.0))
LIMITS = ((-1000.0, 500.0), (-1000.0, 500.0))


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The body moved by 12 mm to the right, with one lesion that grows and one that goes."""
    known = Registration(MOTION, (12.0, 0.0, 0.0), 0.0, 1.0, 0.2, 0.6, "rigid")
    monkeypatch.setattr("medseg.report.followup.compare.register", lambda *_: known)
    before = make_case(tmp_path, "a", EARLIER, [((-20, 0, 0), 8), ((20, 10, 10), 6)])
    after = make_case(tmp_path, "b", LATER, [((-20, 0, 0), 11)], matrix=MOTION)
    return compare_studies(before, after)


def locate(picture, colour):
    """The middle of what has a colour, in pixels to the right and down; None without any."""
    pixels = np.asarray(Image.open(io.BytesIO(picture.png)))
    rows, columns = np.nonzero((pixels == colour).all(axis=-1))
    return None if not len(rows) else ((np.ptp(columns), columns.mean()), rows.mean())


def test_there_are_the_earlier_study_as_it_lay_and_moved_and_the_later_one(found):
    plane, pictures = draw_slices(found, found.lesions[0], LIMITS)
    assert re.fullmatch(r"axial slice \d+ of 44", plane)
    assert [one.title for one in pictures] == [
        "Earlier, before registration",
        "Earlier, registered",
        "Later",
    ]
    assert {Image.open(io.BytesIO(one.png)).size for one in pictures} == {(PIXELS, PIXELS)}


def test_after_registration_the_earlier_outline_lies_within_the_later_one(found):
    _, (lay, moved, later) = draw_slices(found, found.lesions[0], LIMITS)
    middle = (PIXELS - 1) / 2
    (width, across), down = locate(moved, BLUE)
    assert across == pytest.approx(middle, abs=4)
    assert down == pytest.approx(middle, abs=4)
    per_mm = PIXELS / slice_pictures._LEAST_SIDE_MM
    assert locate(lay, BLUE)[0][1] - across == pytest.approx(12 * per_mm, abs=5)  # to the left
    (later_width, _), _ = locate(later, YELLOW)
    assert later_width == pytest.approx(22 * per_mm, abs=8)
    assert width == pytest.approx(16 * per_mm, abs=8)


def test_of_a_lesion_that_vanished_the_place_where_it_was_is_shown(found):
    _, pictures = draw_slices(found, found.lesions[1], LIMITS)
    half = PIXELS // 2
    near = slice(half - 25, half + 25)  # 6 mm are 13 pixels; another lesion lies farther away
    pixels = np.asarray(Image.open(io.BytesIO(pictures[1].png)))[near, near]
    places = np.argwhere((pixels == BLUE).all(axis=-1))
    np.testing.assert_allclose(places.mean(axis=0), 24.5, atol=4)
    assert np.ptp(places, axis=0) == pytest.approx(26, abs=5)


def test_without_images_there_are_no_pictures(tmp_path, found):
    bare = make_case(tmp_path, "c", EARLIER, [((0, 0, 0), 8)], draws=False)
    with pytest.raises(ValueError, match="is not at hand"):
        choose_limits(bare)
    with pytest.raises(ValueError, match="need the images of both studies and a lesion"):
        draw_slices(found, found.structures[0], LIMITS)


def test_the_values_round_those_of_the_structures_are_drawn(tmp_path):
    case = make_case(tmp_path, "a", EARLIER, [((0, 0, 0), 8)])
    low, high = choose_limits(case)
    assert low < 100 < high
    assert high - low < 1000
    constant = make_case(tmp_path, "b", EARLIER, [((0, 0, 0), 8)])
    constant.image[:] = 3.0
    assert choose_limits(constant) == (2.5, 3.5)


def test_the_limits_of_two_studies_are_between_those_of_each_and_whole_tens_in_hu(tmp_path):
    case = make_case(tmp_path, "a", EARLIER, [((0, 0, 0), 8)], unit="HU")
    noisy = make_case(tmp_path, "b", EARLIER, [((0, 0, 0), 8)], unit="HU")
    noisy.image[:] += np.random.default_rng(1).normal(0, 100, noisy.image.shape)
    studies = [case, noisy], [noisy], [case]
    (low, high), (least, most), own = (choose_limits(*cases) for cases in studies)
    assert least < low < own[0]
    assert own[1] < high < most
    assert (low % 10, high % 10) == (0, 0)
