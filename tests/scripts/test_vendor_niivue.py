"""Tests of scripts/vendor_niivue.py: the viewer of the pages is the one that was published."""

import pytest

from medseg.report.page.case_page import LIBRARY, LIBRARY_VERSION
from medseg.report.page.compose import ASSETS


def test_the_viewer_is_the_published_one_and_lies_beside_its_licence(script, capsys):
    assert script("vendor_niivue").main(["--check"]) == 0
    assert "0.69.0" in capsys.readouterr().out
    assert "BSD 2-Clause" in (ASSETS / "niivue.LICENSE.txt").read_text()


def test_pages_use_and_name_what_was_fetched(script):
    vendor = script("vendor_niivue")
    assert vendor.PLACE.name == LIBRARY
    assert vendor.VERSION == LIBRARY_VERSION


@pytest.mark.parametrize("content", [b"", b"changed", None])
def test_a_changed_or_missing_file_is_found(script, tmp_path, monkeypatch, capsys, content):
    vendor = script("vendor_niivue")
    monkeypatch.setattr(vendor, "PLACE", tmp_path / "niivue.umd.js")
    if content is not None:
        vendor.PLACE.write_bytes(content)
    assert vendor.main(["--check"]) == 1
    assert "niivue.umd.js" in capsys.readouterr().err
