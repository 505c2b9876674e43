"""Tests of the hippocampus MR phantom."""

import nibabel as nib
import numpy as np
import pytest

from medseg.datasets import hippocampus, phantom


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp("mr") / "published"
    return phantom.write("mr", out, cases=8, test_cases=2, size=128, seed=1)


def pairs(root):
    items = [i for s in ("training", "validation", "test") for i in hippocampus.list_cases(root, s)]
    return [(nib.load(i["image"]), nib.load(i["label"])) for i in items]


def test_the_set_is_read_as_task04_hippocampus(root):
    assert len(pairs(root)) == 8
    assert len(list((root / "imagesTs").iterdir())) == 2
    assert not (root / "labelsTs").exists()  # as published


def test_volumes_are_as_small_as_the_real_ones_and_labelled_on_their_grid(root):
    for image, label in pairs(root):
        assert image.shape == label.shape
        assert np.array_equal(image.affine, label.affine)
        assert all(30 <= n <= 60 for n in image.shape)


def test_the_anterior_part_lies_in_front_of_the_posterior_one(root):
    for _, label in pairs(root):
        voxels = np.asarray(label.dataobj)
        assert set(np.unique(voxels)) == {0, 1, 2}
        front, behind = (np.argwhere(voxels == value)[:, 1] for value in (1, 2))
        assert front.min() > behind.max()


def test_intensities_differ_in_scale_between_cases_and_show_the_structure(root):
    means = []
    for image, label in pairs(root):
        voxels, inside = image.get_fdata(), np.asarray(label.dataobj) > 0
        assert voxels[inside].mean() > 1.15 * voxels[~inside].mean()
        means.append(voxels.mean())
    assert max(means) > 3 * min(means)


def test_the_same_seed_gives_the_same_voxels_and_another_seed_others(root, tmp_path):
    for seed, same in ((1, True), (2, False)):
        out = phantom.write("mr", tmp_path / str(seed), cases=1, test_cases=0, size=128, seed=seed)
        first, again = (
            nib.load(folder / "imagesTr" / "hippocampus_001.nii.gz").get_fdata()
            for folder in (root, out)
        )
        assert (first.shape == again.shape and np.array_equal(first, again)) == same


def test_a_prepared_folder_has_the_sections_of_the_published_one(root, tmp_path):
    assert hippocampus.prepare(root, tmp_path / "out") == 8
    for section in ("training", "validation", "test"):
        names, prepared_names = (
            {item["case"] for item in hippocampus.list_cases(folder, section, folds=3, seed=2)}
            for folder in (root, tmp_path / "out")
        )
        assert names == prepared_names
