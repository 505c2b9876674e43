"""Tests of medseg.gateway.rules: a series is taken when it matches every line of one rule."""

from __future__ import annotations

import pytest

from medseg.gateway.pacs.listed_series import ListedSeries
from medseg.gateway.rules import is_wanted, list_modalities
from medseg.gateway.settings import Rule

SERIES = ListedSeries("1.2", "1.3", "CT", "ABDOMEN", "Abd. portal venous 5.0", "Site [A]")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule(("CT",)), True),
        (Rule(("MR", "ct")), True),
        (Rule(("MR",)), False),
        (Rule(("*",), body_part=("abd*",)), True),
        (Rule(("CT",), body_part=("LIVER",)), False),
        (Rule(("CT",), description=("*arterial*", "*VENOUS*")), True),
        (Rule(("CT",), description=("venous",)), False),
        (Rule(("CT",), institution=("Site ?A?",)), True),
        (Rule(("CT",), ("ABDOMEN",), ("*venous*",), ("Site B",)), False),
    ],
)
def test_every_line_of_a_rule_must_match(rule, expected):
    assert is_wanted(SERIES, [rule]) is expected


def test_one_rule_is_enough():
    assert is_wanted(SERIES, [Rule(("MR",)), Rule(("CT",))])
    assert not is_wanted(SERIES, [])


@pytest.mark.parametrize("modality", ["SEG", "sr", "RTSTRUCT", "PR"])
def test_results_are_never_taken_for_images(modality):
    assert not is_wanted(ListedSeries("1.2", "1.3", modality), [Rule(("*",))])


def test_a_header_that_says_nothing_matches_only_what_leaves_it_open():
    bare = ListedSeries("1.2", "1.3", "CT")
    assert is_wanted(bare, [Rule(("CT",))])
    assert not is_wanted(bare, [Rule(("CT",), body_part=("ABDOMEN",))])


def test_a_server_is_asked_for_the_modalities_that_are_named():
    assert list_modalities([Rule(("ct", "MR")), Rule(("CT",))]) == ["CT", "MR"]
    assert list_modalities([Rule(("CT",)), Rule(("M*",))]) is None
