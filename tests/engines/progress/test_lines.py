"""Tests of medseg.engines.progress.lines: what a training says of itself."""

from dataclasses import replace

import pytest

from medseg.engines.progress.lines import Epoch, format_count, format_epoch, format_seconds

SECOND = Epoch(
    2,
    10,
    loss=-1.5,
    learning_rate=0.0003,
    seconds=42.4,
    left=8 * 42.4,
    key="dice",
    scores={"dice": 0.75, "iou": 0.625},
    class_scores={"liver": 0.9, "tumour": 0.6},
    best=0.8,
    best_epoch=1,
)


def test_an_epoch_names_loss_scores_per_class_rate_time_time_left_and_the_best():
    assert format_epoch(SECOND) == (
        "epoch 2/10: loss -1.5000, dice 0.7500 (liver 0.9000, tumour 0.6000), iou 0.6250, "
        "learning rate 0.0003, 42 s, 5.65 min left, best 0.8000 in epoch 1"
    )


def test_an_epoch_that_is_the_best_says_so():
    best = replace(SECOND, best=0.75, best_epoch=2)
    assert format_epoch(best).endswith("min left, the best so far")


def test_the_last_epoch_has_no_time_left():
    assert "left" not in format_epoch(replace(SECOND, number=10))


def test_an_epoch_without_validation_has_a_line_without_scores():
    first = replace(SECOND, scores={}, class_scores={}, best=None)
    assert ": loss -1.5000, learning rate" in format_epoch(first)
    assert "best" not in format_epoch(first)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3600, "1 h"),
        (47 * 3600, "47 h"),
        (72 * 3600, "3 d"),
    ],
)
def test_a_time_has_the_unit_that_suits_it(seconds, shown):
    assert format_seconds(seconds) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(999, "999"), (1000, "1 k"), (142_913, "143 k"), (36_600_000, "36.6 M")]
)
def test_a_large_number_has_three_digits(number, shown):
    assert format_count(number) == shown
