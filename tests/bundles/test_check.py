"""Tests of medseg.bundles.check: each fault is found where it is planted, and only there."""

import re
import shutil
from pathlib import Path

import pytest
from bundles.edited import NAME, edit_json, find_config_faults

from medseg.bundles import build
from medseg.bundles.check import find_faults, find_notes

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"


def _metadata_faults(folder, change):
    edit_json(folder / NAME / "configs" / "metadata.json", change)
    return find_faults(NAME, folder)


@pytest.mark.long
@pytest.mark.parametrize("name", build.list_names(BUNDLES))
def test_the_committed_bundles_have_no_fault(name, committed):
    assert find_faults(name, committed) == []


def test_the_check_writes_nothing(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    find_faults(NAME, folder)
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("file", ["LICENSE", "docs/README.md", "docs/data_license.txt"])
def test_a_missing_file_is_found(folder, root, file):
    (root / file).unlink()
    assert find_faults(NAME, folder) == [f"{file} is missing, and every bundle needs it: add it"]


def test_all_faults_are_told_at_once(folder, root):
    for file in ("LICENSE", "configs/metadata.json", "configs/train.json"):
        (root / file).unlink()
    assert [fault.partition(" ")[0] for fault in find_faults(NAME, folder)] == [
        *("configs/metadata.json", "configs/train.json", "LICENSE"),
        "configs/train.json",  # once missing, once not what the layers give
    ]


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_damaged_file_is_found(folder, root, text):
    (root / "configs" / "metadata.json").write_text(text)
    assert find_faults(NAME, folder) == ["configs/metadata.json is not a JSON object: correct it"]


@pytest.mark.parametrize("text", [None, "{}", "configs/train.json"])
def test_a_flat_name_that_is_neither_a_link_nor_a_copy_is_found(folder, root, text):
    (root / "train.json").unlink()
    shutil.copy(root / "configs" / "train.json", root / "train.json")
    assert find_faults(NAME, folder) == []
    (root / "train.json").unlink()
    if text is not None:
        (root / "train.json").write_text(text)
    [fault] = find_faults(NAME, folder)
    assert fault == (
        "train.json is neither a link to configs/train.json nor a copy of it: "
        f"run `medseg bundles build {NAME}`"
    )


def test_an_absolute_link_is_found(folder, root):
    (root / "train.json").unlink()
    (root / "train.json").symlink_to(root / "configs" / "train.json")
    [fault] = find_faults(NAME, folder)
    assert fault.startswith(f"train.json links to {root}/configs/train.json, not to configs/")


def test_an_edited_config_is_found(folder):
    assert find_config_faults(folder, "train", lambda c: c.update(max_epochs=3)) == []


def test_a_choice_that_reaches_no_config_is_found(folder):
    edit_json(folder / "layers" / "tasks" / f"{NAME}.json", lambda task: task.update(max_epoch=3))
    [fault] = find_faults(NAME, folder)
    assert fault.endswith(
        f"layers/tasks/{NAME}.json: max_epoch is used by no config of this task: did you mean "
        "max_epochs?"
    )


@pytest.mark.parametrize("workflow", build.CONFIG_NAMES)
def test_an_unused_key_is_found(folder, workflow):
    found = find_config_faults(folder, workflow, lambda config: config.update(max_epoch=3))
    [fault] = found
    assert fault.startswith(f"configs/{workflow}.json: nothing in {workflow} uses max_epoch")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.pop("task"), "top level: 'task' is a required property"),
        (lambda m: m.update(authors=["A"]), r"authors: \['A'\] is not of type 'string'"),
        (lambda m: m.update(version="0.2.0"), "changelog says nothing of version 0.2.0"),
        (lambda m: m.update(pred_classes="1 lung"), "pred_classes does not say '1 liver'"),
        (lambda m: m.pop("label_classes"), "label_classes names none, .* are \\[0, 255\\]: name"),
        (
            lambda m: m.update(label_classes="0 background, 1 liver"),
            "label_classes names 0, 1, the",
        ),
        (
            lambda m: m["network_data_format"]["inputs"]["image"].pop("dtype"),
            "network_data_format/inputs/image: 'dtype' is a required property",
        ),
    ],
)
def test_a_fault_of_the_metadata_is_found(folder, change, message):
    found = _metadata_faults(folder, change)
    assert found[0].startswith("configs/metadata.json: ")
    assert re.search(message, found[0])


def test_supported_apps_that_are_a_list_are_found(folder):
    found = _metadata_faults(folder, lambda m: m.update(supported_apps=[]))
    assert any("supported_apps must be an object, is []" in fault for fault in found)


@pytest.mark.parametrize(("direction", "name"), [("inputs", "image"), ("outputs", "pred")])
def test_another_name_of_a_tensor_is_found(folder, direction, name):
    def rename(metadata):
        tensors = metadata["network_data_format"][direction]
        tensors["other"] = tensors.pop(name)

    found = _metadata_faults(folder, rename)
    assert any(f"{direction} must be named '{name}', are ['other']" in fault for fault in found)


@pytest.mark.parametrize(
    "change",
    [
        lambda pred: pred["channel_def"].update({"0": "lung"}),
        lambda pred: pred["channel_def"].update({"1": "tumour"}),
        lambda pred: pred.update(channel_def={"0": "liver"}),
        lambda pred: pred.pop("channel_def"),
    ],
)
def test_channels_that_are_not_the_classes_are_found(folder, change):
    found = _metadata_faults(folder, lambda m: change(m["network_data_format"]["outputs"]["pred"]))
    [fault] = found
    assert "the label map has the values {'0': 'background', '1': 'liver'}" in fault


def test_a_number_of_channels_that_the_network_does_not_have_is_found(folder):
    change = {"num_channels": 2}
    found = _metadata_faults(
        folder, lambda m: m["network_data_format"]["outputs"]["pred"].update(change)
    )
    assert any("pred has 2 channels, the task's classes make 1" in fault for fault in found)


def test_two_classes_need_a_background_channel(folder):
    def two_classes(metadata):
        metadata["pred_classes"] = metadata["label_classes"] = "0 background, 1 liver, 2 tumour"
        metadata["network_data_format"]["outputs"]["pred"].update(
            num_channels=3, channel_def={"0": "background", "1": "liver", "2": "tumour"}
        )

    task = folder / "layers" / "tasks" / f"{NAME}.json"
    classes = {"liver": [1], "tumour": [2]}
    edit_json(task, lambda task: task.update(classes=classes, label_values=[0, 1, 2]))
    build.build(NAME, folder)
    assert any(
        "{'0': 'background', '1': 'liver', '2'" in fault for fault in find_faults(NAME, folder)
    )
    assert _metadata_faults(folder, two_classes) == []


def test_a_large_file_is_no_fault_but_noted_for_the_model_zoo_unless_it_is_listed(folder, root):
    (root / "models").mkdir()
    with (root / "models" / "model.ts").open("wb") as file:
        file.truncate(26_000_000)
    assert find_faults(NAME, folder) == []
    assert find_notes(NAME, folder) == [
        "models/model.ts has 26 MB: to publish the bundle in MONAI's model zoo, which takes 25, "
        "name it in large_files.yml with its address"
    ]
    listing = "large_files:\n  - path: models/model.ts\n    url: https://example.org/model.ts\n"
    (root / "large_files.yml").write_text(listing)
    assert find_notes(NAME, folder) == []
    (root / "large_files.yml").unlink()
    (root / "run.json").write_text("{}")  # a run, which is not published as it is
    assert find_notes(NAME, folder) == []
