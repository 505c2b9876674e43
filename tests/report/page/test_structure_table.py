"""Tests of medseg.report.page.structure_table: a person reads what was measured, or why not."""

from __future__ import annotations

import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.labels import make_table
from medseg.report.measure import measure_structures
from medseg.report.page.structure_table import (
    AT_EDGE,
    MOST_LESIONS,
    NOT_SHOWN,
    format_length,
    list_columns,
    list_reasons,
    list_rows,
)
from medseg.report.write_measurements import describe_measurement

CLASSES = {"liver": [1, 2], "tumour": [2]}


def read_rows(mask, *, affine=None, image=None, kept=None, classes=CLASSES, confidence=None):
    labels = make_table(classes)
    geometry = Geometry(mask.shape, np.eye(4) if affine is None else affine)
    found = measure_structures(mask, geometry, labels, image=image, confidence=confidence)
    described = [describe_measurement(one, labels) for one in found]
    return list_rows(described, labels, list(classes), kept=kept)


def make_mask():
    mask = np.zeros((40, 30, 20), np.uint8)
    mask[5:35, 5:25, 5:15] = 1
    mask[10:14, 10:12, 10] = 2
    mask[20, 20, 8] = 2
    return mask


def test_lesions_stand_behind_their_structure():
    rows = read_rows(make_mask())
    assert [(row.name, row.lesion) for row in rows] == [
        *(("liver", 0), ("tumour", 0), ("lesion 1", 1), ("lesion 2", 2)),
    ]
    assert rows[2].rgb == rows[1].rgb == make_table(CLASSES)["tumour"].rgb


def test_numbers_have_the_units_of_their_columns():
    mask = np.zeros((30, 20, 20), np.uint8)
    mask[5:15, 5:15, 5:15] = 1
    image = np.where(np.arange(20) % 2, 40.0, 60.0) * np.ones(mask.shape)
    (row,) = read_rows(mask, image=image, classes=["cube"])
    found = {
        (column.title, column.unit): cell.text
        for column, cell in zip(list_columns("HU"), row.cells, strict=True)
    }
    assert found["Volume", "mL"] == "1.00"  # 10 x 10 x 10 mm
    assert (
        found["Long axis", "mm"] == "13.5"
    )  # between the middles of the outer edges: hypot(9, 10)
    assert found["Slice", ""] == "6"  # the first of the equal ones, counted from 1
    assert found["Mean (SD of voxels)", "HU"] == "50.0 (10.0)"
    assert found["Middle 90 %", "HU"] == "40.0 to 60.0"
    assert row.centroid_mm == (9.5, 9.5, 9.5)


def test_a_length_has_one_decimal_at_most():
    assert [format_length(mm) for mm in (6.54, 31.25, 207.36)] == ["6.5", "31.2", "207"]


def test_the_expected_dice_is_shown_and_said_not_to_be_calibrated():
    (row,) = read_rows(np.ones((4, 4, 4), np.uint8), classes=["lung"], confidence={1: 0.4263})
    assert row.cells[-1].text == "0.43"
    column = list_columns("HU")[-1]
    assert (column.title, column.unit) == ("Expected Dice", "not calibrated")


def test_a_minus_is_a_minus():
    mask = np.ones((4, 4, 4), np.uint8)
    (row,) = read_rows(mask, image=np.full(mask.shape, -850.4), classes=["lung"])
    assert row.cells[-3].text == "\N{MINUS SIGN}850.4 (0.0)"


def test_what_was_not_measured_has_its_reason_and_a_letter():
    sheared = np.eye(4)
    sheared[0, 1] = 0.5
    rows = read_rows(make_mask(), affine=sheared)
    reasons = list_reasons(rows)
    assert list(reasons) == ["a", "b", "c", "d", "e"]
    assert "right angles" in reasons["a"]
    assert "not at hand" in reasons["b"]
    assert "probabilities" in reasons["c"]
    assert "one by one" in reasons["d"]
    assert "whole structures" in reasons["e"]
    assert rows[0].cells[1].text == ""
    assert rows[0].cells[0].text != ""


def test_a_structure_that_was_not_found_has_no_numbers_and_no_place():
    rows = read_rows(np.zeros((5, 5, 5), np.uint8))
    assert all(row.cells == () and row.centroid_mm is None for row in rows)


def test_what_reaches_the_edge_or_cannot_be_drawn_says_so():
    mask = np.zeros((9, 9, 9), np.uint8)
    mask[0:3, 3, 3] = 1
    mask[6, 6, 6] = 2
    organ, lesion = (
        row for row in read_rows(mask, classes=["organ", "part"], kept=frozenset({0, 1}))
    )
    assert organ.remarks == (AT_EDGE,)
    assert lesion.remarks == (NOT_SHOWN,)


def test_a_structure_that_is_drawn_by_what_it_encloses_is_drawn():
    mask = np.full((3, 3, 3), 2, np.uint8)
    rows = read_rows(mask, kept=frozenset({2}))
    assert all(NOT_SHOWN not in row.remarks for row in rows)


def test_of_many_lesions_the_largest_are_listed_and_the_others_counted():
    mask = np.zeros((100, 9, 9), np.uint8)
    for k in range(MOST_LESIONS + 3):
        mask[4 * k + 2 : 4 * k + 4, 4, 4] = 2
    mask[2, 5, 4] = 2
    rows = read_rows(mask)
    assert sum(row.lesion > 0 for row in rows) == MOST_LESIONS
    (tumour,) = (row for row in rows if row.name == "tumour")
    assert any(text.startswith("3 smaller lesions, 0.0060 mL") for text in tumour.remarks)


@pytest.mark.parametrize(("unit", "shown"), [("HU", "HU"), ("", "a.u.")])
def test_values_without_a_unit_say_so(unit, shown):
    assert {c.unit for c in list_columns(unit) if c.source == "intensities"} == {shown}
