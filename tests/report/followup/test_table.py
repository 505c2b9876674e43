"""Tests of medseg.report.followup.table: a row for each change, whatever is not known."""

from __future__ import annotations

import pytest
from report.followup.test_compare import AFTER, BEFORE, compare, make_pair
from rich.console import Console

from medseg.report.followup.table import (
    MOST_DAYS,
    format_doubling,
    format_lines,
    format_percent,
    make_table,
)


def show(found):
    console = Console(width=200)
    with console.capture() as shown:
        console.print(make_table(found))
    return shown.get().splitlines()


@pytest.mark.parametrize(
    ("start", "outcome"),
    [
        ("tumour A (1 to 1)", "persisted"),
        ("tumour C (3 to -)", "vanished"),
        ("tumour D (- to 3)", "new"),
        ("tumour all", ""),
        ("liver all", ""),
    ],
)
def test_each_change_is_a_row(start, outcome, tmp_path):
    rows = [" ".join(line.split()) for line in show(compare(make_pair(tmp_path, BEFORE, AFTER)))]
    assert any(row.startswith(f"{start} {outcome}".strip()) for row in rows)


def test_several_lesions_are_joined_by_a_plus(tmp_path):
    pair = make_pair(tmp_path, [((0, 0, 0), 9)], [((-6, 0, 0), 5), ((6, 0, 0), 4.5)])
    assert any("A (1 to 1+2)" in line and "split" in line for line in show(compare(pair)))


def test_without_a_response_its_reason_is_said(tmp_path):
    lines = list(format_lines(compare(make_pair(tmp_path, [], []))))
    assert any(line.startswith("RECIST 1.1 of the measured lesions: none (") for line in lines)
    assert not any(line.startswith("targets") for line in lines)


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (None, ""),
        (60.4, "60"),
        (-131.0, "halves in 131"),
        (MOST_DAYS + 1.0, "over 10 years"),
        (-1e12, "halves in over 10 years"),
    ],
)
def test_a_doubling_time_is_put_in_words(days, text):
    assert format_doubling(days) == text


@pytest.mark.parametrize(("percent", "text"), [(0.04, "0.0"), (-0.04, "0.0"), (-0.06, "-0.1")])
def test_a_change_that_rounds_to_nothing_has_no_sign(percent, text):
    assert format_percent(percent) == text
