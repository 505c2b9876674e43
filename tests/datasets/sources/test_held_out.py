"""Tests of medseg.datasets.sources.held_out: what was for testing stays so."""

import pytest

from medseg.datasets.sources.held_out import keep_test_patients, warn_of_trained_tests

ITEMS = [{"case": f"c{n}", "patient": f"p{n}", "digest": f"d{n}"} for n in range(20)]
FORMER = {"seed": 0, "testing": ITEMS[:2], "training": ITEMS[2:10]}


def keep(items, former=FORMER, **options):
    return keep_test_patients(items, former, **{"share": 0.2, "seed": 0, **options})


def test_the_same_cases_have_the_same_test_patients():
    assert keep(ITEMS[:10]) == {"p0", "p1"}


def test_a_share_of_the_new_patients_is_added_and_no_old_one():
    found = keep(ITEMS)
    assert {"p0", "p1"} < found
    assert len(found) == 4
    assert not found & {f"p{n}" for n in range(2, 10)}


def test_few_new_patients_are_trained_on():
    assert keep(ITEMS[:11]) == keep(ITEMS[:12]) == {"p0", "p1"}


def test_cases_that_are_gone_are_not_missed():
    assert keep(ITEMS[1:9]) == {"p1"}


def test_cases_are_known_by_their_images_whatever_they_are_called():
    renamed = [{**item, "case": f"x{n}", "patient": f"y{n}"} for n, item in enumerate(ITEMS[:10])]
    assert keep(renamed) == {"y0", "y1"}


def test_a_patient_with_a_case_for_testing_is_for_testing():
    assert keep([{**item, "patient": "p0"} for item in ITEMS[:3]] + ITEMS[3:10]) == {"p0"}


@pytest.mark.parametrize(
    ("items", "former"),
    [
        (ITEMS[2:10], FORMER),  # none is left
        (ITEMS[:2], FORMER),  # nothing else is left
        (ITEMS[:10], {**FORMER, "seed": 1}),
        (ITEMS[:10], {**FORMER, "testing": [{"case": "c0", "patient": "p0"}]}),
    ],
)
def test_else_all_are_chosen_anew(items, former):
    assert keep(items, former) is None


def test_cases_that_weights_may_have_seen_are_named(caplog):
    warn_of_trained_tests(ITEMS[:2], FORMER)
    assert not caplog.messages
    warn_of_trained_tests(ITEMS[1:3], FORMER)
    assert "for training in the list before: c2; weights trained before have" in caplog.text
