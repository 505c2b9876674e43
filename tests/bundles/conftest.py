"""Copies of the bundles, to be edited."""

import shutil

import pytest
from bundles.edited import NAME, edit_json

from medseg.bundles import build


@pytest.fixture
def committed(tmp_path, repository):
    """A copy of the bundles, without weights that were trained here."""
    copy = tmp_path / "bundles"
    weights = shutil.ignore_patterns("models")
    shutil.copytree(repository / "bundles", copy, symlinks=True, ignore=weights)
    return copy


@pytest.fixture
def folder(committed):
    """The same, but one bundle is freshly built and declares small slices: its network is quick."""

    def shrink(metadata):
        for tensors in metadata["network_data_format"].values():
            next(iter(tensors.values()))["spatial_shape"] = [32, 32]

    build.build(NAME, committed)
    edit_json(committed / NAME / "configs" / "metadata.json", shrink)
    return committed


@pytest.fixture
def root(folder):
    return folder / NAME
