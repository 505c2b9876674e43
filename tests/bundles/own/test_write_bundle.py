"""Tests of medseg.bundles.own.write_bundle."""

import json
import re
from dataclasses import replace

import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import list_data_collate
from planning.test_plan import CT, FOUND, MR, PICTURES
from planning.test_plan_folder import data as data  # a fixture
from planning.test_reader_targets import add_readers

from medseg.bundles.check import find_faults
from medseg.bundles.keys.describe import UNKNOWN, list_keys_of_bundle
from medseg.bundles.overrides import read_overrides
from medseg.bundles.own.write_bundle import (
    TASK_FILE,
    build_own,
    check_new,
    describe_missing,
    describe_unbuilt,
    write_bundle,
)
from medseg.planning.plan import make_plan
from medseg.planning.plan_folder import plan_folder
from medseg.planning.task import make_task


@pytest.fixture
def task():
    return make_task(
        "kidney",
        make_plan(FOUND),
        classes={"left": [1], "right": [2]},
        values=FOUND.values,
        dataset_dir="data/kidney",
    )


def test_the_bundle_is_complete_by_the_specification_of_monai(tmp_path, task):
    folder = write_bundle(tmp_path / "bundles" / "kidney", task)
    assert find_faults(str(folder)) == []
    config = json.loads((folder / "train.json").read_text())
    assert config["image_size"] == [40, 56, 40]
    assert config["learning_rate"] == 0.003


def test_a_change_of_the_task_file_reaches_the_configs_when_it_is_built_again(tmp_path, task):
    folder = write_bundle(tmp_path / "kidney", task)
    assert build_own(folder) == []
    (folder / TASK_FILE).write_text(json.dumps({**task, "max_epochs": 7}))
    assert {path.name for path in build_own(folder)} == {"train.json"}
    assert json.loads((folder / "train.json").read_text())["max_epochs"] == 7


def test_a_folder_that_is_there_is_kept(tmp_path, task):
    (tmp_path / "kidney").mkdir()
    with pytest.raises(FileExistsError):
        write_bundle(tmp_path / "kidney", task)
    assert list((tmp_path / "kidney").iterdir()) == []


def test_a_bundle_of_ones_own_that_is_there_may_be_planned_again(tmp_path, task):
    write_bundle(tmp_path / "kidney", task)
    remedy = "kidney exists: pass --replan to plan it for these data and keep what you changed"
    with pytest.raises(FileExistsError, match=remedy):
        write_bundle(tmp_path / "kidney", task)


def test_nothing_is_left_where_the_task_names_an_unknown_layer(tmp_path, task):
    with pytest.raises(ValueError, match="names the layer 'xyz'"):
        write_bundle(tmp_path / "kidney", {**task, "_layers_": ["xyz"]})
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_task_file_is_named(tmp_path, task):
    folder = write_bundle(tmp_path / "kidney", task)
    (folder / TASK_FILE).write_text("{")
    with pytest.raises(ValueError, match=r"task\.json is no JSON"):
        build_own(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"learning_rates": 0.1}, "did you mean learning_rate?"),
        ({"loss": "nonsense"}, "loss must be a component, got 'nonsense'"),
        ({"max_epochs": 0}, "max_epochs is 0: it must be a whole number of at least 1"),
    ],
)
def test_a_task_that_could_not_be_trained_is_neither_built_nor_passed_by_the_check(
    tmp_path, task, change, said
):
    folder = write_bundle(tmp_path / "kidney", task)
    before = (folder / "train.json").read_text()
    (folder / TASK_FILE).write_text(json.dumps({**task, **change}))
    with pytest.raises(ValueError, match=re.escape(said)):
        build_own(folder)
    assert (folder / "train.json").read_text() == before
    [fault] = find_faults(str(folder))
    assert said in fault


def test_the_check_finds_a_task_that_was_changed_and_not_built(tmp_path, task):
    folder = write_bundle(tmp_path / "kidney", task)
    (folder / TASK_FILE).write_text(json.dumps({**task, "max_epochs": 7}))
    [fault] = find_faults(str(folder))
    assert fault.startswith("configs/train.json differs from what its layers build: run `medseg")


def test_a_config_that_is_not_what_the_task_says_is_named_with_the_command_that_builds_it(
    tmp_path, task
):
    folder = write_bundle(tmp_path / "kidney", task)
    config = folder / "configs" / "train.json"
    assert describe_unbuilt(folder, [config]) == ""
    (folder / TASK_FILE).write_text(json.dumps({**task, "learning_rate": 0.5}))
    said = describe_unbuilt(folder, [config, folder / "configs" / "inference.json"])
    assert "task.json says something else than train.json, which is used as it is: " in said
    assert said.endswith(f"run medseg bundles build {folder}")
    build_own(folder)
    (folder / "configs" / "mine.json").write_text("{}")
    assert describe_unbuilt(folder, [config, folder / "configs" / "mine.json"]) == ""
    (folder / TASK_FILE).write_text("{")
    assert "what was built before is used" in describe_unbuilt(folder, [config])
    (folder / TASK_FILE).unlink()
    assert describe_unbuilt(folder, [config]) == ""


