"""Tests of medseg.bundles.catalogue.start."""

import logging

import pytest
import torch

from medseg.bundles.catalogue.start import start_from
from medseg.networks import NestedUNet


def make(outputs=2):
    return NestedUNet(2, 1, outputs, channels=(4, 8, 16))


def test_a_file_is_taken_and_what_was_kept_is_logged(tmp_path, caplog):
    torch.save(make().state_dict(), tmp_path / "w.pt")
    with caplog.at_level(logging.INFO):
        found = start_from(make(3), tmp_path / "w.pt")
    assert found.new
    assert f"started from {tmp_path / 'w.pt'}: " in caplog.text


def test_a_bundle_gives_its_weights():
    network = NestedUNet(3, 1, 3, channels=(16, 32, 64, 128), norm=["instance", {"affine": True}])
    assert start_from(network, "hippocampus").kept


@pytest.mark.parametrize(("source", "resume"), [(None, False), ("hippocampus", True)])
def test_nothing_is_done_without_a_source_or_in_a_run_that_goes_on(source, resume):
    assert start_from(make(), source, resume=resume) is None


def test_a_bundle_without_weights_is_refused():
    with pytest.raises(FileNotFoundError, match="start_from names liver, which has no weights"):
        start_from(make(), "liver")


def test_a_part_that_would_be_random_is_not_frozen(tmp_path):
    torch.save(make().state_dict(), tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"freeze names heads, of which .*w\.pt has no nodes"):
        start_from(make(3), tmp_path / "w.pt", freeze=["encoder", "heads"])
    assert start_from(make(3), tmp_path / "w.pt", freeze=["encoder"]).new
    with pytest.raises(ValueError, match="random at the start: pass --start_from"):
        start_from(make(), None, freeze=["encoder"])
