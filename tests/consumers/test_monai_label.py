"""MONAI Label segments and trains with the bundles as they are, by its own code.

It needs MONAI Label in an environment of its own: `make test-consumers`.
"""

import json
import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image

STUBS = Path(__file__).parent / "stubs"
sys.path.insert(0, str(STUBS))
infer = pytest.importorskip("monailabel.tasks.infer.bundle")
train = pytest.importorskip("monailabel.tasks.train.bundle")

from medseg.datasets import phantom  # noqa: E402 - after MONAI Label is known to be there
from medseg.datasets.prepare import prepare  # noqa: E402

KINDS = {
    "hippocampus": ("mr", {}),
    "nuclei": ("microscopy", {}),
    "liver": ("ct", {"channels": [4, 8, 16], "image_size": [64, 64]}),
    "liver_3d": (
        "ct",
        {"channels": [4, 8, 16, 16], "image_size": [32, 32, 16], "kernel_size": 3, "strides": 2},
    ),
}
LABELS = {
    "hippocampus": {"anterior": 1, "posterior": 2},
    "nuclei": {"nucleus": 1},
    "liver": {"liver": 1},
    "liver_3d": {"liver": 1, "tumour": 2},
}


MSD = ("imagesTr", "labelsTr")


class Datastore:
    """What MONAI Label asks of its store: paths of images and labels."""

    def __init__(self, folder):
        images, labels = ("images", "masks") if (folder / "images").is_dir() else MSD
        self.images = sorted((folder / images).iterdir())
        self.labels = folder / labels

    def datalist(self):
        labels = self.labels
        return [{"image": str(image), "label": str(labels / image.name)} for image in self.images]


def read_image(path):
    """Voxels and affine of a volume; rows and columns of a picture, which has no affine."""
    if path.endswith(".png"):
        return np.asarray(Image.open(path).convert("L")), np.eye(3)
    file = nib.load(path)
    return np.asarray(file.dataobj), file.affine


def read_result(result, _):
    """As `read_image`; of a picture Label writes one line of pixels, so its array is taken."""
    return read_image(result) if isinstance(result, str) else (np.asarray(result[0]), np.eye(3))


@pytest.fixture(scope="module", params=list(KINDS))
def model(request, tmp_path_factory, repository):
    """Name, bundle folder and store; a bundle without weights gets random ones."""
    name, (kind, changes) = request.param, KINDS[request.param]
    root = tmp_path_factory.mktemp(name)
    size = {"size": 64, "slices": 12} if kind == "ct" else {}
    if kind == "microscopy":
        phantom.write(kind, root / "published", cases=6, seed=0)
        prepare("nuclei", root / "published", root / "data")
    else:
        phantom.write(kind, root / "data", cases=6, seed=0, **size)
    bundle = root / "app" / name
    shutil.copytree(repository / "bundles" / name, bundle, symlinks=True)
    for file in (bundle / "configs").glob("*.json"):
        config = json.loads(file.read_text())
        kept = {key: value for key, value in changes.items() if key in config}
        file.write_text(json.dumps({**config, **kept}))
    weights = bundle / "models" / "model.pt"
    if changes:
        weights.parent.mkdir(exist_ok=True)
        config = ConfigParser(json.loads((bundle / "inference.json").read_text()))
        torch.save(config.get_parsed_content("network_def").state_dict(), weights)
    return name, bundle, Datastore(root / "data")


def test_a_bundle_segments_in_label_by_the_names_and_values_of_its_label_map(model, monkeypatch):
    name, bundle, store = model
    monkeypatch.chdir(bundle.parent)
    task = infer.BundleInferTask(str(bundle), {})
    assert task.is_valid()
    assert task.labels == LABELS[name]
    image = str(store.images[0])
    request = {"model": name, "image": image, "device": "cpu", "result_extension": ".nii.gz"}
    found = read_result(*task({**request, "result_write_to_file": name != "nuclei"}))
    given = read_image(image)
    assert found[0].shape == given[0].shape
    assert np.allclose(found[1], given[1], atol=1e-3)
    assert set(np.unique(found[0])) <= {0, *LABELS[name].values()}
    assert found[0].any() or name not in ("hippocampus", "nuclei")  # random weights elsewhere
    assert not list(bundle.parent.glob("predictions*"))


def test_a_bundle_trains_in_label_and_has_the_new_weights(model, monkeypatch):
    name, bundle, store = model
    monkeypatch.chdir(bundle.parent)
    weights = bundle / "models" / "model.pt"
    before = weights.read_bytes()
    task = train.BundleTrainTask(str(bundle), {})
    request = {"model": name, "device": "cpu", "max_epochs": 1, "val_split": 0.4}
    assert task({**request, "multi_gpu": False}, store) == {}
    assert weights.read_bytes() != before
    (run,) = (bundle.parent / "runs" / name).iterdir()
    assert weights.read_bytes() == (run / "models" / "model.pt").read_bytes()
    assert any(file.read_bytes() == before for file in (bundle / "replaced").glob("*.pt"))
