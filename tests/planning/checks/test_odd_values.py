"""Tests of medseg.planning.checks.odd_values: labels that are images, or numbered otherwise."""

import numpy as np
import pytest

from medseg.planning.case_facts import CaseFacts, ChannelFacts
from medseg.planning.checks.odd_values import find_odd_values, join_values


def make(case, *values, levels=200):
    counts = {0: 50, **dict.fromkeys(values, 2)}
    return CaseFacts(case, (8, 8), (1.0, 1.0), 1, counts, (ChannelFacts(levels=levels),))


def find(*labels, known=(), usual=(1, 2)):
    """What is said of further labels beside five usual ones."""
    facts = [make(f"u{number}", *usual) for number in range(5)]
    facts += [make(f"c{number}", *values) for number, values in enumerate(labels)]
    return find_odd_values(facts, known)


def test_a_label_that_is_an_image_is_named_and_what_to_do_with_it():
    facts = [make(f"u{number}", 1, 2) for number in range(5)]
    (said,) = find_odd_values([*facts, make("x", *range(3, 127), levels=3)])
    assert said == (
        "case x: its label holds 124 values beside 0 (3, 4, 5, 6, 7 and 119 more), and most labels "
        "1, 2; its label looks like an image and its image like a label: exchange them"
    )
    (said,) = find_odd_values([*facts, make("x", *range(3, 127))])
    assert said.endswith("looks like an image, or a mask with blurred edges: correct it")


def test_of_two_exchanged_cases_both_are_named():
    assert [one[:8] for one in find(range(1, 100), range(1, 90, 2))] == ["case c0:", "case c1:"]


@pytest.mark.parametrize("values", [(0, 127, 128), (64, 128, 191, 255), (128,)])
def test_grey_levels_that_one_label_alone_has_are_odd(values):
    (said,) = find(values, usual=(1,))
    assert said.endswith("correct it, or name these values with --classes if they are right")
    assert find(values, usual=(1,), known=values) == []


@pytest.mark.parametrize("values", [(1, 2, 3), (3,), (1, 7), (1, 2, 3, 4, 5), ()])
def test_another_structure_in_one_case_is_not_odd(values):
    assert find(values) == []


def test_labels_of_background_alone_are_not_compared_with():
    facts = [*[make(f"e{number}") for number in range(5)], make("a", 255), make("b", 255)]
    assert find_odd_values(facts) == []
    assert find_odd_values([*facts, make("c", 128)])[0].startswith(
        "case c: its label holds 1 value"
    )


def test_structures_of_which_each_case_has_some_are_not_odd():
    random = np.random.default_rng(0)
    facts = [make(f"c{n}", *random.choice(range(1, 60), 12, replace=False)) for n in range(9)]
    assert find_odd_values(facts) == []


def test_images_and_labels_exchanged_in_all_cases_are_one_fault():
    facts = [make(f"c{number}", *range(1, 99), levels=3) for number in range(5)]
    (said,) = find_odd_values(facts)
    assert said.startswith("the labels of most cases hold more values than their images: exchange")


def test_masks_of_255_count_as_those_of_1():
    of_it = {
        "places": {255: np.ones((2, 2), np.float32)},
        "parts": {1: (2,), 255: (3, 1)},
    }
    facts = [make("a", 1), CaseFacts("b", (8, 8), (1, 1), 1, {0: 3, 1: 2, 255: 4}, **of_it)]
    a, b = join_values(facts, {"cell": [1, 255]})
    assert (a.counts, b.counts) == ({0: 50, 1: 2}, {0: 3, 1: 6})
    assert list(b.places) == [1]
    assert b.parts == {1: (3, 2, 1)}
    assert join_values(facts, {"cell": [1], "other": [255]}) == facts
