"""Tests of scripts/plant_label_errors.py."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest


@pytest.fixture
def planting(script):
    return script("plant_label_errors")


@pytest.fixture
def datalist(tmp_path):
    """Of 20 training cases and one test case, whose labels hold two structures."""
    label = np.zeros((12, 12, 4), np.uint8)
    label[2:5, 2:5], label[5:7, 2:5] = 1, 2
    items = []
    for case in (f"case_{n:02}" for n in range(21)):
        paths = {key: tmp_path / f"{key}s" / f"{case}.nii.gz" for key in ("image", "label")}
        for path in paths.values():
            path.parent.mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(label, np.eye(4)), path)
        items.append({"case": case, **{key: str(path) for key, path in paths.items()}})
    path = tmp_path / "datalist.json"
    path.write_text(json.dumps({"training": items[:20], "testing": items[20:]}))
    return path


def test_each_kind_of_error_is_planted_in_training_cases_and_the_others_stay(
    planting, datalist, tmp_path, capsys
):
    out = tmp_path / "out"
    planting.main([str(datalist), str(out), "--share", "0.2"])
    assert "4 errors planted" in capsys.readouterr().out
    planted = json.loads((out / "planted.json").read_text())
    assert set(planted.values()) == set(planting.KINDS)
    for path in sorted((out / "labelsTr").iterdir()):
        before = np.asarray(nib.load(tmp_path / "labels" / path.name).dataobj)
        after = np.asarray(nib.load(path).dataobj)
        assert (before == after).all() == (path.name[:-7] not in planted)
        assert (out / "imagesTr" / path.name).is_file()
    assert "case_20" not in planted


@pytest.mark.parametrize(
    ("kind", "values"),
    [("swap", [0, 2, 1]), ("missing", [0, 1, 0])],
)
def test_values_are_exchanged_or_gone(planting, kind, values):
    label = np.array([[[0, 1, 2]]], np.uint8)
    assert planting.spoil(label, kind, place=1).tolist() == [[values]]


def test_those_in_the_first_tenth_are_counted(planting, datalist, tmp_path, capsys):
    out = tmp_path / "out"
    planting.main([str(datalist), str(out)])
    (planted,) = json.loads((out / "planted.json").read_text())
    others = [f"case_{n:02}" for n in range(20) if f"case_{n:02}" != planted]
    suspects = tmp_path / "suspects.csv"
    for rank, found in ((1, 1), (2, 0)):
        ranked = [*others[:rank], planted, *others[rank:]]
        with suspects.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerows([["case"], *([case] for case in ranked)])
        planting.main([str(datalist), str(out), "--suspects", str(suspects)])
        said = f"{found} of 1 planted errors are in the first 2 of 20"
        assert said in capsys.readouterr().out
