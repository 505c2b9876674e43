"""Tests of medseg.transforms.readers.reader_shares: soft targets."""

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import Orientationd
from PIL import Image

from medseg.ingest.pictures.load import PictureReader
from medseg.ingest.reader import VolumeReader
from medseg.losses import HybridLoss
from medseg.transforms import (
    LoadReaders,
    MergeLabelsd,
    ReaderSharesd,
    ResampleSpacingd,
    SharesAsTargetd,
)

NODULE = {"nodule": [1]}


def draw(tmp_path, **rows):
    """A case of pictures: reader -> the first row of four pixels."""
    readers = {}
    for reader, row in rows.items():
        mask = np.zeros((4, 4), np.uint8)
        mask[0] = row
        readers[reader] = str(tmp_path / f"{reader}.png")
        Image.fromarray(mask).save(readers[reader])
    return {"case": "c", "label": torch.zeros(1, 4, 4), "readers": readers}


def read(case, classes=NODULE, values=(0, 1, 2)):
    load = LoadReaders(PictureReader(values), MergeLabelsd("label", classes))
    return ReaderSharesd(load, classes)(case)


def test_the_share_of_the_readers_is_exact_whatever_their_number(tmp_path):
    case = draw(tmp_path, a=[1, 1, 1, 0], b=[0, 1, 1, 0], c=[0, 0, 1, 0])
    found = read(case)
    assert found["shares"][0, 0].tolist() == pytest.approx([1 / 3, 2 / 3, 1, 0])
    assert not found["shares"][0, 1:].any()
    assert "readers" not in found  # batches cannot hold them


def test_an_empty_reader_counts_and_a_missing_one_does_not(tmp_path):
    assert read(draw(tmp_path, a=[1, 0, 0, 0], b=[0, 0, 0, 0]))["shares"][0, 0, 0] == 0.5
    assert read(draw(tmp_path, a=[1, 0, 0, 0]))["shares"][0, 0, 0] == 1


def test_a_case_without_readers_is_refused():
    with pytest.raises(ValueError, match="case c names no readers"):
        read({"case": "c", "label": torch.tensor([[[0, 1]]])})


def test_a_region_has_the_voxels_of_those_within_it(tmp_path):
    case = draw(tmp_path, a=[1, 2, 0, 0], b=[2, 2, 1, 0])
    shares = read(case, {"liver": [1, 2], "tumour": [2]})["shares"]
    assert shares[:, 0].tolist() == [[1, 1, 0.5, 0], [0.5, 1, 0, 0]]


def test_shares_follow_a_label_that_was_turned_and_resampled(tmp_path):
    affine, masks = np.diag([-1, 1, 2, 1.0]), {}
    for reader, end in (("a", 4), ("b", 6)):
        mask = np.zeros((8, 6, 4), np.uint8)
        mask[2:end, 1:5, 1:3] = 1
        image = nib.Nifti1Image(mask, affine)
        image.header.set_xyzt_units("mm")
        masks[reader] = str(tmp_path / f"{reader}.nii.gz")
        nib.save(image, masks[reader])
    load = LoadReaders(VolumeReader(labels=[0, 1]), MergeLabelsd("label", NODULE))
    label = load({"readers": {"a": masks["a"]}})["a"]
    turned = Orientationd("label", axcodes="RAS", labels=None)({"label": label})
    turned = ResampleSpacingd("label", pixdim=[1, 1, 1], mode="nearest")(turned)
    found = ReaderSharesd(load, NODULE)({"case": "c", "readers": masks, **turned})
    assert found["shares"].shape == turned["label"].shape
    assert np.allclose(found["shares"].affine, turned["label"].affine)
    inside = found["shares"][0, :, 2, 2]
    assert inside.tolist() == pytest.approx([0, 0, 0.5, 0.5, 1, 1, 0, 0], abs=1e-5)


def test_under_softmax_the_background_has_what_is_left():
    case = {"label": torch.zeros(1, 2), "shares": torch.tensor([[0.25, 0.5], [0.5, 0.5]])}
    target = SharesAsTargetd({"a": [1], "b": [2]})(case)["label"]
    assert target.tolist() == [[0.25, 0], [0.25, 0.5], [0.5, 0.5]]
    HybridLoss(fractions=True)(torch.zeros(1, 3, 2), target[None])


def test_ignored_voxels_are_ignored_in_every_channel():
    case = {"label": torch.tensor([[255, 0]]), "shares": torch.tensor([[0.25, 0.5], [0.5, 0.5]])}
    target = SharesAsTargetd({"a": [1], "b": [2]})(case)["label"]
    assert target[:, 0].tolist() == [255] * 3
