"""Tests of medseg.planning.checks.label_values."""

import pytest

from medseg.planning.case_facts import CaseFacts
from medseg.planning.checks.label_values import check_classes, find_undeclared, warn_of_rare


def make(case, *values):
    return CaseFacts(case, (4, 4), (1.0, 1.0), 1, dict.fromkeys(values, 4))


def test_a_value_that_is_not_declared_is_a_fault_of_its_case():
    facts = [make("a", 0, 1), make("b", 0, 1, 7)]
    assert find_undeclared(facts, {0, 1}) == [
        "case b: its label holds 7, and dataset.json declares 0, 1: correct one of them, or pass "
        "--classes"
    ]
    assert find_undeclared(facts, ()) == []


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"a": [1], "b": [9]}, r"class b has the label value 9, which no label holds .*0, 1, 2, 3"),
        ({"a": [0, 1]}, "class a has the label value 0, which is the background"),
        ({"a": [1, 3]}, "class a has the label value 3, which dataset.json ignores"),
    ],
)
def test_classes_of_values_that_cannot_be_learnt_are_refused(classes, message):
    with pytest.raises(ValueError, match=message):
        check_classes(classes, [0, 1, 2, 3], ignored=[3])


def test_values_in_no_class_are_said_to_be_background(caplog):
    check_classes({"a": [1, 2]}, [0, 1, 2, 3], ignored=[3])
    assert not caplog.text
    check_classes({"a": [1]}, [0, 1, 2, 3], ignored=[3])
    assert "label values in no class: 2; they are learnt as background" in caplog.text


def test_labels_below_a_voxel_are_told_of_the_cases_that_have_them(caplog):
    facts = [make(name, 0, 1) for name in "abc"]
    warn_of_rare(facts, (1.0, 1.0), folds=3)
    assert not caplog.text
    facts = [CaseFacts(name, (4, 4, 4), (1.0,) * 3, 1, {0: 56, 1: 8}) for name in "abc"]
    facts[1] = CaseFacts("b", (4, 4, 4), (0.2,) * 3, 1, {0: 56, 1: 8})
    warn_of_rare(facts, (1.0, 1.0, 1.0), folds=3)
    said = "label 1 is no larger than a voxel of the plan (1 mm) in 1 of 3 cases (b; at least 0.4 "
    assert said in caplog.text


def test_a_label_of_a_single_pixel_has_a_remedy_for_pictures(caplog):
    facts = [make(name, 0, 1) for name in "ab"] + [CaseFacts("c", (4, 4), (1, 1), 1, {0: 15, 1: 1})]
    warn_of_rare(facts, (1.0, 1.0), folds=3)
    assert "label 1 is a single pixel in 1 of 3 cases (c)" in caplog.text
    assert "correct these, or pass --classes without it" in caplog.text
    assert "spacing" not in caplog.text


def test_labels_of_background_alone_are_named(caplog):
    warn_of_rare([make("a", 0), make("b", 0, 1), make("c", 0, 1)], (1.0, 1.0), folds=2)
    assert "labels that hold background alone: a (1 of 3 cases); correct them" in caplog.text


def test_labels_that_a_rule_left_empty_are_named_with_the_table_that_says_so(caplog):
    facts = [make("a", 0), make("b", 0), make("c", 0, 1)]
    warn_of_rare(facts, (1.0, 1.0), folds=2, unmatched={"b"})
    assert "since nothing in them matched --labels, as the table" in caplog.text
    assert "says: b (1 of 3 cases); correct --labels" in caplog.text
    assert "labels that hold background alone: a (1 of 3 cases)" in caplog.text
