"""Tests of medseg.report.page.case_page: one file that says what was found, and how."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from medseg.geometry import Geometry
from medseg.labels import make_table
from medseg.report.measure import measure_structures
from medseg.report.page.case_page import CaseFacts, describe_shown, write_case_page
from medseg.report.page.shown_volume import shrink_volume
from medseg.report.write_measurements import describe_measurement

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Texts(HTMLParser):
    """The tags of a page and its texts outside scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.links, self.inside = [], [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if not self.inside and data.strip():
            self.texts.append(" ".join(data.split()))


def make_volumes(shape=(16, 14, 12)):
    mask = np.zeros(shape, np.uint8)
    mask[4:9, 4:9, 4:9] = 1
    mask[5, 5, 5] = 2
    image = np.arange(mask.size, dtype=np.int16).reshape(shape) % 200
    return image, mask, Geometry(shape, np.eye(4))


@pytest.fixture
def write(tmp_path):
    """The page of a case with some facts."""

    def write_page(
        *,
        classes=("liver", "tumour"),
        unit="HU",
        measured=True,
        confidence=None,
        cut=False,
        **facts,
    ):
        image, mask, geometry = make_volumes()
        mask[4:9, 4:9, 0] = cut
        labels = make_table(list(classes))
        found = measure_structures(mask, geometry, labels, image=image, confidence=confidence)
        path = tmp_path / "study_report.html"
        about = CaseFacts(
            **{
                "case": "study",
                "made_by": "liver 0.1.0",
                "labels": labels,
                "names": list(classes),
                "day": date(2026, 1, 2),
                "unit": unit,
                "measured": [describe_measurement(m, labels) for m in found] if measured else None,
                **facts,
            }
        )
        write_case_page(path, about, shrink_volume(image, mask, geometry, unit=unit))
        return path.read_text(encoding="utf-8")

    return write_page


def read_data(page, name):
    found = re.search(rf'<script type="application/json" id="data-{name}">(.*?)</script>', page)
    return json.loads(found.group(1))


def test_a_page_says_what_when_by_what_and_for_what(write):
    texts = Texts(write(manifest=[("Weights, SHA-256", "abc")])).texts
    made = "liver 0.1.0 · segmented on 2026-01-02"
    assert {"study", made, "abc", "For research only:"} <= set(texts)


def test_the_table_has_the_numbers_with_their_units(write):
    texts = Texts(write()).texts
    assert "0.125" not in texts  # 5 x 5 x 5 voxels less the one of the tumour
    assert "0.124" in texts
    for unit in ("mL", "mm", "HU"):
        assert unit in texts


def test_notes_stand_before_the_viewer(write):
    page = write(notes=["WARNING: the slices are 16 mm apart"])
    assert page.index("16 mm apart", page.index("<body>")) < page.index('id="slices"')


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"confidence": {1: 0.42}}, "expected Dice 0.42, below 0.8"),
        ({"cut": True}, "liver reaches the edge of the image: it may go on outside"),
    ],
)
def test_what_was_measured_badly_is_among_the_warnings_of_page_and_index(write, facts, text):
    page = write(**facts)
    assert text in page[page.index('aria-label="Warnings"') : page.index("<main>")]
    (note,) = read_data(page, "summary")["notes"]
    assert text in note


def test_without_a_doubt_there_is_no_warning(write):
    assert 'aria-label="Warnings"' not in write(confidence={1: 0.8, 2: 0.95})


@pytest.mark.parametrize(
    "place", ["case", "made_by", "task", "notes", "patient", "manifest", "files", "classes"]
)
def test_text_from_outside_stays_text(write, place):
    value = {
        "notes": [EVIL], "patient": [("Patient", EVIL)], "manifest": [(EVIL, EVIL)],
        "files": [f"{EVIL}.nii.gz"], "classes": (EVIL, "tumour"),
    }.get(place, EVIL)  # fmt: skip
    plain, page = Texts(write()), Texts(write(**{place: value}))
    assert any(EVIL in text for text in page.texts)
    assert sum(tag == "script" for tag, _ in page.tags) == sum(t == "script" for t, _ in plain.tags)
    assert not [attributes for _, attributes in page.tags if "onerror" in attributes]


