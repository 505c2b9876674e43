"""Tests of medseg.datasets.sources.integrity: a dataset is judged as a training judges it."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medseg.datasets.sources.integrity import (
    check_cases,
    drop_copies_of_tests,
    join_patients_with_copies,
)
from medseg.ingest.volumes import voxels

IMAGE = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
LABEL = (IMAGE > 20).astype(np.uint8)


def write(folder, name, array, *, spacing=1.0):
    nib.save(nib.Nifti1Image(array, np.diag([spacing, 1, 1, 1])), folder / f"{name}.nii.gz")


def case(name, image, label="label"):
    return {"case": name, "image": f"{image}.nii.gz", "label": f"{label}.nii.gz"}


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "image", IMAGE)
    write(tmp_path, "label", LABEL)
    return tmp_path


def test_an_image_made_to_fill_memory_is_refused_and_a_blank_label_is_not(tmp_path, monkeypatch):
    """A thousand bytes of zeros for each of the file, before any voxel is inflated."""
    monkeypatch.setattr(voxels, "UNASKED_BYTES", 2**16)
    noise = np.random.default_rng(0).integers(0, 1000, (64, 64, 32)).astype(np.int16)
    for name, array in (("blank", np.zeros_like(noise)), ("image", noise)):
        write(tmp_path, name, array)
    check_cases(tmp_path, [case("a", "image", "blank")], [0, 1])
    with pytest.raises(ValueError, match="made to fill memory"):
        check_cases(tmp_path, [case("a", "blank", "blank")], [0, 1])


def test_two_files_of_the_same_values_have_one_digest_and_other_images_another(folder):
    write(folder, "copy", IMAGE.copy())
    write(folder, "other", IMAGE + np.int16(1))
    names = ("image", "copy", "other")
    found = check_cases(folder, [case(name, name) for name in names], [0, 1])
    assert found["image"] == found["copy"] != found["other"]


def test_values_of_another_type_or_shape_are_another_image(folder):
    write(folder, "wide", IMAGE.astype(np.int32))
    write(folder, "turned", IMAGE.reshape(3, 2, 4))
    write(folder, "turned_label", LABEL.reshape(3, 2, 4))
    cases = [case("a", "image"), case("b", "wide"), case("c", "turned", "turned_label")]
    assert len(set(check_cases(folder, cases, [0, 1]).values())) == 3


@pytest.mark.parametrize(
    ("array", "spacing", "message"),
    [
        (LABEL[:1], 1.0, r"differ in size or grid, \(2, 3, 4\) and \(1, 3, 4\): correct"),
        (LABEL, 2.0, r"differ in size or grid, .*spacing .*: correct"),
        (LABEL * np.uint8(7), 1.0, r"label of case a holds .*7.*: correct the dataset or remove"),
    ],
    ids=["size", "grid", "value"],
)
def test_a_label_of_another_size_grid_or_value_is_refused(folder, array, spacing, message):
    write(folder, "bad", array, spacing=spacing)
    with pytest.raises(ValueError, match=message):
        check_cases(folder, [case("a", "image", "bad")], [0, 1])


def test_a_voxel_that_is_not_finite_is_refused(folder):
    values = IMAGE.astype(np.float32)
    values[0, 0, 0] = np.nan
    write(folder, "nan", values)
    with pytest.raises(ValueError, match=r"image of case a: .* 1 NaN .*: replace them or remove"):
        check_cases(folder, [case("a", "nan")], [0, 1])


def test_a_mask_of_another_size_than_its_picture_is_refused(tmp_path):
    Image.new("L", (4, 3), 9).save(tmp_path / "image.png")
    Image.new("L", (3, 4)).save(tmp_path / "mask.png")
    item = {"case": "a", "image": "image.png", "label": "mask.png"}
    with pytest.raises(ValueError, match=r"image and label of case a differ in size or grid"):
        check_cases(tmp_path, [item], [0, 1])


def test_a_single_fault_is_the_message_and_several_are_counted_and_logged(folder, caplog):
    good, absent = case("a", "image"), [case(f"b{n}", "absent") for n in range(7)]
    with pytest.raises(ValueError, match=r"^1 of 2 cases is faulty: image of case b0 cannot be"):
        check_cases(folder, [good, absent[0]], [0, 1])
    assert not caplog.records
    with pytest.raises(
        ValueError, match=r"^7 of 8 cases are faulty \(b0, b1, b2, b3, b4 and 2 more\): the reasons"
    ):
        check_cases(folder, [good, *absent], [0, 1])
    assert len(caplog.records) == 7


def test_a_training_case_with_the_image_of_a_test_case_is_left_out(caplog):
    training, testing = [{"case": "a"}, {"case": "b"}], [{"case": "t"}]
    kept = drop_copies_of_tests(training, testing, {"a": "1", "b": "2", "t": "2"})
    assert kept == [{"case": "a"}]
    assert "case b is left out: test case t has the same image" in caplog.text


def test_patients_who_share_an_image_become_one_also_through_a_third(caplog):
    """q and s share x, s and p share y; r shares nothing."""
    patients = {"1": "q", "2": "s", "3": "s", "4": "p", "5": "r"}
    digests = {"1": "x", "2": "x", "3": "y", "4": "y", "5": "z"}
    items = [{"case": name, "patient": patient} for name, patient in patients.items()]
    joined = join_patients_with_copies(items, digests)
    assert [item["patient"] for item in joined] == ["p", "p", "p", "p", "r"]
    assert [item["patient"] for item in items] == ["q", "s", "s", "p", "r"]
    assert len(caplog.records) == 2


def test_each_channel_of_an_image_counts(folder):
    write(folder, "other", IMAGE + np.int16(1))
    write(folder, "both", np.stack([IMAGE, IMAGE + 1], axis=-1).astype(np.int16))
    digests = check_cases(
        folder,
        [
            {**case(str(n), "image"), "image": images}
            for n, images in enumerate(
                (
                    ["image.nii.gz", "image.nii.gz"],
                    ["image.nii.gz", "other.nii.gz"],
                    ["image.nii.gz", None],
                    ["both.nii.gz"],
                )
            )
        ],
        [0, 1],
    )
    assert len(set(digests.values())) == 4
    with pytest.raises(ValueError, match=r"image of case a.*not one volume"):
        check_cases(folder, [case("a", "both")], [0, 1])
