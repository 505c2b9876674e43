"""Tests of medseg.inference.outputs.probabilities: names and grids of the files of
probabilities."""

import json

import numpy as np
import pytest
import torch
from monai.data import Dataset, MetaTensor, list_data_collate
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from medseg.datasets import phantom
from medseg.inference import OverlapTileInferer
from medseg.inference.cases.find_cases import find_cases
from medseg.inference.outputs.probabilities import ProbabilityFiles
from medseg.ingest.reader import VolumeReader


def image(*files, affine=None):
    meta = {"filename_or_obj": list(files)}
    given = torch.diag(torch.tensor([2.0, 3, 4, 1])) if affine is None else affine
    return MetaTensor(torch.zeros(max(len(files), 1), 1, 4, 4, 4), affine=given, meta=meta)


@pytest.mark.parametrize(
    ("classes", "channels"),
    [
        ({"liver": [1]}, ["liver"]),
        ({"liver": [1], "tumour": [2]}, ["background", "liver", "tumour"]),
        ({"organ": [1, 2], "tumour": [2]}, ["organ", "tumour"]),
    ],
)
def test_the_file_beside_it_names_the_channels_and_the_grid(tmp_path, classes, channels):
    with ProbabilityFiles(tmp_path / "out", classes=classes)(image("study/a.nii.gz")) as path:
        assert path == tmp_path / "out" / "a_probabilities.npy"
    about = json.loads((tmp_path / "out" / "a_probabilities.json").read_text())
    assert about["channels"] == channels
    assert about["affine"] == np.diag([2.0, 3, 4, 1]).tolist()


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (image("a.nii", "b.nii"), "got 2 images of 2 files"),
        (image(), "got 1 images of 0 files"),
        (torch.zeros(1, 1, 4), "one image that knows its file"),
    ],
)
def test_images_that_have_no_one_file_are_refused(tmp_path, given, match):
    with pytest.raises(ValueError, match=match):
        ProbabilityFiles(tmp_path, classes={"a": [1]})(given).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_an_inference_that_fails_leaves_nothing_beside(tmp_path):
    def network(windows):
        raise RuntimeError("no")

    files = ProbabilityFiles(tmp_path, classes={"a": [1]})
    with pytest.raises(RuntimeError, match="no"):
        OverlapTileInferer(4, halo=0, probabilities=files)(image("a.nii"), network)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    """One volume as NIfTI, one as DICOM."""
    root = tmp_path_factory.mktemp("phantom") / "ct"
    return phantom.write("ct", root, cases=1, test_cases=1, size=48, slices=3)


@pytest.mark.parametrize("source", ["imagesTr/liver_000.nii.gz", "dicom/liver_001"])
def test_the_name_is_that_of_the_case_and_the_grid_that_of_the_image(tmp_path, phantoms, source):
    load = Compose([LoadImaged("image", reader=VolumeReader()), EnsureChannelFirstd("image")])
    cases = find_cases(phantoms / source)
    batch = list_data_collate([Dataset(cases, load)[0]])["image"]
    files = ProbabilityFiles(tmp_path, classes={"a": [1]})
    inferer = OverlapTileInferer(
        48, halo=0, output="labels", classes={"a": [1]}, probabilities=files
    )
    inferer(batch.float(), lambda windows: windows)
    stem = f"{cases[0]['case']}_probabilities"
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{stem}.json", f"{stem}.npy"]
    assert np.load(tmp_path / f"{stem}.npy").shape == tuple(batch.shape[1:]) == (1, 48, 48, 3)
    affine = json.loads((tmp_path / f"{stem}.json").read_text())["affine"]
    assert np.allclose(affine, batch[0].affine)
