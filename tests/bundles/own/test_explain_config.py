"""Tests of medseg.bundles.own.explain_config: what a plan leaves to the layers."""

import json
from dataclasses import replace

import pytest
from planning.test_plan import CT, FOUND, MR, PICTURES

from medseg.bundles.overrides import read_config
from medseg.bundles.own.explain_config import explain_config
from medseg.bundles.own.measure_steps import _run_steps
from medseg.bundles.own.write_bundle import change_task, write_bundle
from medseg.planning.plan import make_plan
from medseg.planning.task import make_task

FIRST = replace(MR, name="t1")
CASES = {
    "mr": FOUND,
    "ct": replace(FOUND, channels=(CT,), spacing_varies=True),
    "channels": replace(FOUND, channels=(FIRST, replace(MR, name="t2"))),
    "pictures": PICTURES,
    "colours": replace(PICTURES, colours=3),
}


def explain(folder, found, *, in_slices=False, **changes):
    plan = make_plan(found, in_slices=in_slices)
    task = make_task("kidney", plan, classes={"a": [1]}, values=(0, 1), dataset_dir="data/kidney")
    task |= changes
    if (folder / "kidney").exists():
        change_task(folder / "kidney", task)
    else:
        write_bundle(folder / "kidney", task)
    config = read_config(folder / "kidney" / "configs" / "train.json")
    explained = explain_config(config, found, layers=task["_layers_"])
    return {choice.key: choice for choice in explained}


def read_stated_keys(choice):
    """The keys that a choice says to write into the task file."""
    stated = [part for part in choice.change.split("`")[1::2] if part.startswith('"')]
    return json.loads("{" + ", ".join(stated) + "}")


@pytest.mark.parametrize("kind", CASES)
def test_what_every_plan_leaves_to_the_layers_has_a_value_and_a_rule(tmp_path, kind):
    found = explain(tmp_path, CASES[kind])
    assert {*found} >= {"spatial_dims", "orient", "head_loss", "optimizer", "crop"}
    assert found["head_loss"].value == "HybridLoss"
    assert found["optimizer"].value == "Adam"
    assert found["crop"].value == "50 % of the patches around a label"
    assert found["orient"].value == ("as stored" if kind in ("pictures", "colours") else "RAS")
    assert ("spacing_mm" in found) == (kind in ("mr", "channels"))
    assert all(choice.why and choice.change for choice in found.values())


CHANGED = {
    "orient": "LPS",
    "head_loss": "DiceLoss",
    "optimizer": "AdamW",
    "crop": "75 % of the patches around a label",
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_said_to_change_a_choice_of_the_layers_changes_it(tmp_path, kind):
    before = explain(tmp_path, CASES[kind])
    for key, value in CHANGED.items():
        stated = read_stated_keys(before[key])
        assert bool(stated) == (before[key].value != "as stored")
        if stated:
            assert explain(tmp_path, CASES[kind], **stated)[key].value == value
    stated = read_stated_keys(before["intensity_augmentation"])
    assert explain(tmp_path, CASES[kind], **stated)["intensity_augmentation"].why != (
        before["intensity_augmentation"].why
    )
    if "spacing_mm" in before:
        stated = read_stated_keys(before["spacing_mm"])
        assert "spacing_mm" not in explain(tmp_path, CASES[kind], **stated)
        config = read_config(tmp_path / "kidney" / "configs" / "train.json")
        assert config["spacing_mm"] == [2 * step for step in CASES[kind].spacing_mm]
        assert "@space_image" in config["load"]["transforms"]


@pytest.mark.long
@pytest.mark.parametrize(
    "task",
    [{"classes": {"a": [1], "b": [2]}}, {"classes": {"a": [1, 2], "b": [2]}, "ignore": [3]}],
)
def test_a_network_is_trained_with_the_loss_and_the_optimizer_that_are_said(tmp_path, task):
    small = {
        "image_size": [16, 16, 16],
        "channels": [4, 8, 8],
        "strides": 2,
        "kernel_size": 3,
    }
    task |= {"label_values": [0, 1, 2, 3], **small}
    before = explain(tmp_path, FOUND, **task)
    for key in ("head_loss", "optimizer"):
        explain(tmp_path, FOUND, **task, **read_stated_keys(before[key]))
        seconds, _ = _run_steps(tmp_path / "kidney")
        assert seconds > 0


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("mr", "intensity_scale 0.2, intensity_shift 0.2, noise_std 0.05"),
        ("channels", "intensity_scale 0.2, intensity_shift 0.2, noise_std 0.05"),
        ("ct", "contrast_gamma [0.8, 1.25], noise_std 0.02"),
        ("pictures", "contrast_gamma [0.7, 1.4], noise_std 0.03"),
        ("colours", "contrast_gamma [0.8, 1.25], brightness_shift 0.1, noise_std 0.02"),
    ],
)
def test_the_changes_of_grey_values_are_those_of_the_layers(tmp_path, kind, said):
    assert explain(tmp_path, CASES[kind])["intensity_augmentation"].value == said


def test_amounts_that_are_written_into_a_transform_are_named_by_its_argument(tmp_path):
    shift = {"_target_": "RandShiftIntensityd", "keys": "image", "offsets": 0.3}
    steps = {"_target_": "Compose", "transforms": ["@add_noise", shift]}
    found = explain(tmp_path, FOUND, intensity_augmentation=steps)
    assert found["intensity_augmentation"].value == "noise_std 0.05, offsets 0.3"


def test_a_network_in_2d_for_volumes_was_asked_for(tmp_path):
    dims = explain(tmp_path, replace(FOUND, labelled_slices=(9.0, 9.0, 9.0)), in_slices=True)
    assert dims["spatial_dims"].value == 2
    assert "--dims" in dims["spatial_dims"].why


def test_another_optimizer_is_named(tmp_path):
    other = {"_target_": "torch.optim.SGD", "params": "$@network.parameters()", "lr": 0.1}
    changed = explain(tmp_path, FOUND, optimizer={**other, "lr": "@learning_rate"})
    assert changed["optimizer"].value == "SGD"
    assert changed["optimizer"].why == "named in task.json or by a layer"
