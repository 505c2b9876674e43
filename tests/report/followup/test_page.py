"""Tests of medseg.report.followup.page: it says what was found, escaped, and asks for nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html import unescape

import pytest
from report.followup.bodies import draw_body
from report.followup.test_compare import AFTER, BEFORE, EARLIER, compare, make_case, make_pair

from medseg.report.followup.page import (
    MOST_NOTES,
    MOST_PICTURES,
    MOST_ROWS,
    format_number,
    format_page,
)

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
DAY = date(2026, 3, 7)
EVIL = "<script>alert(1)</script>&\x1b[31m"


def show(found):
    return format_page(found, day=DAY)


def list_rows(page):
    """The cells of each row of the table, as text."""
    body = page[page.index("<tbody>") : page.index("</tbody>")]
    rows = re.findall(r"<tr.*?</tr>", body, flags=re.DOTALL)
    cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL) for row in rows)
    return [[" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in row] for row in cells]


@pytest.fixture
def with_images(tmp_path):
    pair = make_pair(tmp_path, BEFORE, AFTER)
    return [replace(case, image=draw_body(case.geometry, noise=20.0)) for case in pair]


def test_each_change_has_a_row(tmp_path):
    rows = list_rows(show(compare(make_pair(tmp_path, BEFORE, AFTER))))
    assert [row[:2] for row in rows] == [
        ["liver", ""],
        ["tumour", ""],
        ["tumour A target (earlier 1, later 1)", "persisted"],
        ["tumour B target (earlier 2, later 2)", "persisted"],
        ["tumour C (earlier 3)", "vanished"],
        ["tumour D (later 3)", "new"],
    ]
    assert {len(row) for row in rows} == {12}
    assert rows[4][4] == f"{MINUS}100.0 %"
    assert rows[4][3] == rows[5][2] == "0"  # it is absent there
    assert rows[5][4] == DASH  # of 0 there is no percentage
    assert rows[1][5:11] == [DASH] * 6


def test_the_response_has_its_rule(tmp_path):
    page = " ".join(show(compare(make_pair(tmp_path, BEFORE, AFTER))).split())
    assert "<b>PD</b> progressive disease" in page
    assert "1 new lesion: tumour D (later 3)." in page
    assert "Targets: tumour A (earlier 1, later 1), tumour B (earlier 2, later 2). Sum of" in page
    assert "Targets: up to 5 lesions of the earlier study" in page
    assert "no assessment of a patient" in page


def test_without_a_category_the_reason_is_said(tmp_path):
    page = show(compare(make_pair(tmp_path, [], [])))
    assert "<b>No category</b>" in page
    assert "There is no lesion in the earlier study by which" in page


def test_lesions_have_their_pictures(with_images):
    page = show(compare(with_images))
    assert page.count("data:image/png;base64,") == 2 * 4
    assert 'alt="Later: tumour A"' in page


def test_both_studies_have_one_grey_window_in_hu_and_each_its_own_in_other_units(with_images):
    page = unescape(show(compare([replace(case, unit="HU") for case in with_images])))
    assert re.search(rf"One grey window .*: black at {MINUS}?\d*0 HU, white at \d*0 HU\.", page)
    page = show(compare(with_images))
    assert "The grey values of each study are scaled by themselves" in page
    assert "One grey window" not in page


def test_without_images_the_page_says_so(tmp_path):
    page = show(compare(make_pair(tmp_path, BEFORE, AFTER)))
    assert "The images are not at hand" in page
    assert "<img" not in page


def test_names_are_text_whatever_they_hold(with_images):
    before, after = with_images
    found = compare((replace(before, name=EVIL, made_by=EVIL), replace(after, name=EVIL)))
    page = show(found)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;\\x1b[31m" in page
    assert EVIL[-5:] not in page


def test_it_asks_for_nothing_and_runs_nothing(with_images):
    page = show(compare(with_images))
    assert "default-src 'none'; script-src 'none'" in unescape(page)
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)


def test_a_page_of_many_lesions_has_the_most_telling_ones_and_says_how_many_are_left_out(tmp_path):
    found = compare(make_pair(tmp_path, BEFORE, AFTER))
    many = replace(
        found, lesions=found.lesions * 20, warnings=tuple(f"note {k}" for k in range(30))
    )
    page = show(many)
    assert len(list_rows(page)) == MOST_ROWS + 2
    assert f"{80 - MOST_ROWS} more lesions are in followup.csv" in page
    assert f"{30 - MOST_NOTES} more in followup.json" in page
    assert sum(row[1] == "new" for row in list_rows(page)) == 0  # forty are targets
    assert MOST_PICTURES < MOST_ROWS


def test_a_volume_that_stays_has_no_doubling_time(tmp_path):
    days = {"day": date(2026, 1, 1)}, {"day": date(2026, 3, 1)}
    lesion, larger = [((0, 0, 0), 9)], [((0, 0, 0), 12)]
    before = make_case(tmp_path, "a", EARLIER, lesion, draws=False, **days[0])
    after = make_case(tmp_path, "b", EARLIER, lesion, draws=False, **days[1])
    whole, tumours, one = list_rows(show(compare((before, after))))
    assert whole[4] == tumours[4] == one[4] == "0.0 %"
    assert whole[-1] == tumours[-1] == one[-1] == DASH
    after = make_case(tmp_path, "c", EARLIER, larger, draws=False, **days[1])
    assert list_rows(show(compare((before, after))))[1][-1].isdigit()


@pytest.mark.parametrize(
    ("value", "text"), [(-1.25, f"{MINUS}1.2"), (None, DASH), (0.0, "0.0"), (1234.56, "1234.6")]
)
def test_a_number_has_its_sign_and_what_is_missing_a_dash(value, text):
    assert format_number(value, 1) == text
