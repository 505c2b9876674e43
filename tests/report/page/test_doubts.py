"""Tests of medseg.report.page.doubts: a reader is told what the numbers do not show."""

from __future__ import annotations

import pytest

from medseg.report.page.doubts import LOW_CONFIDENCE, list_doubts


def make(value=1, *, lesion=0, confidence=None, is_at_edge=False):
    return {
        "value": value, "lesion": lesion, "confidence": confidence, "is_at_edge": is_at_edge,
    }  # fmt: skip


@pytest.mark.parametrize("confidence", [None, LOW_CONFIDENCE, 1.0])
def test_a_structure_that_the_network_is_sure_of_or_silent_about_is_no_doubt(confidence):
    assert list(list_doubts([make(confidence=confidence)], ["liver"])) == []


def test_a_low_expected_dice_is_one_for_each_structure():
    found = list(
        list_doubts([make(1, confidence=0.79), make(2, confidence=0.1)], ["liver", "cyst"])
    )
    assert [text.split(":")[0] for text in found] == ["liver", "cyst"]
    assert "0.79" in found[0]


def test_structures_that_are_cut_off_are_named_together_and_lesions_are_not():
    cut = [make(1, is_at_edge=True), make(2, is_at_edge=True), make(2, lesion=1, is_at_edge=True)]
    (found,) = list_doubts(cut, ["liver", "tumour"])
    assert found.startswith("liver, tumour reach the edge of the image: they may")
    assert found.endswith("lower bounds")
