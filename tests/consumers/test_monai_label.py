"""MONAI Label segments and trains with the bundles as they are, by its own code.

It needs MONAI Label in an environment of its own: `make test-consumers`.
"""

import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

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

from medseg.base.errors import find_root_cause  # noqa: E402 - after MONAI Label is known there
from medseg.datasets import phantom  # noqa: E402
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


def read_files(folder):
    """The bytes of every file in the folder and of those within, by path."""
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def write_unknown_value(label, folder):
    """A copy of a label with the value 200 in one corner, which is a class of no bundle."""
    values, affine = read_image(str(label))
    values = values.astype(np.uint8)
    values[(0,) * values.ndim] = 200
    made = folder / label.name
    if made.suffix == ".png":
        Image.fromarray(values).save(made)
    else:
        nib.save(nib.Nifti1Image(values, affine), made)
    return made


FAULTS = {
    "missing label": "No such file or directory",
    "unknown value": "holds 200",
    "damaged weights": "central directory|Invalid argument",
    "no case": "no validation cases|at least one case",
}
"""What keeps a training from its start -> what is said of it."""


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_failed_start_in_label_nothing_was_replaced(model, fault, monkeypatch, tmp_path):
    name, bundle, store = model
    monkeypatch.chdir(bundle.parent)
    copy = tmp_path / name
    shutil.copytree(bundle, copy, symlinks=True)
    cases = [] if fault == "no case" else store.datalist()
    if fault == "missing label":
        cases[0]["label"] = str(tmp_path / "missing.nii.gz")
    elif fault == "unknown value":
        cases[0]["label"] = str(write_unknown_value(Path(cases[0]["label"]), tmp_path))
    elif fault == "damaged weights":
        weights = copy / "models" / "model.pt"
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    folders = (copy, store.labels.parent)
    before = [read_files(folder) for folder in folders]
    task = train.BundleTrainTask(str(copy), {})
    request = {"model": name, "device": "cpu", "max_epochs": 1, "val_split": 0.4}
    with pytest.raises(RuntimeError) as caught:  # MONAI's, around ours
        task({**request, "multi_gpu": False}, SimpleNamespace(datalist=lambda: cases))
    assert re.search(FAULTS[fault], str(find_root_cause(caught.value)))
    assert [read_files(folder) for folder in folders] == before
