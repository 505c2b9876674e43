"""Tests of medseg.plausibility.body_parts: which parts cannot be meant of one scan."""

import json

import pytest

from medseg.plausibility import are_far_apart

LIVER = ["ABDOMEN", "ABDOMENPELVIS", "CHESTABDOMEN", "CHESTABDPELVIS", "LIVER"]


@pytest.mark.parametrize("part", ["HEAD", "brain", "FOOT", "KNEE", "HAND", "EXTREMITY"])
def test_a_head_and_limbs_are_far_from_the_liver(part):
    assert are_far_apart(part, LIVER)


@pytest.mark.parametrize("part", ["CHEST", "PELVIS", "LSPINE", "PROSTATE", "HEART", "HEADNECK"])
def test_neighbours_are_near(part):
    assert not are_far_apart(part, LIVER)


@pytest.mark.parametrize(("part", "far"), [("NECK", False), ("CSPINE", False), ("CHEST", True)])
def test_what_is_near_a_brain(part, far):
    assert are_far_apart(part, ["BRAIN"]) is far


@pytest.mark.parametrize("part", ["", "WHOLEBODY", "LEBER", "ROUTINE", "SPINE"])
def test_a_term_that_is_not_known_is_far_from_nothing(part):
    assert not are_far_apart(part, ["BRAIN"])
    assert not are_far_apart("FOOT", [part])


@pytest.mark.parametrize(
    "name", ["liver", "liver_3d", "liver_slices", "lung_nodule", "hippocampus"]
)
def test_the_parts_of_a_bundle_are_near_each_other(name, repository):
    parts = json.loads((repository / "bundles" / name / "inference.json").read_text())["body_part"]
    assert not any(are_far_apart(part, parts) for part in parts)
    assert are_far_apart("FOOT", parts)
