"""Tests of medseg.bundles.keys.other_input: bundles of the model zoo segment images, too."""

import json
import logging

import nibabel
import numpy as np
import pytest

from medseg.bundles.keys.other_input import list_images, split_input
from medseg.bundles.run import run_bundle

ZOO = {
    "imports": ["$import glob"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "dataset_dir": "/workspace/data",
    "datalist": "$list(sorted(glob.glob(@dataset_dir + '/imagesTs/*.nii.gz')))",
    "device": "cpu",
    "network_def": {"_target_": "torch.nn.Identity"},
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "EnsureChannelFirstd", "keys": "image"},
        ],
    },
    "dataset": {
        "_target_": "Dataset",
        "data": "$[{'image': i} for i in @datalist]",
        "transform": "@preprocessing",
    },
    "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 1},
    "inferer": {"_target_": "SimpleInferer"},
    "postprocessing": {
        "_target_": "SaveImaged",
        "keys": "pred",
        "output_dir": "@output_dir",
        "print_log": False,
    },
    "evaluator": {
        "_target_": "SupervisedEvaluator",
        "device": "@device",
        "val_data_loader": "@dataloader",
        "network": "@network_def",
        "inferer": "@inferer",
        "postprocessing": "@postprocessing",
    },
    "evaluating": ["$@evaluator.run()"],
}
"""An inference in the form of the model zoo: of the input alone as its own datalist has it."""


@pytest.fixture
def zoo(tmp_path):
    """A bundle that has `configs/` alone."""
    root = tmp_path / "spleen"
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "inference.json").write_text(json.dumps(ZOO))
    return root


@pytest.fixture
def images(tmp_path):
    """Two volumes, one with a name that MONAI would work out."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a", "$b@c"):
        volume = nibabel.Nifti1Image(np.ones((4, 4, 2), np.float32), np.eye(4))
        nibabel.save(volume, folder / f"{name}.nii.gz")
    return folder


def test_its_images_are_those_of_the_command_line(zoo, images, tmp_path, caplog):
    words = [f"--input={images}", f"--output_dir={tmp_path / 'out'}"]
    with caplog.at_level(logging.WARNING):
        made = run_bundle(zoo, "inference", run_id="inference", arguments=words)
    assert made == tmp_path / "out"
    names = {path.name.partition("_")[0] for path in made.rglob("*.nii.gz")}
    assert names == {"a", "$b@c"}
    assert "medseg checks neither" in caplog.text


def test_one_file_is_one_image_under_the_name_that_the_metadata_give(zoo, images):
    (found,) = list_images(zoo, images / "a.nii.gz")
    assert found == {"image": str(images / "a.nii.gz")}
    inputs = {"network_data_format": {"inputs": {"scan": {}}}}
    (zoo / "configs" / "metadata.json").write_text(json.dumps(inputs))
    assert list_images(zoo, images / "a.nii.gz") == [{"scan": str(images / "a.nii.gz")}]


def test_an_image_that_is_not_there_is_refused_before_anything_runs(zoo, tmp_path):
    words = [f"--input={tmp_path / 'no.nii'}", f"--output_dir={tmp_path / 'out'}"]
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        run_bundle(zoo, "inference", run_id="inference", arguments=words)


def test_a_bundle_with_the_key_keeps_its_words(zoo):
    words = ["--input=a", "--level", "2"]
    assert split_input(zoo, {"input": "b"}, words) == (None, words)
    assert split_input(zoo, ZOO, words) == ("a", ["--level", "2"])


@pytest.mark.parametrize(
    ("without", "said"),
    [("dataset", "nor dataset#data,"), ("output_dir", "nor output_dir,")],
)
def test_a_bundle_that_cannot_be_given_images_is_refused_with_what_to_do(zoo, without, said):
    config = {key: value for key, value in ZOO.items() if key != without}
    with pytest.raises(ValueError, match=f"{said} one of which .*python -m monai.bundle run"):
        split_input(zoo, config, ["--input=a"])
