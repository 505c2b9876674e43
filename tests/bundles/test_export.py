"""Tests of medseg.bundles.export: the configs that TorchScript carries, and a folder taken away."""

import json
import shutil
import struct
import subprocess
import sys
import zipfile

import pytest
import torch

from medseg.bundles import export
from medseg.networks import NestedUNet


def test_a_folder_that_is_removed_while_weights_are_read_ends_an_export_with_an_error(
    tmp_path, monkeypatch
):
    out = tmp_path / "out"
    out.mkdir()

    monkeypatch.setattr(export, "_read_config", lambda bundle, arguments: None)
    monkeypatch.setattr(export, "_write_configs", lambda bundle, config: None)

    def trained_network(bundle, config):
        shutil.rmtree(out)
        return NestedUNet(2, 1, 2, channels=(2, 3, 4))

    monkeypatch.setattr(export, "_load_trained_network", trained_network)
    with pytest.raises(FileNotFoundError, match="out was removed, moved or replaced while this"):
        export.export_bundle(tmp_path, out / "a.ts")


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
    extra = {"inference.json": ""}
    torch.jit.load(file, _extra_files=extra)  # as MONAI's load_net_with_metadata reads them
    assert json.loads(extra["inference.json"]) == config
    (tmp_path / "again").mkdir()
    again = write_script(bundle, tmp_path / "again" / "model.ts", "--level", "2")
    assert again.read_bytes() == raw
