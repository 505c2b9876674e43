"""Bundles with `configs/` alone: of the model zoo, and unpacked or checked out without links."""

import json
import shutil
import sys

import nibabel as nib
import pytest
from integration import commands

from medseg.bundles.build import FLAT_NAMES
from medseg.datasets import phantom

pytestmark = pytest.mark.long
MEDSEG = [sys.executable, "-c", "from medseg.cli.app import main; main()"]

SPLEEN = {
    "imports": ["$import glob"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "dataset_dir": "/workspace/data",
    "images": "$sorted(glob.glob(@dataset_dir + '/imagesTr/*.nii.gz'))",
    "labels": "$sorted(glob.glob(@dataset_dir + '/labelsTr/*.nii.gz'))",
    "epochs": 5,
    "device": "$torch.device('cpu')",
    "network_def": {
        "_target_": "UNet",
        **{"spatial_dims": 3, "in_channels": 1, "out_channels": 3},
        **{"channels": [2, 4], "strides": [2]},
    },
    "loss": {"_target_": "DiceCELoss", "to_onehot_y": True, "softmax": True},
    "optimizer": {
        "_target_": "torch.optim.Adam",
        "params": "$@network_def.parameters()",
        "lr": 0.001,
    },
    "train": {
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": ["image", "label"]},
                {"_target_": "EnsureChannelFirstd", "keys": ["image", "label"]},
                {
                    "_target_": "ResizeWithPadOrCropd",
                    "keys": ["image", "label"],
                    "spatial_size": [8, 8, 8],
                },
            ],
        },
        "dataset": {
            "_target_": "Dataset",
            "data": "$[{'image': i, 'label': l} for i, l in zip(@images, @labels)]",
            "transform": "@train#preprocessing",
        },
        "dataloader": {"_target_": "DataLoader", "dataset": "@train#dataset"},
        "handlers": [
            {
                "_target_": "CheckpointSaver",
                "save_dir": "$@bundle_root + '/models'",
                "save_dict": {"model": "@network_def"},
                "save_final": True,
                "final_filename": "model.pt",
            }
        ],
        "trainer": {
            "_target_": "SupervisedTrainer",
            "max_epochs": "@epochs",
            "device": "@device",
            "train_data_loader": "@train#dataloader",
            "network": "@network_def",
            "loss_function": "@loss",
            "optimizer": "@optimizer",
            "train_handlers": "@train#handlers",
        },
    },
    "run": ["$@train#trainer.run()"],
}
"""In the form of the zoo, with its id `run`, and with no key that medseg's own configs need."""


@pytest.fixture
def work(tmp_path):
    phantom.write("mr", tmp_path / "data" / "hippocampus", cases=2, seed=0)
    return tmp_path


def test_a_bundle_of_the_model_zoo_trains(work, repository):
    configs = work / "zoo" / "spleen" / "configs"
    configs.mkdir(parents=True)
    original = repository / "bundles" / "hippocampus" / "configs"
    for name in ("metadata.json", "logging.conf"):
        shutil.copy(original / name, configs)
    (configs / "train.json").write_text(json.dumps(SPLEEN))
    words = ["-b", "zoo/spleen", "--epochs", "1", "--dataset_dir", "data/hippocampus"]
    ended = commands.run([*MEDSEG, "train", *words], work)
    assert ended.returncode == 0, ended.stderr
    assert (configs.parent / "models" / "model.pt").is_file()
    ended = commands.run([*MEDSEG, "train", "-b", "zoo/spleen", "--epoch", "1"], work)
    assert ended.stderr.startswith("error: override --epoch is not a key of zoo/spleen/configs/tr")


@pytest.mark.parametrize("flat", ["absent", "a line of text"])
def test_a_bundle_without_links_segments(work, repository, flat):
    original, bundle = repository / "bundles" / "hippocampus", work / "unpacked"
    for part in ("configs", "models"):
        shutil.copytree(original / part, bundle / part)
    if flat != "absent":
        for name in FLAT_NAMES:
            (bundle / name).write_text(f"configs/{name}")  # as git writes a link it cannot make
    image = next((work / "data" / "hippocampus" / "imagesTs").glob("*.nii.gz"))
    words = ["segment", str(image), "-b", "unpacked", "-o", "masks", "--force"]
    ended = commands.run([*MEDSEG, *words], work)
    assert ended.returncode == 0, ended.stderr
    assert nib.load(work / "masks" / image.name).shape == nib.load(image).shape


def test_a_bundle_without_licences_and_docs_trains_and_its_run_segments(work, repository):
    shutil.copytree(repository / "bundles" / "hippocampus" / "configs", work / "mine" / "configs")
    (work / "mine" / "configs" / "logging.conf").unlink()
    phantom.write("mr", work / "data" / "eight", cases=8, seed=0)
    words = ["train", "-b", "mine", "--dataset_dir", "data/eight", "--max_epochs", "1"]
    small = ["--channels", "[2, 4, 8]", "--image_size", "[16, 16, 16]", "--num_workers", "0"]
    ended = commands.run([*MEDSEG, *words, *small], work)
    assert ended.returncode == 0, ended.stderr
    assert (ended.stdout + ended.stderr).count(
        "mine has no LICENSE, docs/data_license.txt, con"
    ) == 1
    (run,) = (work / "runs").glob("*/*")
    image = next((work / "data" / "hippocampus" / "imagesTs").glob("*.nii.gz"))
    words = ["segment", str(image), "-b", str(run), "-o", "masks", "--force"]
    ended = commands.run([*MEDSEG, *words], work)
    assert ended.returncode == 0, ended.stderr
