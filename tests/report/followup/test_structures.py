"""Tests of medseg.report.followup.structures: labels by name, by code, and of one table."""

from __future__ import annotations

import pytest

from medseg.labels import make_table
from medseg.report.followup.structures import check_same_table, choose_lesions, find_organs

LIVER = make_table({"liver": [1, 2], "tumour": [2]})


def test_without_a_name_the_labels_that_stand_for_lesions_are_taken():
    assert [label.name for label in choose_lesions(LIVER)] == ["tumour"]
    with pytest.raises(ValueError, match="no label stands for lesions, among 'spleen', 'thing'"):
        choose_lesions(make_table(["spleen", "thing"]))


@pytest.mark.parametrize("name", ["tumour", "tumor", "Tumor"])
def test_a_label_is_found_by_its_name(name):
    assert [label.name for label in choose_lesions(LIVER, [name])] == ["tumour"]


def test_any_label_can_be_named_once_or_twice():
    table = make_table(["cyst", "lung_nodule"])
    assert [one.index for one in choose_lesions(table, ["Lung nodule", "cyst", "cyst"])] == [1, 2]


@pytest.mark.parametrize("name", ["liver", "liver outside tumour"])
def test_a_label_that_encloses_others_is_found_by_the_name_of_the_whole(name):
    assert [label.index for label in choose_lesions(LIVER, [name])] == [1]


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"no label is named 'tumur', .*: did you mean 'tumour'"):
        choose_lesions(LIVER, ["tumur"])


def test_the_organ_is_the_smallest_label_around():
    assert find_organs(LIVER)["tumour"] == "Liver"
    nested = make_table({"body": [1, 2, 3], "thing": [2, 3], "tumour": [3]})
    assert find_organs(nested)["tumour"] == "thing"
    assert find_organs(make_table(["tumour"])) == {"tumour": "tumour"}


def test_two_tables_have_to_mean_the_same_and_colours_may_differ():
    other = make_table({"liver": [1, 2], "tumour": [2]}, colours=[(1, 2, 3)])
    check_same_table(LIVER, other)
    with pytest.raises(ValueError, match=r"got .* before and liver, tumour after: segment both"):
        check_same_table(LIVER, make_table(["liver", "tumour"]))