def test_nothing_of_a_page_is_outside_it(write):
    page = Texts(write(preview=make_png(), files=["study.nii.gz", "a b#?.csv"]))
    for _, attributes in page.tags:
        assert not attributes.get("src", "data:").partition("data:")[0]
        assert attributes.get("href", "./").startswith("./")
    hrefs = [attributes["href"] for _, attributes in page.tags if "href" in attributes]
    assert hrefs == ["./study.nii.gz", "./a%20b%23%3F.csv"]
    assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "object", "base")]


def make_png(values=None):
    picture = Image.new("RGB", (7, 5)) if values is None else Image.fromarray(values)
    file = BytesIO()
    picture.save(file, format="png")
    return file.getvalue()


def test_the_preview_is_in_the_page_with_its_size(write):
    (picture,) = (a for tag, a in Texts(write(preview=make_png())).tags if tag == "img")
    assert (picture["width"], picture["height"]) == ("7", "5")
    assert picture["alt"]


def test_the_viewer_begins_at_the_first_structure_with_the_window_of_the_preview(write):
    about = read_data(write(window=(-100.0, 300.0)), "viewer")
    assert about["start"] == pytest.approx([6.0, 6.0, 6.0], abs=0.1)
    assert (about["windows"][0]["low"], about["windows"][0]["high"]) == (-100, 300)
    assert [label["name"] for label in about["labels"]] == ["liver", "tumour"]


def test_the_summary_stands_before_all_else_that_is_long(write):
    page = write(preview=make_png())
    assert page.index('id="data-summary"') < page.index("<style>")
    summary = read_data(page, "summary")
    assert summary["case"] == "study"
    assert [s["name"] for s in summary["structures"]] == ["liver", "tumour"]
    assert summary["structures"][1] == {
        "name": "tumour", "volume_ml": 0.001, "is_at_edge": False, "lesions": 1,
    }  # fmt: skip


def test_a_case_without_measurements_has_its_structures_named(write):
    texts = Texts(write(measured=False)).texts
    assert "Nothing was measured." in texts
    assert "tumour" in texts


def test_the_coarser_grid_and_the_range_of_values_are_stated():
    image, mask, geometry = make_volumes()
    text = describe_shown(shrink_volume(image, mask, geometry, unit="HU", most_voxels=400), "HU")
    assert "2 x 2 x 2 voxels as one of 2 x 2 x 2 mm" in text
    assert "the one in the middle" in text
    assert "\N{MINUS SIGN}1024 to 3071 HU" in text
    assert "full grid" in describe_shown(shrink_volume(image, mask, geometry), "")


def test_every_control_has_a_name(write):
    page = write()
    body = page[page.index("<form") : page.index("</form>")]
    parser = Texts(body)
    inputs = [a for tag, a in parser.tags if tag in ("input", "select")]
    assert len(inputs) == body.count("<label") > 0
    assert all(a.get("type") == "button" for tag, a in parser.tags if tag == "button")


@pytest.mark.long
def test_the_page_of_a_large_volume_that_packs_badly_stays_below_25_mb(tmp_path):
    rng = np.random.default_rng(0)
    shape = (512, 512, 600)
    image = rng.integers(-1024, 3072, shape, dtype=np.int16)
    mask = rng.integers(0, 3, shape, dtype=np.uint8)
    labels = make_table(["liver", "tumour"])
    facts = CaseFacts("study", "liver 0.1.0", labels, ["liver", "tumour"], date(2026, 1, 2))
    noise = rng.integers(0, 256, (1000, 1000), dtype=np.uint8)
    shown = shrink_volume(image, mask, Geometry(shape, np.eye(4)), unit="HU")
    path = tmp_path / "study_report.html"
    write_case_page(path, replace(facts, preview=make_png(noise)), shown)
    assert path.stat().st_size < 25e6
