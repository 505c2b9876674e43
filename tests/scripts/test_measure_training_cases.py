"""Tests of scripts/measure_training_cases.py: it writes what the form says, in numbers of paper."""

import importlib.util
import json
import sys
from dataclasses import fields

import nibabel as nib
import numpy as np
import pytest

from medseg.datasets import hippocampus
from medseg.plausibility import TrainedOn, find_path_beside, read_ranges, write_trained_on
from medseg.plausibility.appearance import FEATURES
from medseg.plausibility.quantities import OF_CLASS, OF_IMAGE
from medseg.plausibility.trained_on import VERSION


@pytest.fixture
def script(repository):
    path = repository / "scripts" / "measure_training_cases.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def dataset(tmp_path):
    """Ten volumes of 10 x 20 x 40 mm, each with two boxes of 2 x 5 x 10 and 4 x 5 x 10 mm."""
    label = np.zeros((10, 20, 40), np.uint8)
    label[6:8, 10:15, 20:30] = 1
    label[0:4, 0:5, 20:30] = 2
    image = np.linspace(0, 100, 8000).reshape(label.shape)  # the median lies in the middle
    entries = []
    for number in range(10):
        entry = {}
        for key, array in (("image", image.astype(np.float32)), ("label", label)):
            file = tmp_path / f"{key}sTr" / f"hippocampus_{number:03}.nii.gz"
            file.parent.mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(array, np.eye(4)), file)
            entry[key] = f"./{key}sTr/{file.name}"
        entries.append(entry)
    labels = {"0": "background", "1": "Anterior", "2": "Posterior"}
    listing = {"labels": labels, "training": entries, "numTraining": 10, "test": []}
    (tmp_path / "dataset.json").write_text(json.dumps(listing))
    return tmp_path


def test_its_numbers_are_those_of_paper(script, dataset, tmp_path, repository, monkeypatch):
    weights = tmp_path / "mine.pt"
    weights.write_bytes(b"weights")
    bundle = str(repository / "bundles" / "hippocampus")
    options = ["--dataset_dir", str(dataset), "--weights", str(weights), "--fold", "1"]
    monkeypatch.chdir(repository)
    monkeypatch.setattr(sys, "argv", ["measure_training_cases.py", bundle, *options])
    assert script.main() == 0
    found = read_ranges(weights)
    training = hippocampus.list_cases(dataset, "training", fold=1)
    assert (found.cases, found.modality, found.dimensions) == (len(training), "MR", 3)
    assert found.about == {"name": "hippocampus", "fold": 1, "folds": 5, "split_seed": 0}
    assert found.image == {
        **{"longest_mm": [40, 40], "shortest_mm": [10, 10], "voxel_mm": [1, 1]},
        "darkness": [pytest.approx(0.5, abs=0.01)] * 2,
        "negative": [0.0, 0.0],
    }
    places = {"place_1": [0.7, 0.7], "place_2": [0.625, 0.625], "place_3": [0.625, 0.625]}
    assert found.classes["anterior"] == {
        **{"share": [0.05, 0.05], "volume_ml": [0.1, 0.1], "pieces": [1, 1]},
        **places,
    }
    assert found.classes["posterior"]["volume_ml"] == [0.2, 0.2]


@pytest.mark.parametrize("name", ["hippocampus", "liver_slices", "nuclei"])
def test_committed_ranges_have_the_form_that_the_script_writes(name, repository, tmp_path):
    bundle = repository / "bundles" / name
    weights = bundle / "models" / "model.pt"
    found, text = read_ranges(weights), find_path_beside(weights).read_text()
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    assert found is not None
    (tmp_path / "model.pt").symlink_to(weights)
    assert text == write_trained_on(found, tmp_path / "model.pt").read_text()
    assert list(json.loads(text)) == [field.name for field in fields(TrainedOn)]
    assert (found.version, found.modality) == (VERSION, config["modality"])
    assert list(found.classes) == list(config["classes"])
    assert set(found.image) <= set(OF_IMAGE)
    for ranges in (found.image, *found.classes.values()):
        assert all(low <= high for low, high in ranges.values())
    assert all(set(ranges) <= set(OF_CLASS) for ranges in found.classes.values())
    assert all(case and set(case) <= set(FEATURES) for case in found.appearance)
    assert len(found.appearance) > 0.9 * found.cases
