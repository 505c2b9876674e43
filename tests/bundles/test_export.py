"""Tests of medseg.bundles.export: the file is the network with its configs, and is whole."""

import json
import shutil
import struct
import subprocess
import sys
import zipfile

import pytest
import torch

from medseg.base.path_keys import escape_for_monai
from medseg.bundles import export
from medseg.networks import NestedUNet

NETWORK = {"spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [2, 3, 4]}


@pytest.fixture
def network():
    torch.manual_seed(0)
    return NestedUNet(**NETWORK).eval()


@pytest.fixture
def bundle(tmp_path, network):
    """What an export reads of a bundle: the config of the inference, and the weights."""
    root = tmp_path / "tiny"
    (root / "configs").mkdir(parents=True)
    torch.save(network.state_dict(), root / "model.pt")
    config = {
        "level": None,
        "weights": str(root / "model.pt"),
        "other_settings": False,
        "choices": {},
        "network_def": {"_target_": "medseg.networks.NestedUNet", **NETWORK},
    }
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    return root


def change(bundle, **keys):
    file = bundle / "configs" / "inference.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


def test_the_file_gives_the_logits_of_the_network_with_its_weights(bundle, network, tmp_path):
    made = export.export_bundle(bundle, tmp_path / "new" / "net.ts")
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.allclose(torch.jit.load(made)(image), network(image), atol=1e-5)


def test_an_override_chooses_other_weights(bundle, network, tmp_path):
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0.5)
    torch.save(network.state_dict(), other := tmp_path / "other.pt")
    made = export.export_bundle(bundle, tmp_path / "net.ts", arguments=["--weights", str(other)])
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        assert torch.allclose(torch.jit.load(made)(image), network(image), atol=1e-5)


def test_an_existing_file_stays_unless_it_may_be_replaced(bundle, tmp_path):
    (out := tmp_path / "net.ts").write_text("mine")
    with pytest.raises(FileExistsError, match=r"net\.ts exists: name another file, or pass --over"):
        export.export_bundle(bundle, out)
    assert out.read_text() == "mine"
    export.export_bundle(bundle, out, overwrite=True)
    assert out.read_bytes()[:2] == b"PK"


def test_weights_of_another_network_are_refused_and_no_file_is_left(bundle, tmp_path):
    other = NestedUNet(**NETWORK | {"channels": [2, 3, 5]})
    torch.save(other.state_dict(), bundle / "model.pt")
    with pytest.raises(ValueError, match=r"fit a .*, this network is a .*: .* build the network"):
        export.export_bundle(bundle, tmp_path / "net.ts")
    assert not (tmp_path / "net.ts").exists()


def test_another_kind_of_network_is_refused_with_the_command_for_it(bundle, tmp_path):
    change(bundle, network_def="$torch.nn.Conv2d(1, 2, 3)", imports=["$import torch"])
    with pytest.raises(TypeError, match=r"makes a Conv2d: use `python -m monai.bundle ckpt_export"):
        export.export_bundle(bundle, tmp_path / "net.ts")


def test_a_network_of_nnunet_is_refused_with_what_runs_it(bundle, tmp_path, monkeypatch):
    build = "medseg.networks.nnunet.build.build_network"
    monkeypatch.setattr(build, lambda **_: torch.nn.Conv2d(1, 2, 3))
    change(bundle, network_def={"_target_": build})
    with pytest.raises(TypeError, match="makes a Conv2d: a network of nnU-Net runs in the bundle"):
        export.export_bundle(bundle, tmp_path / "net.ts")


def test_an_override_of_a_workflow_is_refused(bundle, tmp_path):
    option = sorted(export.PASSED_ON)[0]
    with pytest.raises(ValueError, match=rf"runs no workflow, so --{option} has no effect: leave"):
        export.export_bundle(bundle, tmp_path / "net.ts", arguments=[f"--{option}", "x"])


def test_a_folder_that_is_removed_while_weights_are_read_ends_an_export_with_an_error(
    tmp_path, monkeypatch
):
    out = tmp_path / "out"
    out.mkdir()

    monkeypatch.setattr(export, "_read_overrides", lambda bundle, arguments: {})
    monkeypatch.setattr(export, "_read_config", lambda bundle, overrides: None)
    monkeypatch.setattr(export, "_write_configs", lambda bundle, overrides: None)

    def trained_network(bundle, config):
        shutil.rmtree(out)
        return NestedUNet(2, 1, 2, channels=(2, 3, 4))

    monkeypatch.setattr(export, "_load_trained_network", trained_network)
    with pytest.raises(FileNotFoundError, match="out was removed, moved or replaced while this"):
        export.export_bundle(tmp_path, out / "a.ts")


def read_config(script):
    extra = {"inference.json": ""}
    torch.jit.load(script, _extra_files=extra)
    return json.loads(extra["inference.json"])


def test_the_config_in_torchscript_names_no_place_of_the_machine_that_exported(bundle, tmp_path):
    change(bundle, weights="model.pt", dataset_dir="data/tiny", series_uid=None, overlap=0.5)
    shipped = json.loads((bundle / "configs" / "inference.json").read_text())
    places = ["--weights", str(bundle / "model.pt"), "--dataset_dir", str(tmp_path / "of # me")]
    others = ["--series_uid", "1.2.3", "--overlap", "0.25"]
    made = export.export_bundle(bundle, tmp_path / "net.ts", arguments=[*places, *others])
    assert read_config(made) == {**shipped, "overlap": 0.25}


def test_absolute_paths_of_a_run_become_the_working_directory_in_torchscript(bundle, tmp_path):
    data = {"dataset_dir": str(tmp_path), "cache": {"cache_dir": escape_for_monai(f"{tmp_path}#")}}
    change(bundle, **data, input="$@dataset_dir + '/imagesTs'")
    config = read_config(export.export_bundle(bundle, tmp_path / "net.ts"))
    assert config["dataset_dir"] == config["cache"]["cache_dir"] == "."
    assert config["input"] == "$@dataset_dir + '/imagesTs'"


def write_script(bundle, path, *arguments):
    words = ["export", str(path), "-b", str(bundle), *arguments]
    command = [sys.executable, "-c", "from medseg.cli.app import main; main()", *words]
    subprocess.run(command, check=True, capture_output=True)
    return path


def find_data(raw, header):
    """Where the data of an entry begin: behind its header, name and padding."""
    name, extra = struct.unpack("<HH", raw[header + 26 : header + 30])
    return header + 30 + name + extra


@pytest.mark.long
def test_torchscript_carries_its_configs_in_a_folder_of_its_name_and_repeats_to_the_byte(
    repository, tmp_path
):
    bundle = repository / "bundles" / "hippocampus"
    file = write_script(bundle, tmp_path / "model.ts", "--level", "2")
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        config = json.loads(archive.read("model/extra/inference.json"))
        metadata = archive.read("model/extra/metadata.json")
        tensors = [name for name in names if "/data/" in name]
        offsets = [archive.getinfo(name).header_offset for name in tensors]
        raw = file.read_bytes()
    assert {name.partition("/")[0] for name in names} == {"model"}
    assert config["level"] == 2
    assert metadata == (bundle / "configs" / "metadata.json").read_bytes()
    assert tensors
    assert not any(find_data(raw, header) % 64 for header in offsets)
    assert read_config(file) == config  # as MONAI's load_net_with_metadata reads it
    (tmp_path / "again").mkdir()
    again = write_script(bundle, tmp_path / "again" / "model.ts", "--level", "2")
    assert again.read_bytes() == raw
