"""Tests of medseg.bundles.export: a folder that is taken away while a network is exported."""

import shutil

import pytest

from medseg.bundles import export
from medseg.networks import NestedUNet


def test_a_folder_that_is_removed_while_weights_are_read_ends_an_export_with_an_error(
    tmp_path, monkeypatch
):
    out = tmp_path / "out"
    out.mkdir()

    def trained_network(bundle, arguments):
        shutil.rmtree(out)
        return NestedUNet(2, 1, 2, channels=(2, 3, 4))

    monkeypatch.setattr(export, "_load_trained_network", trained_network)
    with pytest.raises(FileNotFoundError, match="out was removed, moved or replaced while this"):
        export.export_bundle(tmp_path, out / "a.ts")
