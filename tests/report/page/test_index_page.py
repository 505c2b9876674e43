"""Tests of medseg.report.page.index_page: one page lists the cases of a folder, with totals."""

from __future__ import annotations

import logging
import tracemalloc

import pytest
from report.page.test_listed_case import write_page, write_record

from medseg.report.page import index_page
from medseg.report.page.index_page import NAME, Totals, write_index
from medseg.report.page.listed_case import ListedCase


def read(folder):
    return (folder / NAME).read_text(encoding="utf-8")


def test_the_page_lists_done_warned_and_failed_cases_with_totals(tmp_path):
    write_page(tmp_path, "a")
    write_page(tmp_path, "b", notes=["slices are missing"])
    write_record(
        tmp_path,
        {"case": "a", "status": "done", "seconds": 30},
        {"case": "b", "status": "done", "seconds": 60},
        {"case": "c", "status": "failed", "reason": "no image"},
    )
    write_index(tmp_path)
    page = read(tmp_path)
    assert "<h1>3 cases</h1>" in page
    assert "2 done, 1 of them with warnings, 1 failed · 1.5 minutes of computing" in page
    assert "2 cases, 0.125 to 0.125&nbsp;mL" in page
    for text in ('href="./a_report.html"', "slices are missing", "no image", "2 lesions"):
        assert text in page
    assert page.count("data:image/jpeg;base64,SlBFRw==") == 2


def test_structures_that_are_cut_off_are_left_out_and_counted(tmp_path):
    write_page(tmp_path, "a")
    write_page(tmp_path, "b", cut=True)
    write_index(tmp_path)
    page = read(tmp_path)
    assert "2 cases, 0.125&nbsp;mL; 1 of 2 at the edge of the image, left out" in page
    assert page.count('<span class="status warning">') == 1
    assert "liver reaches the edge of the image" in page


def test_a_failure_shows_what_is_wrong_and_folds_the_rest(tmp_path):
    reason = "gzip stream of /tmp/some/in/a.nii.gz ends early: pass `--force True` <b>"
    write_record(tmp_path, {"case": "a", "status": "failed", "reason": reason})
    write_index(tmp_path)
    page = read(tmp_path)
    assert "<code>--force True</code> &lt;b&gt;</details>" in page
    assert "/in/" not in page


@pytest.mark.parametrize(
    ("remark", "expected"),
    [
        ("/data/in/cut.nii.gz ends early: copy it", ("cut.nii.gz ends early", "Copy it")),
        ("C:\\data\\cut.nii is empty", ("cut.nii is empty", "")),
        ("10/12 mm apart and in/out: no", ("10/12 mm apart and in/out", "No")),
        ("see https://a.org/b/c", ("see https://a.org/b/c", "")),
    ],
)
def test_a_remark_names_files_without_their_folders(remark, expected):
    assert index_page.split_remark(remark, "failed") == expected


def test_names_and_reasons_stay_text(tmp_path):
    evil = "<script>alert(1)</script>\u202e"
    write_record(tmp_path, {"case": evil, "status": "failed", "reason": evil}, bundle=evil)
    write_index(tmp_path)
    page = read(tmp_path)
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;\\u202e") == 3


def test_a_folder_without_a_case_gets_no_page(tmp_path):
    write_index(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_page_of_others_stays(tmp_path, caplog):
    write_page(tmp_path, "a")
    (tmp_path / NAME).write_text("<h1>mine</h1>")
    caplog.set_level(logging.WARNING)
    write_index(tmp_path)
    assert read(tmp_path) == "<h1>mine</h1>"
    assert "is not of medseg and stays" in caplog.text


def test_a_page_is_brought_up_to_date(tmp_path):
    write_page(tmp_path, "a")
    write_index(tmp_path, refresh=True)
    assert not (tmp_path / NAME).exists()
    write_index(tmp_path)
    write_page(tmp_path, "b")
    write_index(tmp_path, refresh=True)
    assert "<h1>2 cases</h1>" in read(tmp_path)


def test_many_structures_have_one_column(tmp_path):
    volumes = {f"structure {k}": 1.0 for k in range(index_page.MOST_COLUMNS + 1)}
    write_record(tmp_path, {"case": "a", "status": "done", "mask": "a", "volumes_ml": volumes})
    (tmp_path / "a").touch()
    write_index(tmp_path)
    assert "structure 0 1.00 mL, structure 1 1.00 mL" in read(tmp_path)
    assert 'class="number">structure 0' not in read(tmp_path)


def test_pictures_stop_where_a_browser_would(tmp_path, monkeypatch):
    monkeypatch.setattr(index_page, "MOST_PICTURES", 1)
    for case in "abc":
        write_page(tmp_path, case)
    write_index(tmp_path)
    assert read(tmp_path).count("data:image/jpeg") == 1


def test_the_page_of_many_cases_is_not_in_memory(tmp_path, monkeypatch):
    def list_many(_):
        for k in range(2000):
            yield ListedCase(f"case {k}", "done", picture="x" * 10_000, volumes_ml={"liver": k})

    monkeypatch.setattr(index_page, "list_cases", list_many)
    tracemalloc.start()
    write_index(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / NAME).stat().st_size > 20e6
    assert peak < 5e6


@pytest.mark.parametrize(
    ("volumes", "text"),
    [
        ([], None),
        ([0.0], "not found"),
        ([12.0], "1 case, 12.0 mL"),
        ([1.0, 3.0, 0.0], "2 cases, 1.00 to 3.00 mL"),
        ([1.0, 3.0, 3.0, 3.0, 5.0], "5 cases, mean 3.00 mL, SD 1.41 mL"),
    ],
)
def test_volumes_count_where_a_structure_was_found(volumes, text):
    totals = Totals()
    for volume in volumes:
        totals.add(ListedCase("a", "done", volumes_ml={"liver": volume}))
    assert dict(totals.describe_volumes()).get("liver") == text


def test_of_structures_that_are_all_cut_off_no_volume_is_stated():
    totals = Totals()
    for volume in (1.0, 2.0):
        cut = frozenset({"liver"})
        totals.add(ListedCase("a", "done", volumes_ml={"liver": volume}, at_edge=cut))
    ((_, text),) = totals.describe_volumes()
    assert text == "2 cases; at the edge of the image in each, so that no whole volume is known"
