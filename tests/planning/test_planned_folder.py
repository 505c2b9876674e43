"""Tests of medseg.planning.planned_folder."""

import json
from pathlib import Path

import pytest
from planning.test_plan_folder import data as data  # a fixture

from medseg.datasets import fold_split, prepared
from medseg.planning.plan_folder import plan_folder


def test_copies_of_one_image_are_too_few_to_split_and_leave_no_list(data):
    first, *others = sorted((data / "images").iterdir())
    for file in others:
        file.write_bytes(first.read_bytes())
    planned = plan_folder("kidney", data)
    with pytest.raises(ValueError, match="6 cases are of 1 patient, for copies of an image count"):
        planned.write_datalist()
    assert not planned.datalist_dir.exists()


def test_there_are_no_more_folds_than_patients_for_them(data):
    planned = plan_folder("kidney", data, patients="(p[0-9]+)_")
    planned.write_datalist()
    task = planned.fit_folds().task
    assert task["folds"] == 2
    assert prepared.list_cases("data/kidney", "training", fold=1, folds=task["folds"])


def test_a_training_tests_on_the_patients_that_the_seed_of_the_list_chose(data):
    planned = plan_folder("kidney", data)
    chosen = set()
    for seed in range(4):
        planned.write_datalist(seed=seed)
        listed = fold_split.read(Path("data/kidney/datalist.json"))
        task = planned.fit_folds().task
        split = {"folds": task["folds"], "seed": task.get("split_seed", 0)}
        (tested,) = prepared.list_cases("data/kidney", "test", **split)
        assert tested["case"] == listed["testing"][0]["case"]
        chosen.add(tested["case"])
    assert len(chosen) > 1


def test_the_split_is_described_once_the_cases_are_listed(data):
    planned = plan_folder("kidney", data)
    assert planned.describe_split() == []
    planned.write_datalist()
    line, *warnings = planned.describe_split()
    assert line.startswith("6 cases: 1 for testing, and 5 in 5 folds of 1,")
    assert len(warnings) == 2


def test_a_plan_in_2d_is_of_the_same_cases_classes_and_rules_under_its_own_name(data):
    planned = plan_folder("kidney", data, dims="3d").with_choice("folds", 3, "given")
    flat = planned.cut_into_slices("kidney_2d")
    assert flat.task["name"] == "kidney_2d"
    assert flat.task["slice_axis"] == 2
    assert len(flat.task["image_size"]) == 2
    for key in ("dataset_dir", "classes", "label_values", "folds"):
        assert flat.task[key] == planned.task[key]
    assert flat.slices == 6  # 5 labelled slices of each case, and a quarter more
    assert plan_folder("kidney", data, dims="2d").task["image_size"] == flat.task["image_size"]
    assert flat.with_patch(100).task["image_size"] != flat.task["image_size"]
    assert len(flat.with_patch(100).task["image_size"]) == 2


def test_of_cases_that_came_with_folds_none_is_held_out_for_testing(data):
    names = sorted(file.name.removesuffix(".nii.gz") for file in (data / "images").iterdir())
    (data / "splits_final.json").write_text(
        json.dumps([{"train": names[3:], "val": names[:3]}, {"train": names[:3], "val": names[3:]}])
    )
    planned = plan_folder("kidney", data)
    planned.write_datalist()
    assert planned.folds == 2
    assert planned.count_training_cases(planned.task) == 3
