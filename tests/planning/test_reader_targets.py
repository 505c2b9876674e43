"""Tests of medseg.planning.reader_targets: several readers' labels in a plan."""

import csv
import json
import logging

import nibabel as nib
import numpy as np
import pytest
from planning.test_plan_folder import data as data  # a fixture
from planning.test_plan_folder import write_case

from medseg.datasets import prepared
from medseg.planning.plan_folder import plan_folder


def add_readers(root):
    """A second reader who marks a slice less in cases 0 to 4, a third with nothing in case 0."""
    for n in range(6):
        first = root / "labels" / f"p{n // 2}_{n}.nii.gz"
        image = nib.load(first)
        mask = np.asarray(image.dataobj).copy()
        first.rename(root / "labels" / f"p{n // 2}_{n}_a.nii.gz")
        mask[7] = 0
        if n < 5:
            save(root, f"p{n // 2}_{n}_b", mask)
        if n == 0:
            save(root, "p0_0_c", 0 * mask)


def save(root, name, mask):
    made = nib.Nifti1Image(mask, np.diag([1, 1, 2, 1.0]))
    made.header.set_xyzt_units("mm")
    nib.save(made, root / "labels" / f"{name}.nii.gz")


def test_the_plan_is_made_on_the_targets_and_the_list_keeps_the_readers(data):
    add_readers(data)
    planned = plan_folder("kidney", data, readers="consensus")
    planned.write_datalist()
    whole, less = 5 * 5 * 5, 4 * 5 * 5
    assert [one.counts[1] for one in planned.facts] == [less, *[whole] * 5]  # 2 of 3; 1 of 2; 1
    cases = {case["case"]: case for case in json.loads(read_list())["training"]}
    cases |= {case["case"]: case for case in json.loads(read_list())["testing"]}
    assert list(cases["p0_0"]["readers"]) == ["a", "b", "c"]
    assert list(cases["p2_5"]["readers"]) == ["a"]
    assert cases["p0_0"]["label"].endswith("data/kidney/labels/p0_0.nii.gz")
    listed = prepared.list_cases("data/kidney", "training", folds=2)
    assert all(set(case) == {"case", "patient", "image", "label", "readers"} for case in listed)


def read_list():
    with open("data/kidney/datalist.json") as file:
        return file.read()


def test_reader_against_reader_is_a_table_beside_the_list(data):
    add_readers(data)
    planned = plan_folder("kidney", data, readers="staple")
    planned.write_datalist()
    with open("data/kidney/readers.csv") as file:
        rows = list(csv.DictReader(file))
    dice = 2 * 4 / (5 + 4)
    pairs = [(row["case"], row["reader_a"], row["reader_b"]) for row in rows]
    assert pairs[:4] == [
        *(("p0_0", a, b) for a, b in ("ab", "ac", "bc")),
        ("p0_1", "a", "b"),
    ]
    assert [float(row["dice"]) for row in rows[:4]] == pytest.approx([dice, 0, 0, dice], abs=1e-6)
    assert planned.readers.describe() == [
        "target: staple of the readers; cases of each: a (6), b (5), c (1)",
        f"kidney: a against b: mean Dice {dice:.3f}, 5 cases",
        "kidney: a against c: mean Dice 0.000, 1 case",
        "kidney: b against c: mean Dice 0.000, 1 case",
    ]


def test_a_reader_of_a_single_case_is_warned_of(data, caplog):
    add_readers(data)
    with caplog.at_level(logging.WARNING):
        plan_folder("kidney", data, readers="consensus")
    assert (
        "readers of a single case: c: look whether these names are those of readers" in caplog.text
    )


def test_several_labels_of_a_case_without_the_option_are_a_fault_that_names_it(data, caplog):
    add_readers(data)
    with pytest.raises(ValueError, match="1 fault in the data"):
        plan_folder("kidney", data)
    assert "5 cases have several labels, such as p0_0 (p0_0_a.nii.gz" in caplog.text
    assert "pass --readers consensus, staple or mean" in caplog.text


def test_faults_of_readers_and_of_other_cases_are_told_at_once_and_nothing_is_written(
    data, tmp_path, caplog
):
    add_readers(data)
    save(data, "p1_2_b", np.full((12, 14, 10), 0.5, np.float32))
    write_case(data, "q", label=np.zeros((12, 14, 9), np.uint8))
    with pytest.raises(ValueError, match="2 faults in the data"):
        plan_folder("kidney", data, readers="consensus")
    assert "case p1_2: its label holds values that are no whole numbers" in caplog.text
    assert "case q: image and label lie on different grids" in caplog.text
    assert not (tmp_path / "data").exists()


