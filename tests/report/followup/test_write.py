"""Tests of medseg.report.followup.write: both files say what was found, and come together."""

from __future__ import annotations

import csv
import json

import pytest
from report.followup.test_compare import AFTER, BEFORE, compare, make_pair

from medseg.base import files
from medseg.report.followup import write
from medseg.report.followup.write import COLUMNS, SCHEMA, check_room, write_followup


@pytest.fixture
def found(tmp_path):
    return compare(make_pair(tmp_path, BEFORE, AFTER))


def test_the_document_has_registration_response_and_each_change(found, tmp_path):
    places = write_followup(found, tmp_path / "out")
    made = json.loads(places["json"].read_text())
    assert made["schema"] == SCHEMA
    assert made["use"] == "research only"
    assert made["registration"]["method"] == "none"
    assert made["registration"]["matrix_before_to_after_ras"][0] == [1.0, 0.0, 0.0, 0.0]
    assert made["recist"]["category"] == "PD"
    assert "RECIST 1.1" in made["recist"]["rule"]
    assert [one["outcome"] for one in made["lesions"]] == [
        *("persisted", "persisted", "vanished", "new"),
    ]
    first = made["lesions"][0]
    assert (first["lesions_before"], first["lesions_after"]) == ([1], [1])
    assert first["is_target"] is True
    assert [one["id"] for one in made["lesions"]] == ["A", "B", "C", "D"]
    assert [one["id"] for one in made["recist"]["targets"]] == ["A", "B"]
    assert [one["id"] for one in made["recist"]["new_lesions"]] == ["D"]
    change = first["volume_ml"]
    assert change["change"] == pytest.approx(change["after"] - change["before"], abs=2e-4)
    assert first["measured_before"][0]["lesion"] == 1
    assert "dates of both" in first["reasons"]["doubling_days"]
    assert made["before"]["case"] == "a"
    assert made["days"] is None


def test_the_table_has_a_row_for_each_structure_and_each_match(found, tmp_path):
    places = write_followup(found, tmp_path / "out")
    with places["csv"].open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert tuple(reader.fieldnames) == COLUMNS
    assert [(row["structure"], row["outcome"], row["lesions_before"]) for row in rows] == [
        ("liver", "", ""),
        ("tumour", "", ""),
        ("tumour", "persisted", "1"),
        ("tumour", "persisted", "2"),
        ("tumour", "vanished", "3"),
        ("tumour", "new", ""),
    ]
    assert float(rows[2]["long_axis_mm_before"]) == pytest.approx(20, abs=2)
    assert rows[5]["volume_ml_percent"] == ""


def test_both_files_are_written_or_none(found, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr(write, "_format_csv", fail)
    with pytest.raises(OSError, match="no room"):
        write_followup(found, tmp_path / "out")
    monkeypatch.undo()
    count = iter(range(9))
    whole = files.whole

    def fail_second(path):
        if next(count):
            raise OSError("no room")
        return whole(path)

    monkeypatch.setattr(write, "whole", fail_second)
    with pytest.raises(OSError, match="no room"):
        write_followup(found, tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_an_earlier_comparison_is_kept_unless_it_may_go(found, tmp_path):
    check_room(tmp_path / "out", overwrite=False)
    write_followup(found, tmp_path / "out")
    with pytest.raises(ValueError, match=r"has a comparison already \(followup.json, followup.csv"):
        check_room(tmp_path / "out", overwrite=False)
    check_room(tmp_path / "out", overwrite=True)
