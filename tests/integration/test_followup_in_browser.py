"""The page of a comparison in Chromium: readable on a phone and a desktop, and on paper."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from integration.chromium import needs_chromium, open_browser
from report.followup.bodies import draw_body
from report.followup.test_compare import compare, make_pair

from medseg.report.followup.page import format_page

pytestmark = [pytest.mark.long, needs_chromium]

EVIL = "<img src=x onerror='window.hurt = true'>"
PLACES = [((x, y, z), 4) for x in (-30, -10, 10, 30) for y in (-15, 10) for z in (-10, 10)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A page with 16 lesions of which 15 persist, and names that would be markup."""
    folder = tmp_path_factory.mktemp("followup")
    pair = make_pair(folder, PLACES, [*PLACES[1:], ((0, -35, 0), 5)])
    shown = [replace(c, image=draw_body(c.geometry, noise=20.0), name=EVIL) for c in pair]
    page = folder / "followup.html"
    page.write_text(format_page(compare(shown), day=date(2026, 3, 7)), encoding="utf-8")
    return page


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_runs_over_the_side_and_each_picture_is_seen(path, width):
    with open_browser() as tab:
        tab.set_size(width, 900)
        tab.open(path)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        sizes = tab.evaluate(
            "[...document.images].map(i => [i.complete, i.naturalWidth, i.clientWidth])"
        )
        assert len(sizes) == 16
        assert all(done and natural > 0 and shown > 80 for done, natural, shown in sizes)
        assert np.ptp(tab.take_picture()) > 200
        assert not tab.evaluate("window.hurt")
        assert tab.list_complaints() == []
        assert [one for one in tab.list_requests() if not one.startswith(("file:", "data:"))] == []
        assert tab.evaluate("document.querySelector('h1').textContent.includes('<img')")


def test_it_prints_on_two_pages(path):
    with open_browser() as tab:
        tab.open(path)
        pages = len(re.findall(rb"/Type\s*/Page\b", tab.print_pdf()))
    assert pages <= 2
