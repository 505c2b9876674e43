"""Tests of medseg.bundles.check_network: a network and its weights are what is declared."""

import json

import pytest
import torch
from bundles.edited import NAME, find_config_faults
from monai.bundle import ConfigParser

from medseg.bundles.bundle import Bundle
from medseg.bundles.check import find_faults
from medseg.bundles.check_network import OneTensor, find_trained_on_faults, find_weight_faults
from medseg.networks import NestedUNet
from medseg.plausibility import TrainedOn, carry_trained_on, write_trained_on


def make_network(root):
    config = json.loads((root / "configs" / "inference.json").read_text())
    return NestedUNet(2, 1, 1, channels=config["channels"], deep_supervision=True, norm="batch")


@pytest.mark.parametrize(
    ("workflow", "change", "message"),
    [
        ("train", lambda c: c["train"].pop("inferer"), "train::inferer"),
        ("inference", lambda c: c.pop("evaluator"), "'evaluator' not in the config"),
    ],
)
def test_a_missing_property_is_found(folder, workflow, change, message):
    found = find_config_faults(folder, workflow, change)
    assert any(message in fault and "check_properties" in fault for fault in found)


def test_a_property_under_another_id_is_found(folder):
    def inline(config):
        config["other_handlers"] = []
        config["evaluator"]["val_handlers"] = "@other_handlers"

    found = find_config_faults(folder, "inference", inline)
    assert "configs/inference.json: MONAI's property handlers is missing or has a wrong id" in found


def test_a_component_that_cannot_be_built_is_found(folder):
    def misspell(config):
        config["inferer"]["inferer"] = {"_target_": "SlidingWindowInferrer"}

    found = find_config_faults(folder, "inference", misspell)
    assert any("check_properties" in fault and "SlidingWindowInferrer" in fault for fault in found)


@pytest.mark.parametrize("workflow", ["train", "inference"])
def test_a_network_that_gives_other_channels_is_found(folder, workflow):
    found = find_config_faults(folder, workflow, lambda c: c["network_def"].update(out_channels=2))
    [fault] = found
    assert "output channel number `2` doesn't match: `1`" in fault


def test_a_network_that_cannot_be_built_is_found(folder):
    found = find_config_faults(folder, "inference", lambda c: c.update(topology="vnet"))
    assert any("network_def is not what configs/metadata.json declares" in f for f in found)


def test_weights_of_the_network_pass(folder, root):
    (root / "models").mkdir()
    torch.save(make_network(root).state_dict(), root / "models" / "model.pt")
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
    torch.save(content(make_network(root)), root / "models" / "model.pt")
    [fault] = find_weight_faults(Bundle(NAME, folder))
    assert fault.startswith("models/model.pt does not load into the network_def of configs/")
    assert message in fault


def test_weights_that_monai_cannot_load_are_found(folder, root):
    (root / "models").mkdir()
    state = make_network(root).state_dict()
    for wrapped in ({"model": state}, {f"module.{key}": value for key, value in state.items()}):
        torch.save(wrapped, root / "models" / "model.pt")
        [fault] = find_weight_faults(Bundle(NAME, folder))
        assert "save only network.state_dict()" in fault


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
    assert list(find_trained_on_faults(Bundle(NAME, folder))) == []
    path.write_text(path.read_text().replace('"weights": [', '"weights": ["of others"], "x": ['))
    [fault] = find_trained_on_faults(Bundle(NAME, folder))
    assert "model.trained_on.json does not say what" in fault
    write_trained_on(TrainedOn({}, 9, "CT", 2), weights)
    content = json.loads(path.read_text()) | {"weights": ["0" * 64]}
    path.write_text(json.dumps(content))
    [fault] = find_faults(NAME, folder)
    assert "was written for other weights than model.pt" in fault


def test_ranges_beside_weights_that_carry_their_own_are_a_fault_unless_they_agree(folder, root):
    weights = root / "models" / "model.pt"
    weights.parent.mkdir(exist_ok=True)
    torch.save(carry_trained_on({}, TrainedOn({}, 9, "CT", 2)), weights)
    assert list(find_trained_on_faults(Bundle(NAME, folder))) == []
    write_trained_on(TrainedOn({}, 9, "CT", 2, settings={"modality": "MR"}), weights)
    [fault] = find_trained_on_faults(Bundle(NAME, folder))
    assert "says that these weights were trained with other settings" in fault
