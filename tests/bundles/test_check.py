"""Tests of medseg.bundles.check: each fault is found where it is planted, and only there."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from medseg.bundles import build
from medseg.bundles.check import find_faults
from medseg.bundles.check_network import OneTensor
from medseg.networks import NestedUNet
from medseg.plausibility import TrainedOn, write_trained_on

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "liver_slices"


@pytest.fixture
def committed(tmp_path):
    """A copy of the bundles, without weights that were trained here."""
    copy = tmp_path / "bundles"
    weights = shutil.ignore_patterns("models")
    shutil.copytree(REPOSITORY / "bundles", copy, symlinks=True, ignore=weights)
    return copy


@pytest.fixture
def folder(committed):
    """The same, but one bundle is freshly built and declares small slices: its network is quick."""

    def shrink(metadata):
        for tensors in metadata["network_data_format"].values():
            next(iter(tensors.values()))["spatial_shape"] = [32, 32]

    build.build(NAME, committed)
    _edit(committed / NAME / "configs" / "metadata.json", shrink)
    return committed


@pytest.fixture
def root(folder):
    return folder / NAME


def _edit(path, change):
    """Change a JSON file in place, not through its flat link."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _metadata_faults(folder, change):
    _edit(folder / NAME / "configs" / "metadata.json", change)
    return find_faults(NAME, folder)


def _config_faults(folder, workflow, change):
    """Faults but the one that the config is not what its layers give."""
    _edit(folder / NAME / "configs" / f"{workflow}.json", change)
    found = find_faults(NAME, folder)
    stale = f"configs/{workflow}.json differs from what its layers build"
    assert any(fault.startswith(stale) for fault in found)
    return [fault for fault in found if not fault.startswith(stale)]


@pytest.mark.parametrize("name", build.list_names(REPOSITORY / "bundles"))
def test_the_committed_bundles_have_no_fault(name, committed):
    assert find_faults(name, committed) == []


def test_the_check_writes_nothing(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    find_faults(NAME, folder)
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_bundle_is_found_by_its_path_as_by_its_name(folder, root, monkeypatch):
    (root / "LICENSE").unlink()
    expected = find_faults(NAME, folder)
    assert expected == ["LICENSE is missing, and every bundle needs it: add it"]
    for place, path in ((folder.parent, f"bundles/{NAME}"), (folder, f"{NAME}/"), (root, ".")):
        monkeypatch.chdir(place)
        assert find_faults(path) == expected
    assert find_faults(str(root)) == expected


def test_a_path_that_is_no_bundle_is_refused(folder):
    with pytest.raises(FileNotFoundError, match="no bundle 'lung'"):
        find_faults(str(folder / "lung"))


def test_an_unknown_bundle_is_refused(folder):
    with pytest.raises(FileNotFoundError, match="no bundle 'lung'"):
        find_faults("lung", folder)


@pytest.mark.parametrize("file", ["LICENSE", "docs/README.md", "docs/data_license.txt"])
def test_a_missing_file_is_found(folder, root, file):
    (root / file).unlink()
    assert find_faults(NAME, folder) == [f"{file} is missing, and every bundle needs it: add it"]


def test_all_faults_are_told_at_once(folder, root):
    for file in ("LICENSE", "configs/metadata.json", "configs/train.json"):
        (root / file).unlink()
    assert [fault.partition(" ")[0] for fault in find_faults(NAME, folder)] == [
        *("LICENSE", "configs/metadata.json", "configs/train.json"),
        "configs/train.json",  # once missing, once not what the layers give
    ]


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_damaged_file_is_found(folder, root, text):
    (root / "configs" / "metadata.json").write_text(text)
    assert find_faults(NAME, folder) == ["configs/metadata.json is not a JSON object: mend it"]


def test_a_copy_in_the_place_of_a_link_is_found(folder, root):
    (root / "train.json").unlink()
    shutil.copy(root / "configs" / "train.json", root / "train.json")
    [fault] = find_faults(NAME, folder)
    assert fault.startswith("train.json is not a link to configs/train.json")


def test_an_absolute_link_is_found(folder, root):
    (root / "train.json").unlink()
    (root / "train.json").symlink_to(root / "configs" / "train.json")
    [fault] = find_faults(NAME, folder)
    assert fault.startswith(f"train.json links to {root}/configs/train.json, not to configs/")


def test_an_edited_config_is_found(folder):
    assert _config_faults(folder, "train", lambda c: c.update(max_epochs=3)) == []


def test_a_choice_that_reaches_no_config_is_found(folder):
    _edit(folder / "layers" / "tasks" / f"{NAME}.json", lambda task: task.update(max_epoch=3))
    assert find_faults(NAME, folder) == [
        f"layers/tasks/{NAME}.json: max_epoch is used by no config: check its spelling"
    ]


@pytest.mark.parametrize("workflow", build.WORKFLOWS)
def test_an_unused_key_is_found(folder, workflow):
    found = _config_faults(folder, workflow, lambda config: config.update(max_epoch=3))
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
        lambda pred: pred.pop("channel_def"),
    ],
)
def test_channels_that_are_not_the_classes_are_found(folder, change):
    found = _metadata_faults(folder, lambda m: change(m["network_data_format"]["outputs"]["pred"]))
    [fault] = found
    assert "the task's classes make 1 {'0': 'liver'}" in fault


def test_two_classes_need_a_background_channel(folder):
    def two_classes(metadata):
        metadata["pred_classes"] = metadata["label_classes"] = "0 background, 1 liver, 2 tumour"
        metadata["network_data_format"]["outputs"]["pred"].update(
            num_channels=3, channel_def={"0": "background", "1": "liver", "2": "tumour"}
        )

    task = folder / "layers" / "tasks" / f"{NAME}.json"
    classes = {"liver": [1], "tumour": [2]}
    _edit(task, lambda task: task.update(classes=classes, label_values=[0, 1, 2]))
    build.build(NAME, folder)
    assert any(
        "{'0': 'background', '1': 'liver', '2'" in fault for fault in find_faults(NAME, folder)
    )
    assert _metadata_faults(folder, two_classes) == []


