"""Tests of medseg.datasets.phantom.liver_ct: its single slices."""

import json

import nibabel as nib
import numpy as np
import pytest
from datasets.phantom.written_files import CASES, SIZE, SLICES, TEST_CASES, find_files, load_pairs
from PIL import Image

from medseg.datasets import lits, liver_slices, phantom, prepared


def test_the_set_is_read_as_liver_slices_with_whole_patients_on_one_side(tmp_path):
    source = phantom.write("slices", tmp_path / "a", cases=7, test_cases=1, size=48, slices=3)
    assert liver_slices.prepare(source, tmp_path / "out") == 8 * 3
    parts = [
        prepared.list_cases(tmp_path / "out", section, folds=3)
        for section in ("training", "validation", "test")
    ]
    patients = [{item["patient"] for item in part} for part in parts]
    assert [len(part) for part in patients] == [4, 2, 2]  # 2 of 8 held out, 3 folds of 2
    assert len(set.union(*patients)) == 8


def test_the_liver_is_grey_among_black_air_and_white_bone(tmp_path):
    source = phantom.write("slices", tmp_path / "a", cases=2, test_cases=0, size=64, slices=3)
    for path in (source / "images").iterdir():
        image, mask = (
            np.asarray(Image.open(source / part / path.name)) for part in ("images", "masks")
        )
        assert (image.dtype, set(np.unique(mask))) == (np.uint8, {0, 255})
        assert 140 < np.median(image[mask == 255]) < 220  # about 100 HU in a window of 400
        assert {0, 255} <= set(np.unique(image))


def test_the_set_is_read_as_task03_liver_and_its_test_cases_carry_labels(ct_root):
    training = lits.list_cases(ct_root, folds=3) + lits.list_cases(ct_root, "validation", folds=3)
    assert sorted(item["case"] for item in training) == ["liver_000", "liver_001", "liver_002"]
    assert [item["case"] for item in lits.list_cases(ct_root, "test", folds=3)] == [
        "liver_003",
        "liver_004",
    ]
    assert all("label" in item for item in lits.list_cases(ct_root, "test", folds=3))


def test_dataset_json_says_that_the_set_is_synthetic(ct_root):
    content = json.loads((ct_root / "dataset.json").read_text())
    assert content["description"].startswith("synthetic")
    assert content["licence"] == "CC0"
    assert content["labels"] == {"0": "background", "1": "liver", "2": "tumour"}
    assert (content["numTraining"], content["numTest"]) == (CASES, TEST_CASES)


def test_image_and_label_share_one_grid_of_about_380_mm(ct_root):
    for image, label in zip(
        find_files(ct_root, "images"), find_files(ct_root, "labels"), strict=True
    ):
        a, b = nib.load(image), nib.load(label)
        assert a.shape == b.shape == (SIZE, SIZE, SLICES)
        assert np.array_equal(a.affine, b.affine)
        assert a.header["qform_code"] == a.header["sform_code"] == 1
        np.testing.assert_allclose(a.get_qform(), a.get_sform(), atol=1e-3)
        x, y, z = a.header.get_zooms()
        assert x == y
        assert x * SIZE == pytest.approx(380, rel=0.05)
        assert z == 5
        assert (a.get_data_dtype(), b.get_data_dtype()) == (np.int16, np.uint8)


def test_cases_differ_in_voxel_order_origin_and_spacing(ct_root):
    affines = [nib.load(path).affine for path in find_files(ct_root, "images")]
    orders = ["".join(nib.aff2axcodes(affine)) for affine in affines]
    assert orders == ["LPS", "RAS", "LAS", "LPS", "RAS"]
    assert len({tuple(affine[:3, 3]) for affine in affines}) == 5
    assert len({abs(affine[0, 0]) for affine in affines}) == 5


def test_the_lowest_slice_is_without_liver_in_some_cases_and_not_in_others(tmp_path):
    out = phantom.write("ct", tmp_path / "ct", cases=8, test_cases=0, size=48)
    lowest = [(label[..., 0] > 0).any() for _, label in load_pairs(out)]
    assert 0 < sum(lowest) < 8


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(ct_root, tmp_path):
    again = phantom.write(
        "ct", tmp_path / "a", cases=CASES, test_cases=TEST_CASES, seed=7, size=SIZE, slices=SLICES
    )
    files = [path.relative_to(ct_root) for path in ct_root.rglob("*") if path.is_file()]
    assert len(files) == 2 + 2 * 5 + TEST_CASES * SLICES
    assert all((ct_root / name).read_bytes() == (again / name).read_bytes() for name in files)
    other = phantom.write("ct", tmp_path / "b", cases=1, seed=8, size=SIZE, slices=SLICES)
    assert not np.array_equal(load_pairs(other)[0][0], load_pairs(ct_root)[0][0])


def test_a_case_does_not_depend_on_how_many_are_written(ct_root, tmp_path):
    out = phantom.write(
        "ct", tmp_path / "ct", cases=1, test_cases=0, seed=7, size=SIZE, slices=SLICES
    )
    assert np.array_equal(load_pairs(out)[0][0], load_pairs(ct_root)[0][0])


def test_a_single_slice_is_written_with_liver_in_it(tmp_path):
    out = phantom.write("ct", tmp_path / "ct", cases=1, test_cases=1, size=48, slices=1)
    image, label = load_pairs(out)[0]
    assert image.shape == (48, 48, 1)
    assert (label > 0).any()
