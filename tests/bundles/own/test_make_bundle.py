"""Tests of medseg.bundles.own.make_bundle: a plan is fitted to time and memory."""

import json
from math import prod

import pytest
from planning.test_plan_folder import data as data  # a fixture

from medseg.bundles.own import make_bundle as module
from medseg.bundles.own.make_bundle import make_bundle, make_bundles
from medseg.bundles.own.measure_steps import StepCost
from medseg.bundles.own.write_bundle import change_task
from medseg.planning.plan_folder import plan_folder


@pytest.fixture
def measured(monkeypatch):
    """Steps that take a second, and 1 MiB for each thousand voxels of a patch."""
    sizes = []

    def measure(folder):
        task = json.loads((folder / "task.json").read_text())
        sizes.append(prod(task["image_size"]))
        return StepCost(1.0, sizes[-1] * 2**20 // 1000)

    monkeypatch.setattr(module, "measure_steps", measure)
    return sizes


def read_task(folder):
    return json.loads((folder / "task.json").read_text())


def test_the_bundle_has_its_plan_and_a_page(data, tmp_path, measured):
    made = make_bundle(tmp_path / "kidney", plan_folder("kidney", data))
    assert read_task(made.folder) == json.loads((made.folder / "planned.json").read_text())
    page = made.page.read_text()
    first, second = made.describe_cost()
    assert first.startswith("a step takes 1 s on this machine")
    assert first in page
    assert second in page


def test_patches_shrink_until_a_step_fits_into_memory(data, tmp_path, measured):
    made = make_bundle(tmp_path / "kidney", plan_folder("kidney", data), most_bytes=1_500_000)
    assert measured[0] > 1500 >= measured[-1]
    assert made.cost.peak_bytes <= 1_500_000
    assert prod(read_task(made.folder)["image_size"]) == measured[-1]
    config = json.loads((made.folder / "configs" / "train.json").read_text())
    assert config["image_size"] == made.planned.task["image_size"]


def test_memory_for_no_useful_patch_is_refused(data, tmp_path, measured):
    with pytest.raises(ValueError, match="smaller ones would be of no use: pass more --memory"):
        make_bundle(tmp_path / "kidney", plan_folder("kidney", data), most_bytes=1000)
    assert not (tmp_path / "kidney").exists()


def test_patches_shrink_also_where_a_step_is_ended_for_want_of_memory(data, tmp_path, monkeypatch):
    sizes = []

    def measure(folder):
        sizes.append(prod(read_task(folder)["image_size"]))
        if len(sizes) < 2:
            raise MemoryError("ended")
        return StepCost(1.0, 1)

    monkeypatch.setattr(module, "measure_steps", measure)
    make_bundle(tmp_path / "kidney", plan_folder("kidney", data), most_bytes=2**30)
    assert sizes[0] >= 2 * sizes[1]


def test_a_patch_that_was_changed_by_hand_is_not_made_smaller(data, tmp_path, measured):
    folder = tmp_path / "kidney"
    make_bundle(folder, plan_folder("kidney", data))
    change_task(folder, {**read_task(folder), "image_size": [32, 32, 32]})
    with pytest.raises(ValueError, match=r"image_size \[32, 32, 32\], which was changed by hand"):
        make_bundle(folder, plan_folder("kidney", data), replan=True, most_bytes=1_500_000)


def test_hours_that_end_within_the_first_epoch_are_told(data, tmp_path, measured, caplog):
    make_bundle(tmp_path / "kidney", plan_folder("kidney", data), hours=1e-5)
    assert "--hours 1e-05 ends before the first epoch does: its" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_bundle_whose_trial_fails_or_is_interrupted_is_not_left(
    data, tmp_path, monkeypatch, error
):
    def fail(folder):
        assert (folder / "task.json").is_file()
        raise error

    monkeypatch.setattr(module, "measure_steps", fail)
    with pytest.raises(error):
        make_bundle(tmp_path / "kidney", plan_folder("kidney", data))
    assert not (tmp_path / "kidney").exists()


def test_a_bundle_whose_new_plan_fails_is_as_it_was(data, tmp_path, measured):
    folder = tmp_path / "kidney"
    planned = plan_folder("kidney", data)
    make_bundle(folder, planned, measure=False)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    planned = plan_folder("kidney", data, preset="medium")
    with pytest.raises(ValueError, match="pass more --memory"):
        make_bundle(folder, planned, replan=True, most_bytes=1000)
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_time_sets_the_epochs(data, tmp_path, measured):
    made = make_bundle(tmp_path / "kidney", plan_folder("kidney", data), hours=0.1)
    assert read_task(made.folder)["max_epochs"] == int(360 * 0.8 / 4)


def test_a_new_plan_keeps_what_was_changed(data, tmp_path, measured):
    folder = tmp_path / "kidney"
    make_bundle(folder, plan_folder("kidney", data), measure=False)
    (folder / "task.json").write_text(json.dumps({**read_task(folder), "learning_rate": 0.5}))
    planned = plan_folder("kidney", data, preset="medium")
    made = make_bundle(folder, planned, measure=False, replan=True)
    assert made.kept == {"learning_rate": 0.5}
    task = read_task(folder)
    assert (task["learning_rate"], task["channels"]) == (0.5, planned.task["channels"])
    again = make_bundle(folder, planned, measure=False, replan=True)
    assert again.kept == {"learning_rate": 0.5}


def test_of_two_new_bundles_both_are_made_or_none(data, tmp_path, measured, monkeypatch):
    planned = plan_folder("kidney", data)
    plans = [planned, planned.cut_into_slices("kidney_2d")]
    made = make_bundles(tmp_path / "both", plans)
    assert [one.folder.name for one in made] == ["kidney", "kidney_2d"]
    assert "epochs of 1 steps" in made[1].describe_cost()[1]

    def fail(folder):
        if folder.name == "kidney_2d":
            raise MemoryError("no room")
        return StepCost(1.0, 1)

    monkeypatch.setattr(module, "measure_steps", fail)
    with pytest.raises(MemoryError):
        make_bundles(tmp_path / "none", plans)
    assert list((tmp_path / "none").iterdir()) == []
