"""Tests of medseg.datasets.lits."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from datasets.published import written_again
from datasets.task_folder import list_names, touch, write_lits, write_task

from medseg.datasets import lits, phantom


@pytest.mark.parametrize("make", [write_lits, write_task])
def test_both_layouts_give_every_case_once_over_training_and_validation(tmp_path, make):
    make(tmp_path)
    training = lits.list_cases(tmp_path, fold=1, folds=3)
    validation = lits.list_cases(tmp_path, "validation", fold=1, folds=3)
    assert (len(training), len(validation)) == (4, 2)
    assert len({*list_names(training), *list_names(validation)}) == 6


@pytest.mark.parametrize("make", [write_lits, write_task])
def test_paths_are_absolute_and_exist_and_pair_by_name(tmp_path, make, monkeypatch):
    make(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    for item in lits.list_cases("data", folds=2):
        number = item["case"].rpartition("-" if make is write_lits else "_")[2]
        for key in ("image", "label"):
            path = Path(item[key])
            assert path.is_absolute()
            assert path.is_file()
            assert path.name.split(".")[0].endswith(number)


def test_lits_cases_are_found_in_batches_and_in_the_folder_itself_in_order_of_number(tmp_path):
    write_lits(tmp_path, count=11)
    touch(tmp_path, "volume-11.nii.gz", "segmentation-11.nii.gz", "notes.txt")
    built = lits.make_datalist(tmp_path)
    assert list_names(built["training"]) == [f"volume-{n}" for n in range(12)]


def test_lits_cases_behind_a_linked_folder_are_found(tmp_path):
    write_lits(tmp_path / "disk")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "batches").symlink_to(tmp_path / "disk")
    assert len(lits.make_datalist(tmp_path / "data")["training"]) == 6


def test_lits_test_volumes_have_no_label(tmp_path):
    touch(write_lits(tmp_path), "test/test-volume-0.nii")
    (item,) = lits.list_cases(tmp_path, "test")
    assert item["image"] == str(tmp_path / "test" / "test-volume-0.nii")
    assert "label" not in item


def test_the_same_seed_gives_the_same_folds_and_another_seed_others(tmp_path):
    write_task(tmp_path, count=20)
    first = lits.list_cases(tmp_path, "validation", seed=3)
    assert lits.list_cases(tmp_path, "validation", seed=3) == first
    assert lits.list_cases(tmp_path, "validation", seed=4) != first


@pytest.mark.parametrize("exists", [True, False])
def test_missing_data_says_where_and_gives_both_ways_on_in_one_line(tmp_path, exists):
    folder = tmp_path / "my data"
    if exists:
        folder.mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        lits.list_cases(folder)
    message = str(caught.value)
    assert "\n" not in message
    absent = f"no liver data found, {folder} does not exist: give LiTS"
    empty = f"no liver data in {folder} (looked for dataset.json"
    assert message.startswith(empty if exists else absent)
    assert "LiTS (https://" in message
    assert "MSD Task03_Liver (http" in message
    assert message.endswith(f"`medseg phantom ct --out '{folder}'`")


def test_a_relative_folder_is_reported_as_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=f"data found, {tmp_path}/data/liver does not exist"
    ):
        lits.list_cases("data/liver")


def test_a_msd_folder_with_its_json_alone_counts_as_missing(tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no liver data"):
        lits.list_cases(tmp_path)


@pytest.mark.parametrize("make", [write_lits, write_task])
@pytest.mark.parametrize(
    ("lost", "message"),
    [("label", "1 file without a label"), ("image", "1 file without an image")],
)
def test_a_case_without_its_partner_is_left_out_and_named(tmp_path, make, lost, message, caplog):
    gone, other = lits.make_datalist(make(tmp_path), folds=2)["training"][2:4]
    Path(gone[lost]).unlink()
    training = lits.make_datalist(tmp_path, folds=2)["training"]
    assert gone["case"] not in list_names(training)
    assert other["case"] in list_names(training)
    assert len(training) == 5
    kept = Path(gone["image" if lost == "label" else "label"]).name
    assert f"{message} ({kept})" in caplog.text


@pytest.mark.parametrize("make", [write_lits, write_task])
@pytest.mark.parametrize("part", ["image", "label"])
def test_links_to_nothing_and_pipes_are_left_out_with_their_cases(make, part, tmp_path, caplog):
    """A case whose file cannot be read would end a training, and a pipe would let it wait."""
    items = lits.make_datalist(make(tmp_path, count=6), folds=2)["training"]
    round_, lost, pipe = (Path(item[part]) for item in items[:3])
    for path, made in ((round_, round_), (lost, tmp_path / "nowhere"), (pipe, None)):
        path.unlink()
        os.mkfifo(path) if made is None else path.symlink_to(made)
    caplog.clear()
    assert list_names(lits.make_datalist(tmp_path, folds=2)["training"]) == list_names(items[3:])
    other = "image" if part == "label" else "label"
    assert f"3 files without {'a label' if part == 'label' else 'an image'}" in caplog.text
    assert Path(items[0][other]).name in caplog.text


def test_a_fold_without_cases_and_too_few_cases_are_refused(tmp_path):
    write_lits(tmp_path, count=4)
    with pytest.raises(ValueError, match="fold 2 has no cases"):
        lits.list_cases(tmp_path, fold=2, folds=2)
    with pytest.raises(ValueError, match="4 patients are too few for 5 folds"):
        lits.list_cases(tmp_path)


def test_an_absent_test_section_is_refused(tmp_path):
    with pytest.raises(ValueError, match="liver has no test cases"):
        lits.list_cases(write_lits(tmp_path), "test")


def test_a_prepared_folder_has_the_sections_of_the_published_one(tmp_path):
    published = phantom.write("ct", tmp_path / "ct", cases=6, test_cases=2, size=48, slices=2)
    assert lits.prepare(published, tmp_path / "out") == 8
    for section in ("training", "validation", "test"):
        names, prepared_names = (
            [item["case"] for item in lits.list_cases(folder, section, fold=1, folds=3)]
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
