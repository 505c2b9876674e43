"""Tests of medseg.datasets.own.given_folds: the splits of nnU-Net are kept."""

import json

import pytest
from datasets.own.test_find_cases import data as data  # a fixture

from medseg.datasets import prepared
from medseg.planning.plan_folder import plan_folder


def write_splits(data, validated):
    cases = [f"p{n}" for n in range(6)]
    splits = [{"train": [c for c in cases if c not in val], "val": val} for val in validated]
    (data / "splits_final.json").write_text(json.dumps(splits))


def test_the_splits_of_nnunet_are_the_folds(data):
    write_splits(data, [["p0", "p5"], ["p1", "p2"], ["p3", "p4"]])
    planned = plan_folder("kidney", data)
    planned.write_datalist()
    assert planned.task["folds"] == 3
    for fold, cases in enumerate((["p0", "p5"], ["p1", "p2"], ["p3", "p4"])):
        listed = prepared.list_cases("data/kidney", "validation", fold=fold)
        assert [case["case"] for case in listed] == cases


@pytest.mark.parametrize("spelled", ["Img-P{}", "P{}", "IMG_p{}"])
def test_names_may_be_spelled_as_in_the_files(data, spelled):
    for file in [*data.rglob("p?_0000.nii.gz"), *data.rglob("p?.nii.gz")]:
        number, rest = file.name[1], file.name[2:]
        file.rename(file.with_name(spelled.format(number) + rest))
    names = [spelled.format(n) for n in range(6)]
    splits = [{"train": names[2:], "val": names[:2]}, {"train": names[:2], "val": names[2:]}]
    (data / "splits_final.json").write_text(json.dumps(splits))
    planned = plan_folder("kidney", data)
    assert [item["fold"] for item in planned.items] == [0, 0, 1, 1, 1, 1]
    assert planned.items[0]["case"] in ("P0", "p0")


def test_a_case_that_no_split_validates_on_is_always_trained_on(data):
    write_splits(data, [["p0", "p5"]])
    plan_folder("kidney", data).write_datalist()
    listed = prepared.list_cases("data/kidney", "training", fold=0)
    assert [case["case"] for case in listed] == ["p1", "p2", "p3", "p4"]


@pytest.mark.parametrize(
    ("validated", "message"),
    [
        ([["p0"], ["p0", "p1"]], "validates twice on p0"),
        ([["p0", "p9"]], "do not name the same cases .p9."),
    ],
)
def test_splits_that_are_no_cross_validation_are_refused(data, validated, message):
    write_splits(data, validated)
    with pytest.raises(ValueError, match=message):
        plan_folder("kidney", data)


def test_damaged_splits_are_refused(data):
    (data / "splits_final.json").write_text('[{"train": ["p0"]}]')
    with pytest.raises(ValueError, match=r'holds no list of train and val: write \[\{"train"'):
        plan_folder("kidney", data)
    (data / "splits_final.json").write_text("[{")
    with pytest.raises(ValueError, match="cannot be used, it is no valid JSON from line 1, colu"):
        plan_folder("kidney", data)
