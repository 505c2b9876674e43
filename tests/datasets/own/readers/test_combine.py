"""Tests of medseg.datasets.own.readers.combine, on cases worked by hand."""

import numpy as np
import pytest

from medseg.datasets.own.readers.combine import combine, estimate_staple

KIDNEY = {"kidney": [1]}


def line(text):
    return np.array([[int(digit) for digit in text]], np.uint8)


def joined(*readers, classes=KIDNEY, **options):
    (found,) = combine([line(reader) for reader in readers], classes, **options)
    return "".join(map(str, found))


def run_em(masks, steps=200):
    """The equations of Warfield et al. 2004: the truth's probabilities, then p and q, in turn."""
    drawn = np.array(masks, float)
    p = q = np.full((len(drawn), 1), 0.99999)
    prior = drawn.mean()
    for _ in range(steps):
        yes = prior * np.prod(np.where(drawn, p, 1 - p), axis=0)
        no = (1 - prior) * np.prod(np.where(drawn, 1 - q, q), axis=0)
        truth = yes / (yes + no)
        p = (drawn * truth).sum(1, keepdims=True) / truth.sum()
        q = ((1 - drawn) * (1 - truth)).sum(1, keepdims=True) / (1 - truth).sum()
    return truth


@pytest.mark.parametrize(
    ("readers", "expected"),
    [
        (("0110", "0010", "0011"), "0010"),  # 2 of 3
        (("0110", "0011"), "0111"),  # 1 of 2 is half
        (("0111", "0011", "0001", "0000"), "0011"),  # 2 of 4
        (("0110",), "0110"),
        (("0110", "0000", "0000"), "0000"),  # readers who marked nothing count
        (("0000", "0000"), "0000"),
    ],
)
def test_half_of_the_readers_suffice(readers, expected):
    assert joined(*readers) == expected


def test_of_classes_that_exclude_each_other_the_larger_share_wins_and_then_the_last():
    classes = {"a": [1], "b": [2]}
    assert joined("1122", "1221", classes=classes) == "1222"  # 1 of 2 each: the last one
    assert joined("1", "1", "2", classes=classes) == "1"
    assert joined("1", "2", "0", "0", classes=classes) == "0"  # neither has half


def test_readers_who_disagree_on_an_inner_region_agree_on_the_outer_one():
    classes = {"liver": [1, 2], "tumour": [2]}
    assert joined("1", "2", "2", "0", classes=classes) == "2"
    assert joined("1", "2", "0", classes=classes) == "1"  # 2 of 3 liver, 1 of 3 tumour


def test_a_class_of_several_values_has_the_one_that_most_gave():
    classes = {"kidney": [1, 2]}
    assert joined("12", "12", "22", classes=classes) == "12"
    assert joined("1", "2", "0", "0", classes=classes) == "2"


def test_a_voxel_that_half_ignore_is_ignored():
    assert joined("19", "91", "91", ignored=[9]) == "91"


def test_staple_follows_the_two_who_agree():
    assert joined("01100", "01100", "00010", method="staple") == "01100"


def test_staple_is_no_vote():
    """Of two readers who never meet, it believes the one who marked more; a vote at half both."""
    assert joined("01100", "00010") == "01110"
    assert joined("01100", "00010", method="staple") == "01100"


def test_staple_of_one_reader_and_of_none_that_marked_is_theirs():
    assert joined("0110", method="staple") == "0110"
    assert joined("0000", "0000", method="staple") == "0000"
    assert joined("1111", "1111", method="staple") == "1111"


def test_two_of_three_who_marked_nothing_outweigh_the_third_under_staple():
    assert joined("01100", "00000", "00000", method="staple") == "00000"


def test_staple_gives_the_probabilities_of_its_equations():
    drawn = [line("01100"), line("00110")]
    found = estimate_staple([mask > 0 for mask in drawn])
    assert found[0] == pytest.approx(run_em([mask[0] for mask in drawn]), abs=1e-5)
    assert found[0, 1:3].tolist() == pytest.approx([0.458, 0.832], abs=1e-3)  # none is sure


def test_staple_does_not_depend_on_the_background_far_away():
    drawn = [line("0110"), line("0011"), line("0010")]
    near, far = (estimate_staple([np.pad(m > 0, width) for m in drawn]) for width in (1, 50))
    assert np.array_equal(far[49:-49, 49:-49], near)
    assert not far[:49].any()


def test_volumes_keep_their_shape():
    mask = np.zeros((4, 5, 6), np.uint8)
    mask[1:3, 2:4, 3] = 1
    assert np.array_equal(combine([mask, mask, 0 * mask], KIDNEY), mask)
    assert np.array_equal(combine([mask, mask, 0 * mask], KIDNEY, method="staple"), mask)
