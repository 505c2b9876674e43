"""MONAI's own tools take the bundles, offline: its metadata check and its TorchScript export."""

import json
import socket
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser, ckpt_export, verify_metadata, verify_net_in_out

import medseg

SCHEMA = Path(medseg.__file__).parent / "bundles" / "schema" / "meta_schema_20240725.json"
BUNDLES = Path(__file__).parents[2] / "bundles"
ALL = sorted(path.parents[1].name for path in BUNDLES.glob("*/configs/metadata.json"))


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    def refuse(*_):
        raise AssertionError("this test must not reach the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def _configs(repository, name):
    return repository / "bundles" / name / "configs"


@pytest.mark.parametrize("name", ALL)
def test_monai_finds_no_fault_in_the_metadata(name, repository):
    metadata = _configs(repository, name) / "metadata.json"
    assert verify_metadata(meta_file=str(metadata), filepath=str(SCHEMA)) is None  # or it raises


def test_monai_finds_a_fault_in_metadata_that_have_one(repository, tmp_path):
    metadata = json.loads((_configs(repository, "liver") / "metadata.json").read_text())
    metadata["authors"] = 1
    broken = tmp_path / "metadata.json"
    broken.write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match="1 is not of type 'string'"):
        verify_metadata(meta_file=str(broken), filepath=str(SCHEMA))


@pytest.mark.long
@pytest.mark.parametrize("name", ALL)
def test_the_network_takes_the_smallest_image_that_the_metadata_declares(name, repository):
    """With MONAI's own defaults, as the model zoo verifies a bundle: n is 1."""
    configs = _configs(repository, name)
    for workflow in ("train", "inference"):
        verify_net_in_out(
            "network_def",
            meta_file=str(configs / "metadata.json"),
            config_file=str(configs / f"{workflow}.json"),
            device="cpu",
        )


# One bundle in every run of the tests, the others in the long ones.
EXPORTED = [pytest.param(name, marks=() if name == "liver" else pytest.mark.long) for name in ALL]


@pytest.mark.filterwarnings("ignore")  # torch.jit warns that it is being retired
@pytest.mark.parametrize("name", EXPORTED)
def test_the_torchscript_that_monai_exports_gives_the_logits_of_the_network(
    name, repository, tmp_path
):
    """With generated weights and the network of the bundle in full, as the model zoo exports it."""
    configs = _configs(repository, name)
    config = ConfigParser(json.loads((configs / "inference.json").read_text()))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = config.get_parsed_content("network_def").eval()
        size = [2 * stride for stride in network.total_stride]
        image = torch.rand(2, network.in_channels, *size)
    weights, exported = tmp_path / "model.pt", tmp_path / "model.ts"
    torch.save(network.state_dict(), weights)
    ckpt_export(
        "network_def",
        filepath=str(exported),
        ckpt_file=str(weights),
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "inference.json"),
        key_in_ckpt="",
        bundle_root=str(configs.parent),
    )
    program = torch.jit.load(str(exported))
    with torch.no_grad():
        assert torch.equal(program(image), network(image))
