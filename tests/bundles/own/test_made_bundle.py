"""Tests of medseg.bundles.own.made_bundle: what is in effect, and what it takes, in words."""

import json

import pytest
from planning.test_plan_folder import data as data  # a fixture

from medseg.bundles.own.made_bundle import MadeBundle, format_hours
from medseg.bundles.own.make_bundle import make_bundle
from medseg.bundles.own.measure_steps import StepCost
from medseg.bundles.own.write_bundle import change_task
from medseg.planning.plan_folder import plan_folder


def read_task(folder):
    return json.loads((folder / "task.json").read_text())


def test_a_new_plan_shows_what_is_in_effect_and_what_was_changed_by_hand(data, tmp_path):
    folder = tmp_path / "kidney"
    planned = plan_folder("kidney", data)
    make_bundle(folder, planned, measure=False)
    task = {**read_task(folder), "batch_size": 7, "num_workers": 2, "seed": 3}
    del task["head_weights"]
    change_task(folder, task)
    made = make_bundle(folder, planned, replan=True, measure=False)
    shown = {choice.key: (choice.value, choice.why) for choice in made.choices}
    value, why = shown["batch_size"]
    assert value == 7
    assert why.startswith("changed by hand; the plan has 1: 1 volume a step, since in a short")
    assert shown["num_workers"] == (2, "changed by hand; it was 1")
    assert shown["seed"] == (3, "added since")
    assert shown["head_weights"][1].startswith("taken out by hand; the plan has decaying: ")
    for value, why in shown.values():
        assert f"<td>{value}</td>\n<td>{why}</td>".replace("'", "&#39;") in made.page.read_text()


def test_without_a_step_that_was_tried_nothing_is_said_of_time(data, tmp_path):
    planned = plan_folder("kidney", data)
    made = MadeBundle(tmp_path, planned, None, planned.task, {})
    assert made.describe_cost() == []
    assert made.estimate_hours() == 0


def test_time_is_that_of_all_steps(data, tmp_path):
    planned = plan_folder("kidney", data)
    task = {**planned.task, "batch_size": 2, "max_epochs": 9}
    made = MadeBundle(tmp_path, planned, StepCost(seconds=100.0, peak_bytes=2**30), task, {})
    assert made.estimate_hours() == pytest.approx(9 * 2 * 100 / 3600)  # 4 cases, two a step
    assert made.describe_cost()[1].startswith("9 epochs of 2 steps take about 30 minutes")


def test_the_steps_are_those_of_the_folds_in_effect(data, tmp_path):
    planned = plan_folder("kidney", data)
    cost = StepCost(seconds=100.0, peak_bytes=2**30)

    def describe(folds):
        task = {**planned.task, "batch_size": 1, "max_epochs": 9, "folds": folds}
        return MadeBundle(tmp_path, planned, cost, task, {}).describe_cost()[1]

    assert describe(2).startswith("9 epochs of 2 steps")  # of 6 cases, before any list
    planned.write_datalist()
    assert describe(5).startswith("9 epochs of 4 steps")  # of 5 cases
    assert describe(2).startswith("9 epochs of 2 steps")


@pytest.mark.parametrize(
    ("hours", "said"), [(0.001, "1 minute"), (0.5, "30 minutes"), (1.0, "1.0 hours")]
)
def test_a_time_is_in_minutes_below_an_hour(hours, said):
    assert format_hours(hours) == said
