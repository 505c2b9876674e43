"""Imported models of nnU-Net give the labels of nnU-Net's own predictor.

It needs nnU-Net in an environment of its own: `make test-consumers`. Models are trained for half a
minute each, by nnU-Net, and predict images of other spacings, axes and sizes than they were trained
on. nnU-Net adds logits up in float16, so that a voxel whose logits are alike may go either way.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

pytest.importorskip("nnunetv2")

sys.path.insert(0, str(Path(__file__).parent))
import train_nnunet

from medseg.bundles.nnunet.import_model import import_model
from medseg.bundles.segmenter import Segmenter

LEAST_DICE = 0.999
VARIANTS = ("as_trained", "resampled", "thick", "turned", "small", "padded")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with raw data and trained models."""
    folder = tmp_path_factory.mktemp("nnunet")
    places = {f"nnUNet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")}
    for place in places.values():
        Path(place).mkdir()
    script = Path(train_nnunet.__file__)
    subprocess.run([sys.executable, str(script)], env={**os.environ, **places}, check=True)
    os.environ.update(places)
    return folder


def resample(image, spacing):
    """The image with other voxels."""
    old = zip(image.GetSize(), image.GetSpacing(), spacing, strict=True)
    size = [max(round(n * mm / new), 1) for n, mm, new in old]
    return SimpleITK.Resample(
        image, size, SimpleITK.Transform(), SimpleITK.sitkLinear, image.GetOrigin(), spacing,
        image.GetDirection(), 0, image.GetPixelID(),
    )  # fmt: skip


def vary(image, variant):
    """An image of the same scene that differs from those of the training."""
    if variant == "resampled":
        return resample(image, (0.7, 2.1, 1.9))
    if variant == "thick":
        return resample(image, (1.0, 1.0, 6.5))
    if variant == "turned":
        return SimpleITK.DICOMOrient(image, "SAL")
    if variant == "small":
        return image[12:25, 10:34, 4:12]
    if variant == "padded":
        values = SimpleITK.GetArrayFromImage(image)
        values[:3], values[:, :, -9:] = 0, 0
        padded = SimpleITK.GetImageFromArray(values)
        padded.CopyInformation(image)
        return padded
    return image


@pytest.fixture(scope="module", params=train_nnunet.MODELS, ids=lambda one: "-".join(one[:2]))
def model(request, folder):
    """A trained model: its folder, its folds, and the channels of one case."""
    name, configuration, plans, folds = request.param
    path = folder / "results" / name / f"nnUNetTrainer__{plans}__{configuration}"
    return path, folds, sorted((folder / "raw" / name / "imagesTr").glob("c0_*"))


@pytest.fixture(scope="module")
def predictor(model):
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    made = nnUNetPredictor(
        perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    made.initialize_from_trained_model_folder(str(model[0]), model[1], "checkpoint_final.pth")
    return made


@pytest.fixture(scope="module")
def segmenter(model, tmp_path_factory):
    made = import_model(model[0], tmp_path_factory.mktemp("bundles") / "imported")
    return Segmenter(made.folder, force=True, mixed_precision=False, measure=False)


@pytest.mark.parametrize("variant", VARIANTS)
def test_labels_are_those_of_nnunet(model, predictor, segmenter, variant, tmp_path):
    files = [tmp_path / file.name for file in model[2]]
    for file, source in zip(files, model[2], strict=True):
        SimpleITK.WriteImage(vary(SimpleITK.ReadImage(str(source)), variant), str(file))
    paths = [str(file) for file in files]
    predictor.predict_from_files_sequential([paths], [str(tmp_path / "nnunet.nii.gz")])
    expected = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "nnunet.nii.gz")))
    found = segmenter(paths if len(paths) > 1 else paths[0]).mask.transpose(2, 1, 0)
    assert found.shape == expected.shape
    if variant == "as_trained":
        assert (expected > 0).sum() > 100, "the model finds nothing: train it longer"
    for value in range(1, int(max(found.max(), expected.max())) + 1):
        ours, theirs = found == value, expected == value
        differ = int(np.logical_xor(ours, theirs).sum())
        dice = 2 * (ours & theirs).sum() / max(ours.sum() + theirs.sum(), 1)
        assert dice >= LEAST_DICE or differ <= 1, (value, differ, dice)
