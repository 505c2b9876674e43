"""Tests of medseg.base.choices.safeguards: no message talks anyone into switching a check off."""

import re
from pathlib import Path

import pytest

from medseg.base.choices.safeguards import SAFEGUARDS, find_near_key

REPOSITORY = Path(__file__).parents[3]


def test_every_safeguard_of_the_page_for_assistants_is_guarded():
    page = (REPOSITORY / "AGENTS.md").read_text(encoding="utf-8")
    rows = page.partition("These switch a safeguard off")[2].partition("\n## ")[0]
    named = set(re.findall(r"`--([\w-]+)", rows))
    assert named == {name.removeprefix("--") for name in SAFEGUARDS}


@pytest.mark.parametrize("name", SAFEGUARDS)
def test_a_safeguard_is_named_for_one_wrong_letter_and_for_no_more(name):
    assert find_near_key(name[:-1], [name]) == name
    assert find_near_key(name[:-2], [name]) is None


def test_other_keys_and_options_are_named_by_the_letters_in_common():
    known = ["surface_tolerance", "--tolerance", "force"]
    assert find_near_key("toleranc", known) == "--tolerance"
    assert find_near_key("surface_tol", known) == "surface_tolerance"
    assert find_near_key("tolernce", ["force"]) is None
