"""Tests of medseg.datasets.lits."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from datasets.published import written_again

from medseg.datasets import lits, phantom


def _touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _lits(root, *, count=6, suffix=".nii"):
    for n in range(count):
        batch = f"Training Batch {1 + n % 2}"
        _touch(root, f"{batch}/volume-{n}{suffix}", f"{batch}/segmentation-{n}{suffix}")
    return root


def _msd(root, *, count=6, tests=2, listed=None, labels=("background", "liver", "cancer")):
    cases = [f"liver_{n}" for n in range(count)]
    for case in cases:
        _touch(root, f"imagesTr/{case}.nii.gz", f"imagesTr/._{case}.nii.gz")
        _touch(root, f"labelsTr/{case}.nii.gz", f"labelsTr/._{case}.nii.gz")
    _touch(root, *(f"imagesTs/liver_{count + n}.nii.gz" for n in range(tests)))
    content = {
        "labels": {str(n): name for n, name in enumerate(labels)},
        "training": [
            {"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"}
            for case in (cases if listed is None else listed)
        ],
    }
    (root / "dataset.json").write_text(json.dumps(content))
    return root


def _names(items):
    return [item["case"] for item in items]


@pytest.mark.parametrize("make", [_lits, _msd])
def test_both_layouts_give_every_case_once_over_training_and_validation(tmp_path, make):
    make(tmp_path)
    training = lits.cases(tmp_path, fold=1, folds=3)
    validation = lits.cases(tmp_path, "validation", fold=1, folds=3)
    assert (len(training), len(validation)) == (4, 2)
    assert len({*_names(training), *_names(validation)}) == 6


@pytest.mark.parametrize("make", [_lits, _msd])
def test_paths_are_absolute_and_exist_and_pair_by_name(tmp_path, make, monkeypatch):
    make(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    for item in lits.cases("data", folds=2):
        number = item["case"].rpartition("-" if make is _lits else "_")[2]
        for key in ("image", "label"):
            path = Path(item[key])
            assert path.is_absolute()
            assert path.is_file()
            assert path.name.split(".")[0].endswith(number)


def test_lits_cases_are_found_in_batches_and_in_the_folder_itself_in_order_of_number(tmp_path):
    _lits(tmp_path, count=11)
    _touch(tmp_path, "volume-11.nii.gz", "segmentation-11.nii.gz", "notes.txt")
    built = lits.datalist(tmp_path)
    assert _names(built["training"]) == [f"volume-{n}" for n in range(12)]


def test_lits_cases_behind_a_linked_folder_are_found(tmp_path):
    _lits(tmp_path / "disk")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "batches").symlink_to(tmp_path / "disk")
    assert len(lits.datalist(tmp_path / "data")["training"]) == 6


def test_lits_test_volumes_have_no_label(tmp_path):
    _touch(_lits(tmp_path), "test/test-volume-0.nii")
    (item,) = lits.cases(tmp_path, "test")
    assert item["image"] == str(tmp_path / "test" / "test-volume-0.nii")
    assert "label" not in item


def test_msd_twins_of_the_archive_are_skipped_and_numbers_sorted(tmp_path):
    built = lits.datalist(_msd(tmp_path, count=11))
    assert _names(built["training"]) == [f"liver_{n}" for n in range(11)]
    assert _names(built["testing"]) == ["liver_11", "liver_12"]


def test_msd_test_cases_carry_a_label_where_there_is_one(tmp_path):
    _msd(tmp_path, tests=1)
    assert "label" not in lits.cases(tmp_path, "test")[0]
    _touch(tmp_path, "labelsTs/liver_6.nii.gz")
    assert lits.cases(tmp_path, "test")[0]["label"] == str(tmp_path / "labelsTs/liver_6.nii.gz")


def test_msd_archive_unpacked_into_the_folder_is_found(tmp_path):
    _msd(tmp_path / "Task03_Liver")
    assert len(lits.datalist(tmp_path)["training"]) == 6


def test_the_same_seed_gives_the_same_folds_and_another_seed_others(tmp_path):
    _msd(tmp_path, count=20)
    first = lits.cases(tmp_path, "validation", seed=3)
    assert lits.cases(tmp_path, "validation", seed=3) == first
    assert lits.cases(tmp_path, "validation", seed=4) != first


@pytest.mark.parametrize("exists", [True, False])
def test_missing_data_says_where_and_gives_both_ways_on_in_one_line(tmp_path, exists):
    folder = tmp_path / "my data"
    if exists:
        folder.mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        lits.cases(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"no liver data in {folder} (looked for dataset.json")
    assert "LiTS (https://" in message
    assert "MSD Task03_Liver (http" in message
    assert message.endswith(f"`medseg phantom ct --out '{folder}'`")


def test_a_relative_folder_is_reported_as_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"in {tmp_path}/data/liver "):
        lits.cases("data/liver")


def test_a_msd_folder_with_its_json_alone_counts_as_missing(tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no liver data"):
        lits.cases(tmp_path)


@pytest.mark.parametrize("make", [_lits, _msd])
@pytest.mark.parametrize(
    ("lost", "message"),
    [("label", "image has no label for 1 of 6"), ("image", "label has no image for 1 of 6")],
)
def test_an_image_or_label_without_its_partner_is_refused(tmp_path, make, lost, message):
    item = lits.datalist(make(tmp_path), folds=2)["training"][2]
    Path(item[lost]).unlink()
    if make is _msd:
        (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(ValueError, match=message):
        lits.cases(tmp_path, folds=2)


def test_a_test_label_for_some_test_cases_only_is_refused(tmp_path):
    _touch(_msd(tmp_path, tests=2), "labelsTs/liver_6.nii.gz")
    with pytest.raises(ValueError, match="image has no label for 1 of 2"):
        lits.cases(tmp_path)


def test_cases_that_differ_from_dataset_json_are_refused(tmp_path):
    _msd(tmp_path, count=6, listed=[f"liver_{n}" for n in range(7)])
    with pytest.raises(ValueError, match=r"lists 7 training cases .* holds 6 \(see liver_6\)"):
        lits.cases(tmp_path)


def test_another_decathlon_task_is_refused(tmp_path):
    _msd(tmp_path, labels=("background", "Anterior", "Posterior"))
    with pytest.raises(ValueError, match=r"of another dataset .*: give MSD Task03_Liver$"):
        lits.cases(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"training": [1]}'])
def test_a_broken_dataset_json_is_refused_by_name(tmp_path, text):
    (_msd(tmp_path) / "dataset.json").write_text(text)
    with pytest.raises(ValueError, match=r"dataset\.json is not an MSD dataset\.json"):
        lits.cases(tmp_path)


def test_one_case_in_two_places_is_refused(tmp_path):
    _touch(_lits(tmp_path), "copy/volume-3.nii.gz")
    with pytest.raises(ValueError, match="are the same case: remove one"):
        lits.cases(tmp_path)


def test_a_fold_without_cases_and_too_few_cases_are_refused(tmp_path):
    _lits(tmp_path, count=4)
    with pytest.raises(ValueError, match="fold 2 has no cases"):
        lits.cases(tmp_path, fold=2, folds=2)
    with pytest.raises(ValueError, match="4 patients are too few for 5 folds"):
        lits.cases(tmp_path)


def test_an_absent_test_section_is_refused(tmp_path):
    with pytest.raises(ValueError, match="lits has no test cases"):
        lits.cases(_lits(tmp_path), "test")


def test_a_prepared_folder_has_the_sections_of_the_published_one(tmp_path):
    published = phantom.write("ct", tmp_path / "ct", cases=6, test_cases=2, size=48, slices=2)
    assert lits.prepare(published, tmp_path / "out") == 8
    for section in ("training", "validation", "test"):
        names, prepared_names = (
            [item["case"] for item in lits.cases(folder, section, fold=1, folds=3)]
            for folder in (published, tmp_path / "out")
        )
        assert names == prepared_names
    assert (tmp_path / "out" / "labels" / "liver_000.nii.gz").stat().st_size > 0


def test_a_corrected_volume_replaces_its_link_and_no_other(tmp_path):
    published = phantom.write("ct", tmp_path / "ct", cases=4, test_cases=1, size=48, slices=2)
    lits.prepare(published, tmp_path / "out")
    assert written_again(lits.prepare, published, tmp_path / "out") == set()
    label = published / "labelsTr" / "liver_001.nii.gz"
    image = nib.load(label)
    values = np.asarray(image.dataobj)[::-1]
    label.unlink()  # a download puts a new file in the place of the old one
    nib.save(nib.Nifti1Image(values, image.affine), label)
    made = written_again(lits.prepare, published, tmp_path / "out")
    assert made == {"labels/liver_001.nii.gz"}
    np.testing.assert_array_equal(nib.load(tmp_path / "out" / made.pop()).dataobj, values)


def test_a_label_on_another_grid_is_refused_before_anything_is_trained(tmp_path):
    published = phantom.write("ct", tmp_path / "ct", cases=2, test_cases=0, size=48, slices=2)
    label = published / "labelsTr" / "liver_001.nii.gz"
    image = nib.load(label)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[:40], image.affine), label)
    with pytest.raises(ValueError, match="image and label of case liver_001 differ in size or gr"):
        lits.prepare(published, tmp_path / "out")
    assert not (tmp_path / "out" / "datalist.json").exists()
