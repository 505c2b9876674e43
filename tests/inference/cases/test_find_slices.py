"""Tests of medseg.inference.cases.find_slices: an input is of pictures or of volumes."""

import os

import pytest

from medseg.inference import find_slices, holds_pictures
from medseg.inference.outputs.label_files import LabelFiles


def made(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.png"], True),
        (["a.png", "b.JPG", "notes.txt", ".hidden.nii.gz"], True),
        (["a.png", "b.nii.gz"], False),
        (["a.png", "b.dcm"], False),
        (["b.nii.gz"], False),
        (["notes.txt"], False),
        ([".a.png"], False),
        ([], False),
    ],
)
def test_a_folder_is_of_pictures_if_it_holds_some_and_no_volume(tmp_path, names, expected):
    assert holds_pictures(made(tmp_path / "in", *names)) is expected


def test_a_file_is_of_pictures_by_its_name(tmp_path):
    made(tmp_path, "a.png", "b.nii.gz")
    assert holds_pictures(tmp_path / "a.png")
    assert holds_pictures(os.fspath(tmp_path / "a.png"))
    assert not holds_pictures(tmp_path / "b.nii.gz")


@pytest.mark.parametrize("path", ["nowhere.png", None, 7, "\0.png"])
def test_what_is_not_there_or_no_path_is_of_no_picture(path):
    assert not holds_pictures(path)


def test_a_subfolder_may_be_a_study_unless_the_outputs_go_there(tmp_path):
    folder = made(tmp_path / "in", "a.png")
    made(folder / "masks", "b.png")
    assert not holds_pictures(folder)
    assert holds_pictures(folder, output_dir=folder / "masks")


def test_pictures_beside_masks_of_an_earlier_run_are_pictures(tmp_path):
    folder = made(tmp_path / "in", "a.png")
    LabelFiles(made(folder / "masks", "a_label.png"), ["liver"])()
    assert holds_pictures(folder, output_dir=tmp_path / "out")
    assert [case["case"] for case in find_slices(folder)] == ["a"]


def test_pictures_and_volumes_are_found_as_by_the_functions_of_their_own(tmp_path):
    pictures = made(tmp_path / "pictures", "b.png", "a.png")
    volumes = made(tmp_path / "volumes", "c.nii.gz")
    out = tmp_path / "out"
    assert [case["case"] for case in find_slices(pictures, output_dir=out)] == ["a", "b"]
    assert [case["case"] for case in find_slices(volumes, output_dir=out)] == ["c"]


def test_each_kind_has_its_own_outputs_in_the_way(tmp_path):
    pictures = made(tmp_path / "pictures", "a.png")
    volumes = made(tmp_path / "volumes", "a.nii.gz")
    out = made(tmp_path / "out", "a_label.png", "a.png")
    assert find_slices(pictures, output_dir=out, existing="skip") == []
    assert len(find_slices(volumes, output_dir=out, existing="skip")) == 1
    with pytest.raises(ValueError, match="1 of 1 case would write over outputs"):
        find_slices(pictures, output_dir=out)


def test_probabilities_of_pictures_are_refused(tmp_path):
    pictures = made(tmp_path / "pictures", "a.png")
    with pytest.raises(ValueError, match=r"probabilities are written of volumes, and .*pictures"):
        find_slices(pictures, output_dir=tmp_path / "out", probabilities=True)
    with pytest.raises(TypeError, match="save_probabilities must be True or False"):
        find_slices(pictures, output_dir=tmp_path / "out", probabilities="no")


def test_an_input_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        find_slices(tmp_path / "a.png")
