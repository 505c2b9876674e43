"""The choices of a built config reach its components, or are refused, in one line."""

import shutil
import sys
from pathlib import Path

import pytest
import torch
from integration import commands
from monai.bundle import ConfigParser

from medseg.base.errors import find_root_cause, is_documented
from medseg.bundles import build
from medseg.bundles.overrides import read_workflow

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = {"channels": [2, 3, 4], "image_size": [8, 8]}
NAMES = ("hippocampus", "liver", "nuclei")
"""One of 3D patches, one of slices of a volume, one of pictures: the others share their wiring."""


def parsed(repository, name, key, **choices):
    """A component of the train config of a bundle."""
    return parsed_parser(repository, name, **choices).get_parsed_content(key)


def parsed_parser(repository, name, **choices):
    """The train config of a bundle with these choices."""
    config = ConfigParser.load_config_file(str(repository / f"bundles/{name}/configs/train.json"))
    return ConfigParser({**config, "device": "cpu", **SMALL, **choices})


def refusal(repository, name, key, **choices):
    with pytest.raises(RuntimeError) as caught:  # MONAI's own, around ours
        parsed(repository, name, key, **choices)
    cause = find_root_cause(caught.value)
    assert is_documented(cause)
    assert "\n" not in str(cause)
    return str(cause)


@pytest.mark.parametrize("name", NAMES)
def test_every_choice_of_the_network_reaches_it(name, repository):
    choices = {"kernel_size": [1, 3, 3], "strides": [3, 2], "pad_input": True, "act": "relu"}
    network = parsed(repository, name, "network_def", **choices)
    assert set(network.total_stride) == {6}
    assert network.pad_input
    assert set(network.nodes["x0_0"].first.conv.kernel_size) == {1}
    assert type(network.nodes["x0_0"].first.adn.A).__name__ == "ReLU"


@pytest.mark.parametrize("name", NAMES)
def test_the_activation_of_a_task_is_the_default_of_the_network(name, repository):
    assert "LeakyReLU(negative_slope=0.1, inplace=True)" in repr(
        parsed(repository, name, "network_def")
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("workflow", ["train", "evaluate", "inference"])
def test_one_key_of_every_config_builds_the_network_of_a_level(name, workflow, repository):
    file = repository / f"bundles/{name}/configs/{workflow}.json"
    config = {**ConfigParser.load_config_file(str(file)), "device": "cpu", **SMALL}
    assert config["level"] is None  # the accurate mode
    fast = ConfigParser({**config, "level": 1}).get_parsed_content("network_def")
    assert list(fast.nodes) == ["x0_0", "x1_0", "x0_1"]
    accurate = ConfigParser(config).get_parsed_content("network_def")
    assert [head.column for head in accurate.topology.heads] == [1, 2]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("choice", "weights"),
    [("equal", [1.0, 1.0]), ("decaying", [4 / 3, 2 / 3]), ([1.0, 0.5], [1.0, 0.5])],
)
def test_the_loss_has_the_weights_of_the_heads(name, choice, weights, repository):
    loss = parsed(repository, name, "loss", head_weights=choice).loss
    assert loss.weights == pytest.approx(weights)


@pytest.mark.parametrize("name", NAMES)
def test_learned_weights_are_trained_with_the_network(name, repository):
    parser = parsed_parser(repository, name, head_weights="learned")
    (parameter,) = parser.get_parsed_content("loss").parameters()
    assert parameter.shape == (2,)
    trained = parser.get_parsed_content("optimizer").param_groups[0]["params"]
    assert any(each is parameter for each in trained)


@pytest.mark.parametrize("name", NAMES)
def test_a_class_guide_reaches_the_network_and_its_loss(name, repository):
    parser = parsed_parser(repository, name, class_guide=True, topology="unet_3plus")
    network, loss = (parser.get_parsed_content(key) for key in ("network_def", "loss"))
    assert network.nodes["x2_0"].guide is not None
    assert loss.class_guide


@pytest.mark.parametrize("topology", ["unet", "unet_plusplus"])
def test_deep_supervision_can_be_switched_off_alone(topology, repository):
    choices = {"deep_supervision": False, "topology": topology}
    loss = parsed(repository, "liver", "loss", **choices)
    assert type(loss.loss).__name__ == "HybridLoss"


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_are_not_one_per_head_are_refused(name, repository):
    assert "got 1 for 2 heads" in refusal(repository, name, "loss", head_weights=[1.0])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["train", "validate"])
def test_a_class_of_values_that_the_dataset_does_not_have_is_refused(name, part, repository):
    classes = {"liver": [1], "tumour": [9]} if name == "liver" else {"liver": [9]}
    told = refusal(repository, name, f"{part}#preprocessing", classes=classes)
    assert "includes label value 9, but the dataset has [0, " in told


@pytest.mark.parametrize("window_hu", [[240, -160], [0, 0]])
def test_a_window_upside_down_is_refused(window_hu, repository):
    told = refusal(repository, "liver", "intensity", window_hu=window_hu)
    assert "low end below its high end" in told


@pytest.mark.parametrize("name", build.list_names(REPOSITORY / "bundles"))
def test_the_label_values_of_every_task_hold_its_classes(name, repository):
    config = ConfigParser.load_config_file(str(repository / f"bundles/{name}/configs/train.json"))
    ignored = config["ignore"] or []
    used = [*config["classes"].values(), [ignored] if isinstance(ignored, int) else ignored]
    assert {value for values in used for value in values} <= set(config["label_values"])


@pytest.mark.parametrize("workflow", ["train", "multi_gpu_train", "evaluate", "inference"])
@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("image_size", [0, 8], "image_size is [0, 8]: it must be a list of whole numbers"),
        ("kernel_size", "ten", "kernel_size is 'ten': it must be a whole number"),
        ("level", float("inf"), "level is inf: it must be a whole number"),
        ("channels", "$[4, 8 * 0]", "channels is [4, 0]: it must be a list of whole numbers"),
    ],
)
def test_every_workflow_refuses_what_a_key_cannot_be_before_it_reads_anything(
    workflow, key, value, told, repository
):
    shipped = read_workflow(repository / "bundles/liver", workflow)
    config = {**shipped, key: value, "weights": "absent.pt"}
    config["initialize"] = [line for line in config["initialize"] if "start_group" not in line]
    with pytest.raises(RuntimeError) as caught:
        ConfigParser(config).get_parsed_content("initialize")
    assert str(find_root_cause(caught.value)).startswith(told)


@pytest.mark.long
def test_a_device_that_is_not_there_is_refused_before_any_data_is_read(tmp_path):
    """One number beyond the devices of this machine, whatever it has."""
    shutil.copytree(REPOSITORY / "bundles" / "liver", tmp_path / "liver", symlinks=True)
    code = "from medseg.cli import main; main()"
    words = ["train", "-b", "liver", "--device", f"cuda:{torch.cuda.device_count()}"]
    done = commands.run([sys.executable, "-c", code, *words], tmp_path)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert "cannot be used" in last
    assert "pass --device with one of them" in last
    assert "no liver data" not in done.stderr
