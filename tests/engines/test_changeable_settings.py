"""Tests of medseg.engines.changeable_settings: not what is learnt, only how and where."""

import pytest

from medseg.engines.changeable_settings import (
    ABSENT,
    HANDLERS,
    HANDLERS_WITHOUT_EFFECT,
    LAUNCH,
    MAY_CHANGE,
    is_launch,
    list_changeable_choices,
    may_change,
    walk_handlers,
)


@pytest.mark.parametrize(
    ("place", "before", "after"),
    [
        ("optimizer#lr", 0.1, 0.2),
        ("optimizer#lr", ABSENT, 0.2),
        ("loss#weights", "@head_weights", "decaying"),
        ("train#dataloader#batch_size", 4, 2),
        ("validate#dataloader#sampler", "a", "b"),
        ("train#handlers#EarlyStop#patience", 1, 2),
    ],
)
def test_a_setting_that_changes_what_is_learnt_may_not_change(place, before, after):
    assert not may_change(place, before, after)


@pytest.mark.parametrize(
    ("place", "before", "after"),
    [
        ("train#dataloader#num_workers", 2, 8),
        ("network#checkpointing", False, True),
        ("train#trainer#max_epochs", 5, 9),
        ("train#handlers#Resume#resume", False, True),
        ("validate#dataloader#sampler#shuffle", ABSENT, False),
        ("validate#dataloader#sampler#shuffle", False, ABSENT),
    ],
)
def test_how_long_a_run_takes_and_by_what_machine_may_change(place, before, after):
    assert may_change(place, before, after)


def test_a_rate_that_falls_fixes_the_length_of_a_run_and_nothing_else():
    for constant in ({}, {"lr_schedule": "constant", "warmup_epochs": 5}):
        assert list_changeable_choices(constant) == MAY_CHANGE
    falling = list_changeable_choices({"lr_schedule": "cosine"})
    assert {*MAY_CHANGE} - {*falling} == {"max_epochs", "hours"}


@pytest.mark.parametrize("key", MAY_CHANGE)
def test_a_setting_that_refers_to_a_free_choice_may_change(key):
    assert may_change("a#b", f"@{key}", 1)
    assert may_change("a#b", 1, f"@{key}")
    assert not may_change("a#b", f"$@{key} * 1", 1)


@pytest.mark.parametrize("key", [*LAUNCH, "_generated_", "_meta_"])
def test_a_key_that_starts_a_run_says_nothing_of_it(key):
    assert is_launch(key)


@pytest.mark.parametrize("key", ["train", "validate", "optimizer", "initialize_all", *HANDLERS])
def test_other_keys_are_of_the_run_itself(key):
    assert not is_launch(key)


def test_handlers_are_named_by_their_class_and_number_wherever_they_stand():
    scheduler, stop = {"_target_": "a.Schedule"}, {"_target_": "Stop"}
    watching = [{"_target_": f"somewhere.{name}"} for name in HANDLERS_WITHOUT_EFFECT]
    assert list(
        walk_handlers([scheduler, *watching, stop, {"_target_": "b.Schedule", "x": 1}])
    ) == [
        ("Schedule", scheduler),
        ("Stop", stop),
        ("Schedule 2", {"_target_": "b.Schedule", "x": 1}),
    ]


@pytest.mark.parametrize(("disabled", "count"), [(True, 0), (False, 1), ("@flag", 1)])
def test_a_handler_that_is_turned_off_is_left_out(disabled, count):
    assert len(list(walk_handlers([{"_target_": "Stop", "_disabled_": disabled}]))) == count


def test_a_handler_may_be_a_reference_to_another_key():
    assert list(walk_handlers(["@my_handler", "%train#mine"])) == [
        ("@my_handler", "@my_handler"),
        ("%train#mine", "%train#mine"),
    ]
