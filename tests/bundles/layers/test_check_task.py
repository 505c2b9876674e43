"""Tests of medseg.bundles.layers.check_task."""

import pytest
from planning.test_plan import FOUND

from medseg.bundles.catalogue.locate import find_shipped_folder
from medseg.bundles.layers.check_task import LAYERS_OF_KEYS, find_task_faults
from medseg.bundles.own.write_bundle import write_bundle
from medseg.planning.plan import make_plan
from medseg.planning.task import make_task

LAYERS = {
    "run": "$f(@trainer, @image_size)",
    "trainer": {"rate": "@learning_rate", "epochs": "@max_epochs", "loss": "@loss"},
    "loss": {"_target_": "a.Loss", "weight": 1.0},
    "image_size": [8, 8],
    "steps": 3,
}
TASK = {"_layers_": ["a"], "learning_rate": 0.1, "max_epochs": 5}


def find(change, *, without=(), below=LAYERS):
    """The faults of a task in a workflow whose config holds all keys but `unused` ones."""
    task = {key: value for key, value in {**TASK, **change}.items() if key not in without}
    own = {key: value for key, value in task.items() if key[0] != "_"}
    merged = {**below, **own}
    used = {"run", "trainer", "loss", "image_size", "learning_rate", "max_epochs", "own_rate"}
    built = {key: value for key, value in merged.items() if key in used}
    return list(find_task_faults(task, {"train": dict(below)}, {"train": built}))


def test_a_right_task_has_no_fault():
    assert find({}) == []


def test_a_misspelt_key_is_named_with_the_one_that_was_meant():
    said = "learning_rates is used by no config of this task: did you mean learning_rate?"
    assert find({"learning_rates": 0.1}) == [said]


def test_a_renamed_key_is_one_fault_and_not_two():
    said = "max_epoch is used by no config of this task: did you mean max_epochs?"
    assert find({"max_epoch": 5}, without=["max_epochs"]) == [said]


def test_a_key_that_others_need_is_missed():
    assert find({}, without=["max_epochs"]) == [
        "max_epochs is missing, and train needs it: put it back"
    ]


def test_a_key_of_its_own_is_right_where_a_used_key_refers_to_it():
    assert find({"own_rate": 0.2, "learning_rate": "@own_rate"}) == []


@pytest.mark.parametrize("key", ["flip_axes", "qqq"])
def test_a_key_that_nothing_uses_is_named_without_a_wrong_suggestion(key):
    [said] = find({key: [0]})
    assert said == (
        f"{key} is used by no config of this task: take it out, or correct its spelling"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"max_epochs": "ten"}, "max_epochs is 'ten': it must be a whole number of at least 1"),
        ({"image_size": 8}, "image_size is 8: it must be a list of whole numbers"),
        ({"loss": "nonsense"}, "loss must be a component, got 'nonsense': write a dictionary"),
        ({"loss": None}, "loss must be a component, got None"),
        ({"loss#weight": "x"}, "loss#weight must be a number, got 'x'"),
        ({"_only_": {"train": {"loss": 3}}}, "loss must be a component, got 3"),
    ],
)
def test_a_wrong_value_is_refused_by_the_rule_of_its_key(change, said):
    faults = find(change)
    assert len(faults) == 1
    assert faults[0].startswith(said)


def test_another_component_and_an_expression_are_right_values_of_a_component():
    assert find({"loss": {"_target_": "b.Loss"}}) == []
    assert find({"loss": "$b.Loss()"}) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer": "SGD"}, "optimizer must be a component, got 'SGD'"),
        ({"crop": 0.7}, "crop must be a component, got 0.7"),
        ({"crop": "half", "cropp": 1}, "cropp is used by no config of this task: did you mean"),
        ({"loss": "Dice"}, "loss is built round head_loss, write that key instead: "),
        ({"spacing_mm": [2, 2, 2]}, 'add the layer "resample" to _layers_, or take the key out'),
    ],
)
def test_a_task_of_ones_own_is_told_the_real_fault_alone(tmp_path, changes, said):
    plan = make_plan(FOUND)
    task = make_task("kidney", plan, classes={"a": [1]}, values=(0, 1), dataset_dir="data/kidney")
    with pytest.raises(ValueError, match="kidney") as raised:
        write_bundle(tmp_path / "kidney", {**task, **changes})
    faults = str(raised.value).partition("task.json: ")[2].split("; ")
    assert said in faults[0]
    assert len(faults) == len(changes)
    assert "GuidedLoss" not in str(raised.value)


@pytest.mark.parametrize(("key", "layer"), LAYERS_OF_KEYS.items())
def test_the_layer_that_is_offered_uses_the_key(key, layer):
    text = (find_shipped_folder() / "layers" / f"{layer}.json").read_text()
    assert f"@{key}" in text
