"""Imported models of nnU-Net give the labels of nnU-Net's own predictor.

It needs nnU-Net in an environment of its own: `make test-consumers`. Models are trained for half a
minute each, by nnU-Net, and predict images of other spacings, axes and sizes than they were trained
on. nnU-Net adds logits up in float16, so that a voxel whose logits are alike may go either way.
`MEDSEG_NNUNET_MODELS` names a folder in which the models are kept for the next run.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch

pytest.importorskip("nnunetv2")

sys.path.insert(0, str(Path(__file__).parent))
import train_nnunet

from medseg.bundles.nnunet.import_model import import_model
from medseg.bundles.segmenter import Segmenter

LEAST_DICE = 0.999
ORGAN = 20.0
"""The value of the organ; a lesion in it is brighter."""
VARIANTS = ("as_trained", "resampled", "thick", "turned", "small", "padded", "without_lesion")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with raw data and trained models."""
    kept = os.environ.get("MEDSEG_NNUNET_MODELS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("nnunet")
    places = {f"nnUNet_{kind}": str(folder / kind) for kind in ("raw", "preprocessed", "results")}
    if not (folder / "trained").exists():
        for place in places.values():
            Path(place).mkdir(parents=True)
        script = Path(train_nnunet.__file__)
        subprocess.run([sys.executable, str(script)], env={**os.environ, **places}, check=True)
        (folder / "trained").touch()
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
    if variant == "without_lesion":
        return SimpleITK.Minimum(image, ORGAN)
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
    return load(model[0], model[1])


def load(folder, folds):
    """nnU-Net's predictor on the CPU, with its step of 0.5 and mirroring."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    made = nnUNetPredictor(
        perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    made.initialize_from_trained_model_folder(str(folder), folds, "checkpoint_final.pth")
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
    expected = predict(predictor, paths, tmp_path)
    found = segment(segmenter, paths)
    if variant == "as_trained":
        assert (expected > 0).sum() > 100, "the model finds nothing: train it longer"
    check_alike(found, expected)


def predict(predictor, paths, folder):
    """The labels of nnU-Net, (K, J, I)."""
    out = folder / "nnunet.nii.gz"
    predictor.predict_from_files_sequential([paths], [str(out)])
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(out)))


def segment(segmenter, paths):
    """The labels of medseg, (K, J, I)."""
    return segmenter(paths if len(paths) > 1 else paths[0]).mask.transpose(2, 1, 0)


def check_alike(found, expected):
    """Each label has a Dice of `LEAST_DICE`, or one voxel differs at most."""
    assert found.shape == expected.shape
    for value in range(1, int(max(found.max(), expected.max())) + 1):
        ours, theirs = found == value, expected == value
        differ = int(np.logical_xor(ours, theirs).sum())
        dice = 2 * (ours & theirs).sum() / max(ours.sum() + theirs.sum(), 1)
        assert dice >= LEAST_DICE or differ <= 1, (value, differ, dice)


def write_old_plans(model):
    """Give a model folder plans as they were before they had a section on the architecture."""
    plans = json.loads((model / "plans.json").read_text())
    for configuration in plans["configurations"].values():
        network = configuration.pop("architecture", {}).get("arch_kwargs")
        if network is None:
            continue
        configuration |= {
            "UNet_class_name": "PlainConvUNet",
            "UNet_base_num_features": network["features_per_stage"][0],
            "unet_max_num_features": max(network["features_per_stage"]),
            "n_conv_per_stage_encoder": network["n_conv_per_stage"],
            "n_conv_per_stage_decoder": network["n_conv_per_stage_decoder"],
            "num_pool_per_axis": [0] * len(configuration["patch_size"]),
            "pool_op_kernel_sizes": network["strides"],
            "conv_kernel_sizes": network["kernel_sizes"],
        }
    (model / "plans.json").write_text(json.dumps(plans))


def test_a_model_with_old_plans_gives_the_same_labels(folder, tmp_path):
    kept = folder / "results" / "Dataset001_One" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    old = shutil.copytree(kept, tmp_path / kept.name)
    write_old_plans(old)
    paths = [str(folder / "raw" / "Dataset001_One" / "imagesTr" / "c1_0000.nii.gz")]
    made = import_model(old, tmp_path / "old", folds=["0"])
    segmenter = Segmenter(made.folder, force=True, mixed_precision=False, measure=False)
    check_alike(segment(segmenter, paths), predict(load(old, (0,)), paths, tmp_path))


def test_a_zip_that_nnunet_exports_becomes_the_same_bundle(folder, tmp_path, monkeypatch):
    from nnunetv2.model_sharing import model_export

    name = Path("results", "Dataset003_Two", "nnUNetTrainer__nnUNetResEncUNetMPlans__3d_lowres")
    model = shutil.copytree(folder / name, tmp_path / name)
    (model / "fold_0" / "validation").mkdir(exist_ok=True)
    (model / "fold_0" / "validation" / "summary.json").write_text("{}")  # of a whole training
    monkeypatch.setattr(model_export, "nnUNet_results", str(tmp_path / "results"))
    monkeypatch.setattr(model_export, "get_output_folder", lambda *names: str(model))
    monkeypatch.setattr(model_export, "maybe_convert_to_dataset_name", lambda name: name)
    model_export.export_pretrained_model(
        "Dataset003_Two", str(tmp_path / "model.zip"), ("3d_lowres",), folds=(0,)
    )
    of_zip = import_model(tmp_path / "model.zip", tmp_path / "zip_one")
    of_folder = import_model(model, tmp_path / "folder_one")
    weights, expected = (
        torch.load(made.folder / "models" / "model.pt", weights_only=True)
        for made in (of_zip, of_folder)
    )
    tensors = {key: value for key, value in weights.items() if isinstance(value, torch.Tensor)}
    assert len(tensors) > 10
    assert all(torch.equal(value, expected[key]) for key, value in tensors.items())