def test_a_value_that_no_target_keeps_is_declared_all_the_same(data):
    add_readers(data)
    mask = np.zeros((12, 14, 10), np.uint8)
    mask[3:6, 4:9, 2:7] = 2
    save(data, "p0_0_c", mask)  # one of three
    planned = plan_folder("kidney", data, readers="consensus", classes={"kidney": [1, 2]})
    assert planned.task["label_values"] == [0, 1, 2]
    assert planned.facts[0].counts.keys() == {0, 1}


def test_a_list_whose_labels_of_readers_are_gone_is_refused(data):
    add_readers(data)
    plan_folder("kidney", data, readers="consensus").write_datalist()
    for label in (data / "labels").glob("*_b.nii.gz"):
        label.unlink()
    with pytest.raises(FileNotFoundError, match="labels of readers are missing, first"):
        [prepared.list_cases("data/kidney", part, folds=2) for part in ("training", "test")]


def test_a_reader_who_is_called_as_the_network_is_a_fault(data, caplog):
    add_readers(data)
    (data / "labels" / "p0_0_c.nii.gz").rename(data / "labels" / "p0_0_model.nii.gz")
    with pytest.raises(ValueError, match="1 fault in the data"):
        plan_folder("kidney", data, readers="consensus")
    assert "case p0_0: a reader is called 'model' by the names of files" in caplog.text


def test_the_option_without_several_readers_is_refused(data, tmp_path):
    with pytest.raises(ValueError, match="no case has labels of two readers: leave --readers out"):
        plan_folder("kidney", data, readers="consensus")
    assert not (tmp_path / "data").exists()


def test_readers_of_whom_one_writes_255_mark_one_class(data):
    add_readers(data)
    for file in (data / "labels").glob("*_b.nii.gz"):
        image = nib.load(file)
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj) * 255, None, image.header), file)
    planned = plan_folder("kidney", data, readers="consensus")
    assert planned.classes == {"kidney": [1, 255]}
    assert any(one.dice > 0 for one in planned.readers.agreement)


def test_soft_labels_are_not_planned_in_2d(data):
    add_readers(data)
    with pytest.raises(ValueError, match="soft labels are learnt in 3D alone: leave --dims out"):
        plan_folder("kidney", data, readers="mean", dims="2d")


def write_bits(root):
    """Three readers in one label of each case, of which the third marked a slice less."""
    for file in (root / "labels").iterdir():
        mask = np.zeros((12, 14, 10), np.uint8)
        mask[3:8, 4:9, 2:7] = 3
        mask[3:7, 4:9, 2:7] = 7
        mask[9, 9, 9] = 4
        save(root, file.name.removesuffix(".nii.gz"), mask)


def test_readers_as_bits_of_one_file_are_read_as_several_files_are(data, caplog):
    write_bits(data)
    planned = plan_folder("kidney", data, readers="consensus", readers_as_bits=True)
    assert planned.classes == {"kidney": [1]}
    assert [one.counts[1] for one in planned.facts] == [5 * 5 * 5] * 6  # 2 of 3
    first, second, _ = planned.readers.describe()[1:]
    assert planned.readers.describe()[0].endswith("reader_1 (6), reader_2 (6), reader_3 (6)")
    assert first == "kidney: reader_1 against reader_2: mean Dice 1.000, 6 cases"
    assert second.startswith(f"kidney: reader_1 against reader_3: mean Dice {200 / 226:.3f}")
    assert "bits 0, 1, 2 of the labels are 3 readers" in caplog.text


def test_values_that_may_be_bits_are_told_with_the_remedy_where_nothing_names_them(data, caplog):
    write_bits(data)
    plan_folder("kidney", data)
    assert "values up to 7, which may be 3 readers as bits" in caplog.text
    assert "pass --readers consensus --readers-as-bits" in caplog.text
    caplog.clear()
    plan_folder("kidney", data, classes={"a": [3], "b": [4], "c": [7]})
    assert "as bits" not in caplog.text
    with pytest.raises(ValueError, match="or pass --readers-as-bits where one file holds them so"):
        plan_folder("kidney", data, readers="consensus")
