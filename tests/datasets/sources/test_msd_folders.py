"""Tests of medseg.datasets.sources.msd_folders, by the dataset of the liver."""

import pytest
from datasets.task_folder import touch, write_task

from medseg.datasets import hippocampus, lits


@pytest.mark.parametrize("parts", [("ImagesTr", "LabelsTr"), ("more/imagesTr", "more/labelsTr")])
def test_pairs_in_other_folders_of_a_task_are_named(parts, tmp_path, caplog):
    write_task(tmp_path, count=4, tests=0)
    touch(tmp_path, *(f"{part}/extra_{n}.nii.gz" for part in parts for n in range(2)))
    assert len(lits.list_cases(tmp_path, folds=2)) == 2
    first = f"{parts[0]}/extra_0.nii.gz"
    assert f"4 files outside of imagesTr, labelsTr, imagesTs ({first}" in caplog.text


def test_a_volume_beside_the_folders_of_a_task_is_named(tmp_path, caplog):
    touch(write_task(tmp_path, count=4), "liver_9.nii.gz")
    lits.list_cases(tmp_path, folds=2)
    assert "1 file outside of imagesTr, labelsTr, imagesTs (liver_9.nii.gz)" in caplog.text


def test_folders_of_a_task_in_other_capitals_are_read(tmp_path):
    write_task(tmp_path / "a")
    for part in ("imagesTr", "labelsTr", "imagesTs"):
        (tmp_path / "a" / part).rename(tmp_path / "a" / part.upper())
    assert len(lits.list_cases(tmp_path / "a", folds=2)) == 3
    assert len(lits.list_cases(tmp_path / "a", "test")) == 2


@pytest.mark.parametrize(("names", "said"), [("AB", "A, B, below"), ("A", "A, below")])
def test_tasks_below_the_folder_are_named_with_what_to_pass(names, said, tmp_path):
    for name in names:
        write_task(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=f"dataset.json is there in {said}") as caught:
        lits.list_cases(tmp_path)
    assert str(tmp_path / "A") in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match=f"dataset.json is there in {said}"):
        lits.prepare(tmp_path, tmp_path.with_name(f"{tmp_path.name}_out"))


def test_a_task_below_is_named_for_the_hippocampus_too(tmp_path):
    touch(tmp_path, "A/dataset.json")
    with pytest.raises(FileNotFoundError, match=r"no hippocampus data .* is there in A, below"):
        hippocampus.list_cases(tmp_path)


def test_tasks_two_folders_below_are_named(tmp_path):
    write_task(tmp_path / "downloads" / "Task03_Liver")
    with pytest.raises(FileNotFoundError, match=r"is there in downloads/Task03_Liver, below"):
        lits.list_cases(tmp_path)
