"""Checkpoint: what nnU-Net saves is read, and nothing that could run code."""

import os

import pytest
import torch
from bundles.nnunet.models import save_checkpoint

from medseg.bundles.nnunet.checkpoint import read_checkpoint

WEIGHTS = {"encoder.weight": torch.ones(2)}


def save(file, **content):
    save_checkpoint(
        file,
        **{
            "network_weights": WEIGHTS,
            "trainer_name": "nnUNetTrainer",
            "init_args": {"configuration": "2d"},
            "inference_allowed_mirroring_axes": (0, 1),
            **content,
        },
    )
    return file


def test_the_weights_and_what_they_say_are_read(tmp_path):
    found = read_checkpoint(save(tmp_path / "x.pth"))
    assert list(found.weights) == ["encoder.weight"]
    assert (found.trainer, found.configuration, found.mirror_axes, found.epoch) == (
        "nnUNetTrainer",
        "2d",
        (0, 1),
        10,
    )


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_what_wraps_the_network_is_taken_off(tmp_path, prefix):
    wrapped = {prefix + key: value for key, value in WEIGHTS.items()}
    assert list(read_checkpoint(save(tmp_path / "x.pth", network_weights=wrapped)).weights) == [
        "encoder.weight"
    ]


def test_a_training_without_mirroring_has_no_axes(tmp_path):
    file = save(tmp_path / "x.pth", inference_allowed_mirroring_axes=None)
    assert read_checkpoint(file).mirror_axes == ()


class Runs:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_a_pickle_that_would_run_code_is_refused_with_what_it_asks_for(tmp_path):
    file = save(tmp_path / "x.pth", extra=Runs(str(tmp_path / "ran")))
    with pytest.raises(ValueError, match=r"asks for posix\.mkdir"):
        read_checkpoint(file)
    assert not (tmp_path / "ran").exists()


def test_weights_that_are_not_finite_are_refused(tmp_path):
    file = save(tmp_path / "x.pth", network_weights={"a": torch.tensor([1.0, float("nan")])})
    with pytest.raises(ValueError, match="not finite, such as a: the training diverged"):
        read_checkpoint(file)


def test_a_truncated_checkpoint_is_refused(tmp_path):
    file = save(tmp_path / "x.pth")
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"x.pth cannot be read .*cut short"):
        read_checkpoint(file)


def test_other_files_of_torch_are_refused(tmp_path):
    torch.save(WEIGHTS, tmp_path / "x.pth")
    with pytest.raises(ValueError, match="no network_weights: it is no checkpoint of nnU-Net v2"):
        read_checkpoint(tmp_path / "x.pth")
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "absent.pth")
