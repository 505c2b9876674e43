"""Tests of medseg.inference.outputs.source: the files, the name and the grid of a case."""

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medseg.inference.outputs.source import get_case_name, get_source_geometry, list_files


@pytest.mark.parametrize(
    ("stated", "files"),
    [("a.nii", ["a.nii"]), (["a.nii", "b.nii"], ["a.nii", "b.nii"]), ([Path("c")], ["c"])],
)
def test_the_files_of_an_image_are_those_of_its_meta_data(stated, files):
    assert (
        list_files(MetaTensor(torch.zeros(1, 1, 4, 4), meta={"filename_or_obj": stated})) == files
    )


def test_a_plain_tensor_and_one_made_in_memory_have_no_files():
    assert list_files(torch.zeros(1, 1, 4, 4)) == []
    assert list_files(MetaTensor(torch.zeros(1, 1, 4, 4))) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("study/ct.nii.gz", "ct"),
        ("study/ct.1.dcm", "ct.1"),
        ("study/../ct.nrrd", "ct"),
        ("study/1.2.840", "1.2.840"),
        ("imagesTs/liver_12_0000.nii.gz", "liver_12"),
        ("imagesTs/liver_0000.MHA", "liver"),
        ("imagesTs/liver_0001.nii.gz", "liver_0001"),
        ("imagesTs/liver_000000.nii.gz", "liver_000000"),
        ("imagesTs/_0000.nii.gz", "_0000"),
        ("study/im_0000.dcm", "im_0000"),
    ],
)
def test_a_case_is_named_after_its_file_without_the_suffix_of_an_image(path, name):
    assert get_case_name(Path(path)) == name


def test_a_case_is_named_after_its_whole_folder_and_after_a_link_and_not_its_target(
    tmp_path, monkeypatch
):
    folder, link = tmp_path / "patient.nii", tmp_path / "other.nii"
    folder.mkdir()
    (tmp_path / "study_0000").mkdir()
    assert get_case_name(tmp_path / "study_0000") == "study_0000"
    link.symlink_to(folder)
    assert (get_case_name(folder), get_case_name(link)) == ("patient.nii", "other.nii")
    monkeypatch.chdir(folder)
    assert get_case_name(Path(".")) == "patient.nii"


def test_the_grid_is_that_of_the_file_whatever_was_done_to_the_image():
    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    image = MetaTensor(torch.zeros(1, 5, 5, 5), affine=torch.eye(4))
    image.meta |= {"original_affine": affine, "spatial_shape": np.array([10, 20, 30])}
    grid = get_source_geometry(image)
    assert grid.shape == (10, 20, 30)
    assert np.array_equal(grid.affine, affine)
