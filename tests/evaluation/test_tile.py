"""Tests of medseg.evaluation.tile: what stands above the picture of a case, and its outlines."""

import math

import numpy as np
import pytest
from evaluation.scored import row

from medseg.evaluation.tile import (
    PRED_COLOUR,
    TILE,
    TRUE_COLOUR,
    describe_case,
    draw_legend,
    draw_tile,
    format_size,
)
from medseg.evaluation.view import View
from medseg.inference.preview.page import draw_page, list_texts


def view(**options):
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 10:30] = 1
    about = {
        "size": (60.0, 40.0),
        "unit": "mm",
        "place": "axial, slice 3 of 9",
        "sides": ("R", "L"),
    }
    shades = np.full((40, 60), 0.5)
    return View(shades=shades, true=mask, pred=np.roll(mask, 10, axis=1), **{**about, **options})


def test_a_tile_has_the_name_the_scores_the_slice_and_the_sides():
    texts = list_texts(draw_tile(view(), row("case_7", 0.5, predicted=12.34)))
    assert texts[:4] == [
        "case_7",
        "Dice 0.500, HD95 1.0 mm",
        "truth 2.00 mL, prediction 12.3 mL",
        "axial, slice 3 of 9",
    ]
    assert {"R", "L", "20 mm"} <= set(texts)


def test_both_outlines_are_there_where_they_lie():
    drawn = np.asarray(draw_page(draw_tile(view(), row("a", 0.5))))
    scale = TILE / 60
    for colour, first in ((TRUE_COLOUR, 10), (PRED_COLOUR, 20)):
        columns = np.nonzero((drawn == colour).all(axis=-1))[1]
        assert np.ptp(columns) + 1 == pytest.approx(20 * scale, abs=2), first


def test_a_class_that_was_not_found_has_no_size_and_an_infinite_distance():
    missed = describe_case(row("a", 0.0, predicted=0.0, hd95=math.inf))
    assert missed == ["Dice 0.000, HD95 infinite", "truth 2.00 mL, prediction none"]


def test_sizes_are_said_in_their_units():
    assert [format_size(*size) for size in ((0.05, "mL"), (120.4, "mm2"), (7, "pixels"))] == [
        *("0.0500 mL", "120 mm2", "7 pixels"),
    ]


def test_a_long_name_is_broken_and_not_cut():
    name = "a_very_long_name_" * 6
    texts = list_texts(draw_tile(view(place="", sides=("", "")), row(name, 0.5)))
    assert "".join(texts).startswith(name)


def test_the_legend_names_both_outlines():
    assert list_texts(draw_legend()) == ["truth", "prediction"]