@pytest.mark.parametrize(
    ("workflow", "change", "message"),
    [
        ("train", lambda c: c["train"].pop("inferer"), "train::inferer"),
        ("inference", lambda c: c.pop("evaluator"), "'evaluator' not in the config"),
    ],
)
def test_a_missing_property_is_found(folder, workflow, change, message):
    found = _config_faults(folder, workflow, change)
    assert any(message in fault and "check_properties" in fault for fault in found)


def test_a_property_under_another_id_is_found(folder):
    def inline(config):
        config["other_handlers"] = []
        config["evaluator"]["val_handlers"] = "@other_handlers"

    found = _config_faults(folder, "inference", inline)
    assert "configs/inference.json: MONAI's property handlers is missing or has a wrong id" in found


def test_a_component_that_cannot_be_built_is_found(folder):
    def misspell(config):
        config["inferer"]["inferer"] = {"_target_": "SlidingWindowInferrer"}

    found = _config_faults(folder, "inference", misspell)
    assert any("check_properties" in fault and "SlidingWindowInferrer" in fault for fault in found)


@pytest.mark.parametrize("workflow", ["train", "inference"])
def test_a_network_that_gives_other_channels_is_found(folder, workflow):
    found = _config_faults(folder, workflow, lambda c: c["network_def"].update(out_channels=2))
    [fault] = found
    assert "output channel number `2` doesn't match: `1`" in fault


def test_a_network_that_cannot_be_built_is_found(folder):
    found = _config_faults(folder, "inference", lambda c: c.update(topology="vnet"))
    assert any("network_def is not what configs/metadata.json declares" in f for f in found)


def test_a_large_file_is_found_unless_it_is_listed(folder, root):
    (root / "models").mkdir()
    with (root / "models" / "model.ts").open("wb") as file:
        file.truncate(26_000_000)
    [fault] = find_faults(NAME, folder)
    assert fault == "models/model.ts has 26 MB, over 25: name it in large_files.yml"
    listing = "large_files:\n  - path: models/model.ts\n    url: https://example.org/model.ts\n"
    (root / "large_files.yml").write_text(listing)
    assert find_faults(NAME, folder) == []


def _network(root):
    config = json.loads((root / "configs" / "inference.json").read_text())
    return NestedUNet(2, 1, 1, channels=config["channels"], deep_supervision=True, norm="batch")


def test_weights_of_the_network_pass(folder, root):
    (root / "models").mkdir()
    torch.save(_network(root).state_dict(), root / "models" / "model.pt")
    assert find_faults(NAME, folder) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda network: dict(list(network.state_dict().items())[:-1]), "1 keys are missing"),
        (lambda network: network, "cannot be read"),
    ],
    ids=["incomplete", "pickled network"],
)
def test_weights_of_another_kind_are_found(folder, root, content, message):
    (root / "models").mkdir()
    torch.save(content(_network(root)), root / "models" / "model.pt")
    [fault] = find_faults(NAME, folder)
    assert fault.startswith("models/model.pt does not load into the network_def of configs/")
    assert message in fault


def test_weights_that_monai_cannot_load_are_found(folder, root):
    (root / "models").mkdir()
    state = _network(root).state_dict()
    for wrapped in ({"model": state}, {f"module.{key}": value for key, value in state.items()}):
        torch.save(wrapped, root / "models" / "model.pt")
        [fault] = find_faults(NAME, folder)
        assert "save network.state_dict() alone" in fault


def test_damaged_weights_are_found(folder, root):
    (root / "models").mkdir()
    (root / "models" / "model.pt").write_bytes(b"cut short")
    assert len(find_faults(NAME, folder)) == 1


def test_one_tensor_on_the_same_grid_passes():
    image = torch.zeros(1, 2, 4, 6)
    assert OneTensor(torch.nn.Conv2d(2, 3, kernel_size=1))(image).shape == (1, 3, 4, 6)


def test_a_list_of_heads_is_refused():
    class Heads(torch.nn.Module):
        def forward(self, image):
            return [image]

    with pytest.raises(TypeError, match="gives a list in eval, not one tensor"):
        OneTensor(Heads())(torch.zeros(1, 1, 4, 4))


def test_another_grid_is_refused():
    with pytest.raises(ValueError, match=r"pred is \(2, 3\) on \(4, 6\)"):
        OneTensor(torch.nn.MaxPool2d(2))(torch.zeros(1, 1, 4, 6))


def test_what_other_weights_were_trained_on_is_a_fault(root, folder):
    weights = root / "models" / "model.pt"
    parser = ConfigParser(json.loads((root / "inference.json").read_text()))
    weights.parent.mkdir(exist_ok=True)
    torch.save(parser.get_parsed_content("network_def").state_dict(), weights)
    path = write_trained_on(TrainedOn({}, 9, "CT", 2), weights)
    assert find_faults(NAME, folder) == []
    path.write_text(path.read_text().replace('"weights": [', '"weights": ["of others"], "x": ['))
    [fault] = find_faults(NAME, folder)
    assert "model.trained_on.json does not say what" in fault
    write_trained_on(TrainedOn({}, 9, "CT", 2), weights)
    content = json.loads(path.read_text()) | {"weights": ["0" * 64]}
    path.write_text(json.dumps(content))
    [fault] = find_faults(NAME, folder)
    assert "was written for other weights than model.pt" in fault
