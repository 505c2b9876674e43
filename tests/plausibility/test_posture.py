"""Tests of medseg.plausibility.posture: a spine lies behind, and runs from feet to head."""

import numpy as np
import pytest

from medseg.plausibility import describe_posture_doubts


def trunk(*, spine=1000, lungs=10):
    """(64, 64, 40) in RAS+: a body of 40 HU in air, a spine at its back, lungs at its upper end."""
    hu = np.full((64, 64, 40), -1000.0)
    hu[8:56, 8:56] = 40
    hu[28:36, 12:20] = spine
    if lungs:
        hu[12:26, 24:52, -lungs:] = hu[38:52, 24:52, -lungs:] = -800
    return hu


def doubts(hu, *, is_abdomen=True):
    return list(describe_posture_doubts(hu, is_abdomen=is_abdomen))


def test_a_patient_as_the_header_says_is_not_doubted():
    assert doubts(trunk()) == []
    assert doubts(trunk(lungs=0)) == []
    assert doubts(trunk(lungs=40)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda hu: hu[:, ::-1], "front and back are exchanged"),
        (lambda hu: hu[:, :, ::-1], "upside down, or shows no abdomen"),
        (lambda hu: hu.transpose(1, 0, 2), "to one side of the body: axes are exchanged"),
        (lambda hu: hu.transpose(2, 1, 0), "a spine runs across the patient"),
        (lambda hu: hu.transpose(0, 2, 1), "a spine runs across the patient"),
    ],
    ids=["front and back", "head and feet", "in the plane", "side and head", "front and head"],
)
def test_axes_that_are_turned_or_exchanged_are_doubted(change, words):
    [doubt] = doubts(change(trunk()))
    assert words in doubt


def test_left_and_right_look_alike():
    assert doubts(trunk()[::-1]) == []


def test_lungs_below_say_nothing_of_a_network_of_the_chest():
    assert doubts(trunk()[:, :, ::-1], is_abdomen=False) == []


@pytest.mark.parametrize(
    "hu",
    [
        trunk(spine=40)[:, ::-1],
        trunk()[:, ::-1, :7],
        trunk()[8:56, 8:56][:, ::-1],
        trunk()[20:51, ::-1],
        np.full((64, 64, 40), -1000.0),
    ],
    ids=["no bone", "few slices", "a crop inside the body", "a narrow one", "air"],
)
def test_what_shows_no_whole_body_is_not_judged(hu):
    assert doubts(hu) == []
