"""Tests of medseg.inference.cases.find_pictures: what counts as a picture, and what is refused."""

import pytest
from ingest.dicom_writer import make_series, write_series

from medseg.inference import find_cases, find_pictures


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")
    return folder


def names(path, **choices):
    return [case["case"] for case in find_pictures(path, **choices)]


def refusal(find, path):
    with pytest.raises(ValueError, match="this bundle segments") as caught:
        find(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("file", ["a.png", "a.JPG", "a.jpeg", "a.tif", "a.TIFF", "a.bmp"])
def test_a_picture_file_is_one_case_named_without_its_suffix(tmp_path, file):
    path = touch(tmp_path, file) / file
    assert find_pictures(path) == [{"case": "a", "image": str(path)}]


def test_a_name_keeps_its_inner_dots(tmp_path):
    assert names(touch(tmp_path, "slide.2.x40.png")) == ["slide.2.x40"]


def test_a_folder_gives_a_case_for_each_picture_sorted_by_name(tmp_path):
    assert names(touch(tmp_path, "c.png", "a.tif", "b.jpg")) == ["a", "b", "c"]


def test_other_files_and_subfolders_are_left_aside_and_logged(tmp_path, caplog):
    touch(tmp_path, "a.png", "notes.txt", "b.nii.gz", "sub.png/c.png")
    assert names(tmp_path) == ["a"]
    assert "2 files in an unsupported format (b.nii.gz, notes.txt)" in caplog.text
    assert "1 subfolder not searched (sub.png)" in caplog.text


def test_hidden_files_are_not_looked_at(tmp_path, caplog):
    assert names(touch(tmp_path, "a.png", "._a.png", ".cache/b.png")) == ["a"]
    assert not caplog.text


def test_a_link_has_its_own_name_and_a_dangling_one_is_a_case_that_fails_later(tmp_path):
    (tmp_path / "case1.png").symlink_to(tmp_path / "absent.png")
    assert names(tmp_path) == ["case1"]


def test_two_pictures_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="are named a: rename"):
        find_pictures(touch(tmp_path, "a.png", "a.jpg"))


def test_what_does_not_exist_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*absent\.png \(a pict"):
        find_pictures(tmp_path / "absent.png")


def test_an_empty_folder_is_refused(tmp_path):
    assert f"{tmp_path} holds no picture: this" in refusal(find_pictures, tmp_path)


def test_a_volume_is_refused_by_what_it_is(tmp_path):
    touch(tmp_path, "nifti/ct.nii.gz", "text/list.csv")
    write_series(tmp_path / "dicom", make_series())
    slice_file = sorted((tmp_path / "dicom").iterdir())[0]
    told = {
        tmp_path / "nifti/ct.nii.gz": "ct.nii.gz is a NIfTI volume: this",
        tmp_path / "nifti": "nifti holds no picture, ct.nii.gz is a NIfTI volume: this",
        slice_file: f"{slice_file.name} is a DICOM file: this",
        tmp_path / "dicom": f"holds no picture, {slice_file.name} is a DICOM file: this",
        tmp_path / "text/list.csv": "list.csv is no picture by its name: this",
        tmp_path: "holds no picture, dicom is a folder: this",
    }
    for path, words in told.items():
        assert words in refusal(find_pictures, path)


def test_a_picture_is_refused_as_a_volume(tmp_path):
    touch(tmp_path, "a.png", "b.jpg")
    assert f"{tmp_path / 'a.png'} is a picture: this" in refusal(find_cases, tmp_path / "a.png")
    assert "holds no case, a.png is a picture: this" in refusal(find_cases, tmp_path)


@pytest.mark.parametrize("there", ["a_label.png", "a.png"])
def test_outputs_that_exist_are_refused_by_default(tmp_path, there):
    touch(tmp_path, "in/a.png", "in/b.png", f"out/{there}")
    with pytest.raises(ValueError, match=r"1 of 2 cases would write over outputs in .*\(a\): pass"):
        find_pictures(tmp_path / "in", output_dir=tmp_path / "out")
    assert names(tmp_path / "in", output_dir=tmp_path / "out", existing="overwrite") == ["a", "b"]


def test_pictures_with_a_label_map_are_skipped_on_demand(tmp_path):
    touch(tmp_path, "in/a.png", "in/b.png", "out/a_label.png")
    assert names(tmp_path / "in", output_dir=tmp_path / "out", existing="skip") == ["b"]


@pytest.mark.parametrize("existing", ["refuse", "skip", "overwrite"])
def test_a_preview_never_takes_the_place_of_its_picture(tmp_path, existing):
    touch(tmp_path, "a.png")
    with pytest.raises(ValueError, match=r"output a\.png of case a would take the place of an ima"):
        find_pictures(tmp_path / "a.png", output_dir=tmp_path, existing=existing)


@pytest.mark.parametrize("existing", ["refuse", "skip", "overwrite"])
def test_outputs_beside_the_pictures_of_a_folder_are_refused_before_any_clash(tmp_path, existing):
    touch(tmp_path, "a.jpg", "a.png")  # as of a picture and its preview
    with pytest.raises(ValueError, match="is the folder of the inputs: write to another folder"):
        find_pictures(tmp_path, output_dir=tmp_path, existing=existing)


def test_a_picture_with_the_name_of_another_ones_label_map_is_refused(tmp_path):
    touch(tmp_path, "a.png", "a_instances.png")
    with pytest.raises(ValueError, match=r"cases a and a_instances would both write a_instances"):
        find_pictures(tmp_path, output_dir=tmp_path / "out", objects=True)


def test_a_label_beside_its_picture_is_no_case_but_one_that_is_named_itself(tmp_path, caplog):
    touch(tmp_path, "a.png", "a_label.png")
    assert [case["case"] for case in find_pictures(tmp_path, output_dir=tmp_path / "out")] == ["a"]
    assert "named like a label of one of them (a_label.png)" in caplog.text
    assert [case["case"] for case in find_pictures(tmp_path / "a_label.png")] == ["a_label"]


def test_an_unknown_mode_is_refused(tmp_path):
    with pytest.raises(ValueError, match="one of refuse, skip, overwrite, got 'ask'"):
        find_pictures(tmp_path, existing="ask")