def test_label_values_that_are_not_counted_from_1_are_named_as_they_are(tmp_path):
    task = make_task(
        "nuclei",
        make_plan(PICTURES),
        classes={"nucleus": [255]},
        values=[0, 128, 255],
        dataset_dir="data/nuclei",
    )
    folder = write_bundle(tmp_path / "nuclei", task)
    assert find_faults(str(folder)) == []
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["label_classes"] == "0 background, 128 in no class, 255 nucleus"


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a/b", "..", "a b"])
def test_a_name_that_cannot_be_a_bundle_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="cannot be the name of a bundle"):
        check_new(tmp_path, name)


@pytest.fixture
def several():
    """The task of a set of CT with PET."""
    found = replace(FOUND, channels=(replace(CT, name="ct"), replace(MR, name="pet")))
    named = {"classes": {"left": [1], "right": [2]}, "dataset_dir": "data/kidney"}
    return make_task("kidney", make_plan(found), values=FOUND.values, **named)


def test_a_bundle_for_several_channels_is_complete_and_names_them(tmp_path, several):
    folder = write_bundle(tmp_path / "bundles" / "kidney", several)
    assert find_faults(str(folder)) == []
    metadata = json.loads((folder / "metadata.json").read_text())
    image = metadata["network_data_format"]["inputs"]["image"]
    assert (image["num_channels"], image["channel_def"]) == (2, {"0": "ct", "1": "pet"})
    for name in ("train", "evaluate", "inference"):
        config = json.loads((folder / f"{name}.json").read_text())
        assert config["load_image"]["channels"] == "@image_channels"
        assert "window_hu" not in config


def test_previews_of_several_channels_are_drawn_of_cases_that_are_found_likewise(tmp_path, several):
    folder = write_bundle(tmp_path / "kidney", several)
    config = json.loads((folder / "inference.json").read_text())
    (step,) = [one for one in config["inference"] if "draw_missing_previews" in one]
    assert "find=@find_cases" in step
    assert len(config["inference"]) == 7


def test_every_key_for_several_channels_has_a_meaning_and_a_rule(tmp_path, several):
    folder = write_bundle(tmp_path / "kidney", several)
    for workflow in ("train", "evaluate", "inference"):
        listed = list_keys_of_bundle(folder, workflow)
        assert [key.key for key in listed if key.meaning == UNKNOWN or not key.type] == []
        words = ["--image_channels=3", "--channel_windows=1,2", "--channel_dropout=1"]
        for word in words:
            with pytest.raises(ValueError, match=f"^{word[2:].partition('=')[0]} is .*: it must"):
                read_overrides(folder, workflow, [word])


def test_a_bundle_of_soft_labels_gives_the_fractions_of_its_readers_to_the_loss(data, tmp_path):
    add_readers(data)
    planned = plan_folder("kidney", data, readers="mean", patients="(p[0-9])")
    planned.write_datalist()
    bundle = write_bundle(tmp_path / "bundles" / "kidney", planned.task)
    parser = ConfigParser(ConfigParser.load_config_file(str(bundle / "configs" / "train.json")))
    parser["dataset_dir"], parser["folds"] = "data/kidney", 2
    parser["affine_prob"] = 0.0
    batch = list_data_collate(list(parser.get_parsed_content("train#dataset")))
    drawn = {round(v, 4) for v in batch["label"].as_subclass(torch.Tensor).unique().tolist()}
    assert drawn & {0.5, 0.3333, 0.6667}
    assert drawn <= {0, 0.3333, 0.5, 0.6667, 1}
    network, loss = (parser.get_parsed_content(key) for key in ("network", "loss"))
    network.train()
    loss(network(batch["image"].as_subclass(torch.Tensor)), batch["label"]).backward()
    validated = parser.get_parsed_content("validate#dataset")[0]["label"]
    assert set(validated.unique().tolist()) == {0, 1}  # scores are of the readers' consensus


@pytest.mark.parametrize(
    ("channels", "window", "percentiles"),
    [((CT, MR), [-17, 201], None), ((MR, CT), None, [1, 99])],
    ids=["CT first", "CT second"],
)
def test_the_preview_has_the_window_of_a_ct_that_is_first(tmp_path, channels, window, percentiles):
    named = tuple(replace(one, name=f"c{n}") for n, one in enumerate(channels))
    plan = make_plan(replace(FOUND, channels=named))
    task = make_task("kidney", plan, classes={"a": [1]}, values=[0, 1], dataset_dir="data")
    config = json.loads((write_bundle(tmp_path / "kidney", task) / "inference.json").read_text())
    parser = ConfigParser(config)
    assert parser.get_parsed_content("preview_window") == window
    assert parser.get_parsed_content("preview_percentiles") == percentiles
    assert config["modality"] == ("CT" if window else "MR")


def test_a_bundle_that_is_not_there_is_told_with_those_that_are(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / TASK_FILE).touch()
    assert describe_missing("c", tmp_path).startswith(
        f"no bundle c to build in {tmp_path} (it has a, b): correct the name"
    )
    assert "(it has none with a task.json)" in describe_missing("c", tmp_path / "a")
