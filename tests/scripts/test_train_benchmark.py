"""Tests of scripts/train_benchmark.py: patches lie in the volume, and a training goes on."""

import nibabel
import numpy as np
import pytest
import torch


@pytest.fixture
def trainer(script, monkeypatch):
    """The script with a small network and small patches."""
    module = script("train_benchmark")
    monkeypatch.setattr(module, "CHANNELS", (4, 4, 8))
    monkeypatch.setattr(module, "SIZE", {2: (16, 16), 3: (16, 16, 8)})
    return module


@pytest.mark.parametrize("dims", [2, 3])
def test_patches_lie_in_the_volume_and_mostly_on_the_organ(trainer, dims):
    label = torch.zeros(40, 30, 20, dtype=torch.int64)
    label[:6, 20:, 12:15] = 1
    generator = torch.Generator().manual_seed(0)
    places = [trainer.patch(label.nonzero(), label.shape, dims, generator) for _ in range(200)]
    patches = [label[place] for place in places]
    assert {patch.shape for patch in patches} == {(16, 16, 8)[:dims]}
    share = np.mean([bool(patch.any()) for patch in patches])
    assert trainer.ON_ORGAN - 0.15 < share < 1


def test_a_training_starts_from_weights_and_goes_on(trainer, tmp_path):
    generator = np.random.default_rng(0)
    label = np.zeros((24, 24, 20), np.uint8)
    label[6:18, 6:18] = 2
    image = (label * 60 + generator.normal(0, 10, label.shape)).astype(np.int16)
    for name, array in (("image", image), ("label", label)):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / f"{name}.nii.gz")
    words = ["--case", str(tmp_path), "--dims", "2", "--steps", "10", "--norm", "instance"]
    threads = torch.get_num_threads()
    assert trainer.main([*words, "--out", str(tmp_path / "a.pt")]) == 0
    started = [*words, "--start", str(tmp_path / "a.pt"), "--out", str(tmp_path / "b.pt")]
    assert trainer.main(started) == 0
    torch.set_num_threads(threads)
    first, second = (torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in "ab")
    assert first.keys() == second.keys()
    assert not any("running" in key for key in first)
    weights = [key for key in first if key.endswith(".weight")]
    changed = max((first[key] - second[key]).abs().max() for key in weights)
    assert 0 < changed < 0.05  # ten steps of Adam, each of about 0.001 at most
