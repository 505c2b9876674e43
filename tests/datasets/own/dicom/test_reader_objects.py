"""Tests of medseg.datasets.own.dicom.reader_objects: several readers who drew on one series."""

import csv
import json

import numpy as np
import pydicom
import pytest
from cli.commands import run_medseg
from datasets.own.dicom.test_convert import write_study
from export.test_segmentation import ALGORITHM

from medseg.datasets.own.find_cases import find_cases
from medseg.export import write_rtstruct, write_seg
from medseg.ingest import load
from medseg.labels import make_table

READERS = {"anna": slice(3, 6), "bob": slice(4, 7), "cleo": slice(4, 6)}
"""The columns that each reader marks."""


def draw(series, columns, names=("kidney",)):
    mask = np.zeros(series.geometry.shape, np.uint8)
    for value, _ in enumerate(names, start=1):
        mask[columns, 2 + 5 * value : 5 + 5 * value, 1:4] = value
    return mask


def write_object(series, path, columns, names=("kidney",)):
    about = {"source": series, "geometry": series.geometry, "algorithm": ALGORITHM}
    write = write_rtstruct if "rtstruct" in path.name else write_seg
    write(draw(series, columns, names), path, labels=make_table([*names]), **about)


def write_scan(root, name, patient, number):
    series = write_study(root, name, patient=patient, seed=10 * number)
    (root / name / "seg.dcm").unlink()
    return series


@pytest.fixture
def read_scans(tmp_path, monkeypatch):
    """Four patients: three with three readers, the last with one; bob writes structure sets."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "scans"
    for number, name in enumerate("abcd"):
        series = write_scan(root, name, f"Patient {name}", number)
        for reader, columns in READERS.items():
            kind = "rtstruct" if reader == "bob" else "seg"
            if name != "d" or reader == "anna":
                write_object(series, root / name / f"{kind}_{reader}.dcm", columns)
    return root


def new(*words):
    return run_medseg("new", "kidney", "--data", "scans", "--no-measure", *words)


def list_cases():
    with open("data/kidney/datalist.json") as file:
        made = json.load(file)
    return {case["case"]: case for case in [*made["training"], *made["testing"]]}


@pytest.mark.long
@pytest.mark.parametrize("method", ["consensus", "staple", "mean"])
def test_objects_of_several_readers_become_one_target(read_scans, method):
    ended = new("--readers", method)
    assert ended.exit_code == 0, ended.stderr
    cases = list_cases()
    assert len(cases) == 4
    for number, case in enumerate(sorted(cases)):
        label, grid = load(cases[case]["label"])
        expected = np.zeros(grid.shape, np.uint8)
        expected[slice(3, 6) if number == 3 else slice(4, 6), 7:10, 1:4] = 1
        np.testing.assert_array_equal(label, expected)
        drawn = cases[case]["readers"]
        assert list(drawn) == (["anna"] if number == 3 else ["anna", "bob", "cleo"])
        for reader, path in drawn.items():
            own = np.zeros(grid.shape, np.uint8)
            own[READERS[reader], 7:10, 1:4] = 1
            np.testing.assert_array_equal(load(path)[0], own)
    with open("data/kidney/readers.csv", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert {(row["reader_a"], row["reader_b"]): row["dice"] for row in rows} == {
        ("anna", "bob"): "0.666667",
        ("anna", "cleo"): "0.8",
        ("bob", "cleo"): "0.8",
    }
    assert "RTSTRUCT a/rtstruct_bob.dcm of bob" in " ".join(ended.stdout.split())
    assert "Patient a" not in ended.output


@pytest.mark.long
def test_without_readers_the_number_of_objects_and_the_remedy_are_told(read_scans, caplog):
    ended = new()
    assert ended.exit_code == 2
    assert "3 faults in the data, listed above" in ended.stderr
    assert (
        "case case_001 (a): 3 label objects of this series hold kidney (rtstruct_bob.dcm, "
        "seg_anna.dcm, seg_cleo.dcm): keep one of them, or where they are of several readers, pass "
        "--readers consensus, staple or mean"
    ) in caplog.text


def test_objects_without_a_class_in_common_are_of_one_reader(tmp_path):
    for number, name in enumerate("abc"):
        series = write_scan(tmp_path / "scans", name, name, number)
        write_object(series, tmp_path / "scans" / name / "kidney.dcm", slice(3, 6), ["kidney"])
        write_object(series, tmp_path / "scans" / name / "liver.dcm", slice(7, 9), ["liver"])
    found = find_cases(tmp_path / "scans", out=tmp_path / "out", several_readers=True)
    assert not found.faults
    for pair in found.pairs:
        (path,) = pair.readers.values()
        assert set(np.unique(load(path)[0])) == {0, 1, 2}


def test_objects_of_which_only_some_share_a_class_are_a_fault(tmp_path):
    series = write_scan(tmp_path / "scans", "a", "a", 0)
    for start, held in enumerate(("kidney", "kidney", "liver"), start=1):
        path = tmp_path / "scans" / "a" / f"x{start}.dcm"
        write_object(series, path, slice(start, start + 3), [held])
    found = find_cases(tmp_path / "scans", out=tmp_path / "out", several_readers=True)
    (fault,) = found.faults
    assert fault == (
        "case case_001 (a): 3 label objects of this series are of several readers, and x1.dcm and "
        "x3.dcm have no class in common: put what one reader drew into one object"
    )


def write_by_uid(root, *, people=()):
    """Two objects for each of three cases, whose names tell nothing."""
    for number, name in enumerate("abc"):
        series = write_scan(root, name, name, number)
        for place, columns in enumerate((slice(3, 6), slice(4, 7))):
            path = root / name / f"{5 + number * 7 + place}{'xyz'[number]}{place}.dcm"
            write_object(series, path, columns)
            if people:
                stated = pydicom.dcmread(path)
                stated.ContentCreatorName = people[(place + number) % 2]
                stated.save_as(path)


def test_where_names_tell_no_reader_the_stated_person_does_by_a_number(tmp_path, caplog):
    write_by_uid(tmp_path / "scans", people=["Rossi^Anna", "Weber^Bob"])
    found = find_cases(tmp_path / "scans", out=tmp_path / "out", several_readers=True)
    assert not found.faults
    firsts = [load(pair.readers["reader_1"])[0][3].any() for pair in found.pairs]
    assert firsts == [True, False, True]
    assert "numbered in each case" not in caplog.text
    assert "Rossi" not in str(found)


def test_where_nothing_tells_readers_they_are_numbered_and_that_is_said(tmp_path, caplog):
    write_by_uid(tmp_path / "scans")
    found = find_cases(tmp_path / "scans", out=tmp_path / "out", several_readers=True)
    assert [list(pair.readers) for pair in found.pairs] == [["reader_1", "reader_2"]] * 3
    assert "reader_1 may be several people" in caplog.text
