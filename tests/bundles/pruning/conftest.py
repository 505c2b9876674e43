"""A trained bundle that is small enough to be pruned in a test."""

import json
import shutil

import pytest
import torch
from monai.bundle import ConfigParser


@pytest.fixture
def bundle(tmp_path, repository):
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(repository / "bundles", tmp_path / "bundles", symlinks=True, ignore=ignore)
    root = tmp_path / "bundles" / "liver"
    content = json.loads((root / "evaluate.json").read_text()) | {"channels": [2, 3, 4]}
    network = ConfigParser(content).get_parsed_content("network_def")
    (root / "models").mkdir()
    torch.save(network.state_dict(), root / "models" / "model.pt")
    return root
