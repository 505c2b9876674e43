"""Tests of medseg.base.text."""

import pytest

from medseg.base.text import counted


@pytest.mark.parametrize(("number", "text"), [(0, "0 cases"), (1, "1 case"), (2, "2 cases")])
def test_only_one_is_singular(number, text):
    assert counted(number, "case") == text


def test_a_plural_of_its_own_is_taken():
    assert counted(3, "study", plural="studies") == "3 studies"
    assert counted(1, "study", plural="studies") == "1 study"
