"""Tests of medseg.report.page.listed_case: each case of a folder is listed once, as it is now."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.labels import make_table
from medseg.report import describe_measurement, measure_structures
from medseg.report.page.case_page import CaseFacts, write_case_page
from medseg.report.page.listed_case import ListedCase, list_cases
from medseg.report.page.shown_volume import shrink_volume

CLASSES = {"liver": [1, 2], "tumour": [2]}


def write_page(folder, case, *, notes=(), day=date(2026, 1, 2), cut=False):
    mask = np.zeros((10, 10, 10), np.uint8)
    mask[2:7, 2:7, 2:7] = 1
    mask[0, 2:7, 2:4] = cut
    mask[3, 3, 3] = mask[5, 5, 5] = 2
    geometry, labels = Geometry(mask.shape, np.eye(4)), make_table(CLASSES)
    measured = [
        describe_measurement(one, labels) for one in measure_structures(mask, geometry, labels)
    ]
    facts = CaseFacts(
        case=case, made_by="liver 0.1.0", labels=labels, names=list(CLASSES), day=day, notes=notes,
        measured=measured, thumbnail=b"JPEG",
    )  # fmt: skip
    shown = shrink_volume(mask.astype(np.int16), mask, geometry)
    write_case_page(folder / f"{case}_report.html", facts, shown)


def write_record(folder, *cases, started="2026-01-03T04:05:06+00:00", **other):
    name = f"segmentation_{started[:19].replace(':', '-').replace('T', '_')}.json"
    made = {"bundle": "liver 0.2.0", "started": started, "cases": cases, **other}
    (folder / name).write_text(json.dumps(made), encoding="utf-8")


def test_a_page_tells_all_of_its_case(tmp_path):
    write_page(tmp_path, "a", notes=["slices are missing"])
    write_record(tmp_path, {"case": "a", "status": "done", "seconds": 3.25})
    assert list(list_cases(tmp_path)) == [
        ListedCase(
            case="a",
            status="warning",
            page="a_report.html",
            picture="SlBFRw==",
            bundle="liver 0.1.0",
            day="2026-01-02",
            remarks=("slices are missing",),
            volumes_ml={"liver": 0.125, "tumour": 0.002},
            lesions={"tumour": 2},
            seconds=3.25,
        )
    ]


def test_the_summary_of_a_case_with_long_warnings_is_read_to_its_end(tmp_path):
    write_page(tmp_path, "a", notes=["x" * 200_000])
    (found,) = list_cases(tmp_path)
    assert found.remarks == ("x" * 200_000,)


def test_a_case_that_failed_has_its_reason(tmp_path):
    write_record(tmp_path, {"case": "b", "status": "failed", "reason": "no image"})
    (found,) = list_cases(tmp_path)
    assert (found.status, found.remarks, found.day) == ("failed", ("no image",), "2026-01-03")


def test_a_series_that_was_left_out_has_its_reason(tmp_path):
    write_record(tmp_path, {"case": "a", "status": "left out", "reason": "it is an MR"})
    (found,) = list_cases(tmp_path)
    assert (found.status, found.remarks) == ("left out", ("it is an MR",))


def test_the_last_command_counts(tmp_path):
    write_page(tmp_path, "a")
    write_record(tmp_path, {"case": "a", "status": "failed", "reason": "disk full"})
    (found,) = list_cases(tmp_path)
    assert found.status == "failed"
    assert found.page == "a_report.html"
    assert found.remarks == ("disk full", "the page is that of an earlier command")
    again = {"case": "a", "status": "done", "seconds": 1}
    write_record(tmp_path, again, started="2026-01-04T00:00:00+00:00")
    (found,) = list_cases(tmp_path)
    assert found.status == "done"


def test_a_case_without_a_page_is_listed_as_long_as_its_label_map_is_there(tmp_path):
    facts = {"case": "a", "status": "done", "mask": "a.nii.gz", "volumes_ml": {"liver": 1.5}}
    write_record(tmp_path, {**facts, "warnings": ["tilted"]})
    assert list(list_cases(tmp_path)) == []
    (tmp_path / "a.nii.gz").touch()
    (found,) = list_cases(tmp_path)
    assert (found.status, found.page, found.volumes_ml) == ("warning", "", {"liver": 1.5})


def test_cases_come_in_the_order_of_their_numbers(tmp_path):
    cases = [{"case": c, "status": "failed", "reason": ""} for c in ("c10", "c9", "b", "c1²", "")]
    write_record(tmp_path, *cases)
    assert [case.case for case in list_cases(tmp_path)] == ["", "b", "c1²", "c9", "c10"]


@pytest.mark.parametrize(
    "content", ["", "no json", "[]", '{"cases": [{}]}', '{"cases": 1}', '{"cases": ["a"]}']
)
def test_a_record_that_is_none_is_left_out_with_a_warning(tmp_path, caplog, content):
    write_page(tmp_path, "a")
    (tmp_path / "segmentation_2026.json").write_text(content)
    assert [case.case for case in list_cases(tmp_path)] == ["a"]
    assert "no record of a command" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<h1>mine</h1>",
        '<script type="application/json" id="data-summary">{"schema": "other"}</script>',
        '<script type="application/json" id="data-summary">[</script>',
        '<script type="application/json" id="data-summary">{"schema": "medseg-report-1"}</script>',
        '<script type="application/json" id="data-summary">{"schema": "medseg-report-1", '
        '"bundle": 1, "day": 2, "thumbnail": 3, "notes": 4, "structures": 5}</script>',
    ],
)
def test_a_page_of_others_is_not_listed(tmp_path, content):
    (tmp_path / "a_report.html").write_text(content)
    assert list(list_cases(tmp_path)) == []


def test_a_folder_without_a_case_has_none(tmp_path):
    assert list(list_cases(tmp_path)) == []
