"""Tests of medseg.cli.documents.series_table: rows for people, with UIDs that can be told apart."""

from __future__ import annotations

import io

from ingest.dicom_writer import compress_series, make_series, write_series
from pydicom.uid import RLELossless
from rich.console import Console

from medseg.cli.documents.series_table import format_findings, make_table
from medseg.ingest import inspect


def shown(rows, path):
    console = Console(file=io.StringIO(), width=200)
    console.print(make_table(rows, path))
    return console.file.getvalue()


def test_each_series_is_a_line_of_its_facts(tmp_path):
    write_series(tmp_path, compress_series(make_series(uid="1.2.3"), RLELossless))
    (line,) = [line for line in shown(inspect(tmp_path), tmp_path).splitlines() if "CT" in line]
    facts = [fact for fact in line.split("  ") if fact.strip()]
    assert [fact.strip() for fact in facts] == [
        *("1.2.3", "CT", "4x6x5", "0.75 x 0.5 x 1.25", "LPS", "RLE", "5", "accept", "ok"),
    ]


def test_uids_are_cut_to_what_tells_them_apart(tmp_path):
    for k, uid in enumerate(("1.2.840.111.5.10000000000", "1.2.840.111.6.10000000000", "1.2.3")):
        write_series(tmp_path, make_series(uid=uid), suffix=f".{k}")
    text = shown(inspect(tmp_path), tmp_path)
    assert "…5.10000000000" in text
    assert "…6.10000000000" in text
    assert " 1.2.3 " in text


def test_only_rows_with_findings_have_a_line_below(tmp_path):
    write_series(tmp_path, make_series(uid="1.2.1"), suffix=".a")
    gapped = make_series(uid="1.2.2")
    del gapped[2]
    write_series(tmp_path, gapped, suffix=".b")
    (line,) = format_findings(inspect(tmp_path))
    assert line.startswith("missing-slices: slice spacing varies from 1.25 to 2.5 mm")
    assert line.endswith("or pass --resample True to interpolate")
    assert "1.2.2" in line


def test_a_damaged_file_is_named_from_the_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "broken.dcm").write_bytes(b"broken")
    assert " a/broken.dcm " in shown(inspect(tmp_path), tmp_path)


def test_brackets_in_a_name_are_shown_as_they_are(tmp_path):
    (tmp_path / "a[red]b.dcm").write_bytes(b"broken")
    assert "a[red]b.dcm" in shown(inspect(tmp_path), tmp_path)
