"""Tests of medseg.datasets.liver_slices."""

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medseg.datasets import liver_slices, prepared


@pytest.fixture
def folder(tmp_path):
    """Ten patients with three slices each."""
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for patient in range(10):
            for number in (7, 80, 81):
                (tmp_path / part / f"{patient:03d}_{number:03d}.png").touch()
    return tmp_path


def _patients(items):
    return {item["case"].split("_")[0] for item in items}


def test_sections_part_the_patients_and_miss_none(folder):
    parts = [
        liver_slices.list_cases(folder, section, fold=1, folds=4)
        for section in ("training", "validation", "test")
    ]
    assert [len(part) for part in parts] == [6 * 3, 2 * 3, 2 * 3]
    assert len(set.union(*map(_patients, parts))) == 10


def test_test_patients_are_the_same_whatever_the_fold(folder):
    first, *others = (liver_slices.list_cases(folder, "test", fold=fold) for fold in range(5))
    assert all(other == first for other in others)
    assert liver_slices.list_cases(folder, "test", seed=5) != first


def test_paths_are_absolute_and_image_and_mask_have_one_name(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    item = liver_slices.list_cases(folder.name)[0]
    assert item == {
        "image": str(folder / "images" / f"{item['case']}.png"),
        "label": str(folder / "masks" / f"{item['case']}.png"),
        "case": item["case"],
        "patient": item["case"][:3],
    }


def test_the_patient_is_all_before_the_last_underscore(tmp_path):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for name in ("a_1_01", "a_1_02", "a_2_01", "a_3_01"):
            (tmp_path / part / f"{name}.png").touch()
    built = liver_slices.make_datalist(tmp_path, folds=2)
    patients = {item["patient"] for item in built["training"] + built["testing"]}
    assert patients == {"a_1", "a_2", "a_3"}


def test_a_folder_without_slices_is_refused_in_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"^no liver_slices data in {tmp_path} .*[^\n]$"):
        liver_slices.list_cases(tmp_path)


@pytest.mark.parametrize("part", ["images", "masks"])
def test_a_slice_without_image_or_mask_is_left_out_and_named(folder, part, caplog):
    (folder / part / "003_080.png").unlink()
    (folder / part / "notes.txt").touch()
    built = liver_slices.make_datalist(folder)
    assert len(built["training"]) + len(built["testing"]) == 29
    what = {"images": "an image", "masks": "a mask"}[part]
    assert f"1 file without {what} (003_080.png)" in caplog.text
    assert "1 file in an unsupported format (notes.txt)" in caplog.text


def test_a_slice_that_is_a_link_to_nothing_is_left_out_and_named(folder, caplog):
    image = sorted((folder / "images").iterdir())[0]
    image.unlink()
    image.symlink_to("nowhere.png")
    found = {item["case"] for item in liver_slices.make_datalist(folder, folds=2)["training"]}
    assert image.stem not in found
    assert f"broken links, pipes, devices or unreadable ({image.name})" in caplog.text


def test_a_slice_in_another_picture_format_is_a_slice(folder):
    (folder / "images" / "003_080.png").rename(folder / "images" / "003_080.TIF")
    built = liver_slices.make_datalist(folder)
    assert len(built["training"]) + len(built["testing"]) == 30


def test_a_name_without_patient_is_refused(folder):
    for part in ("images", "masks"):
        (folder / part / "slice.png").touch()
    with pytest.raises(ValueError, match=r"slice\.png is not named <case>_<slice>\.png"):
        liver_slices.list_cases(folder)


def test_more_folds_than_patients_are_refused(folder):
    with pytest.raises(ValueError, match="8 patients are too few for 9 folds"):
        liver_slices.list_cases(folder, folds=9)


def test_a_case_that_is_also_in_ircadb_is_for_testing_whatever_the_seed(folder):
    for part in ("images", "masks"):
        (folder / part / "049_025.png").touch()
    for seed in range(3):
        tested = _patients(liver_slices.list_cases(folder, "test", seed=seed))
        assert "049" in tested
        assert len(tested) == 1 + round(0.2 * 10)


@pytest.mark.realdata
def test_the_real_slices_are_parted_by_case(data_root):
    parts = [
        liver_slices.list_cases(data_root / "liver_slices", section, folds=10)
        for section in ("training", "validation", "test")
    ]
    patients = [_patients(part) for part in parts]
    assert sum(len(part) for part in parts) == 504
    assert sum(len(part) for part in patients) == 100
    assert not patients[0] & patients[1]
    assert not (patients[0] | patients[1]) & patients[2]


@pytest.mark.realdata
@pytest.mark.parametrize(("number", "slice_index"), [("016", 49), ("025", 76)])
def test_case_049_is_patient_1_of_ircadb(data_root, number, slice_index):
    png = Image.open(data_root / "liver_slices" / "masks" / f"049_{number}.png")
    label = nib.as_closest_canonical(nib.load(data_root / "liver_ct/ircad_01/label.nii.gz"))
    liver = np.asarray(label.dataobj[::2, ::2, slice_index]) > 0
    mask = np.asarray(png) > 127
    assert 2 * (liver & mask).sum() / (liver.sum() + mask.sum()) > 0.95


def test_a_prepared_folder_has_the_sections_of_the_given_one(tmp_path):
    source = tmp_path / "source"
    for part in ("images", "masks"):
        (source / part).mkdir(parents=True)
        for patient in (*range(8), 49):  # 049 is in 3D-IRCADb-01
            shade = np.full((4, 4), 255 if part == "masks" else patient, np.uint8)
            Image.fromarray(shade).save(source / part / f"{patient:03d}_001.png")
    assert liver_slices.prepare(source, tmp_path / "out") == 9
    for section in ("training", "validation", "test"):
        given = liver_slices.list_cases(source, section, folds=3, seed=1)
        made = prepared.list_cases(tmp_path / "out", section, folds=3, seed=1)
        assert {item["case"] for item in given} == {item["case"] for item in made}
