"""Fixtures of the command line's tests."""

import json
import shutil

import pytest
import torch
from cli.commands import LONG_UID, REPOSITORY
from ingest.dicom_writer import make_series, write_series
from monai.bundle import ConfigParser, scripts

from medseg.bundles import run


@pytest.fixture
def study(tmp_path):
    """A good series and, in a folder of its own, one with a gap."""
    write_series(tmp_path / "good", make_series(uid=LONG_UID))
    gapped = make_series(uid="1.2.2")
    del gapped[2]
    write_series(tmp_path / "bad", gapped)
    return tmp_path


@pytest.fixture
def here(monkeypatch):
    """The repository root, where the examples are meant to be run."""
    monkeypatch.chdir(REPOSITORY)


@pytest.fixture
def calls(monkeypatch):
    """What reaches `monai.bundle run`."""
    calls = []
    monkeypatch.setattr(scripts, "run", lambda **arguments: calls.append(arguments))
    monkeypatch.setattr(run, "check_weights_exist", lambda *_: None)  # the liver bundle has none
    return calls


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A copy of the nuclei bundle with a tiny network, random weights, and that network."""
    root = tmp_path / "bundles" / "nuclei"
    shutil.copytree(REPOSITORY / "bundles" / "nuclei", root, symlinks=True)
    monkeypatch.chdir(tmp_path)
    config_file = root / "configs" / "inference.json"
    config = ConfigParser.load_config_file(str(config_file)) | {"channels": [2, 3, 4]}
    config_file.write_text(json.dumps(config))
    network = ConfigParser(config).get_parsed_content("network_def").eval()
    (root / "models").mkdir(exist_ok=True)
    torch.save(network.state_dict(), root / "models" / "model.pt")
    return network
