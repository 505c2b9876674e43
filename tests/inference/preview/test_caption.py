"""Tests of medseg.inference.preview.caption: what a preview states, and nothing more."""

from datetime import date

import numpy as np
import pytest

from medseg.inference.preview.caption import (
    RESEARCH_USE,
    About,
    describe_areas,
    describe_volumes,
    format_volume,
    write_heading,
    write_legend,
)
from medseg.inference.preview.page import list_texts

ABOUT = About("case_001", "liver 0.3.1", date(2026, 11, 29), notes=["forced: x", "too small"])


def label():
    """1000 voxels of 20 mL, of which the half is of class 2."""
    voxels = np.zeros((40, 40, 40), np.uint8)
    voxels[:10, :10, :10] = 1
    voxels[:5, :10, :10] = 2
    return voxels


def test_the_heading_names_case_bundle_version_and_day():
    assert list_texts(write_heading(ABOUT, ["more"], 900)) == [
        "case_001",
        "liver 0.3.1 · 2026-11-29",
        "more",
    ]


def test_without_a_bundle_the_heading_has_the_day_alone():
    assert list_texts(write_heading(About("a", day=date(2026, 1, 2)), [], 900)) == [
        "a",
        "2026-01-02",
    ]
    assert list_texts(write_heading(About("a"), [], 900)) == ["a", date.today().isoformat()]


def test_what_is_not_printable_in_a_name_is_an_escape():
    assert list_texts(write_heading(About("a\x1b[31m\nb"), [], 900))[0] == r"a\x1b[31m\nb"
    assert describe_areas(np.zeros((2, 2), np.uint8), ["a\nb"]) == [(1, r"a\nb: none")]


def test_the_legend_names_classes_notes_and_for_what_it_may_be_used():
    assert list_texts(write_legend([(1, "liver 20.0 mL"), (2, "tumour: none")], ABOUT, 900)) == [
        "liver 20.0 mL",
        "tumour: none",
        "FORCED: x",
        "WARNING: too small",
        RESEARCH_USE,
    ]


def test_the_volume_of_a_class_is_its_voxels_times_that_of_a_voxel():
    assert describe_volumes(label(), 0.02, ["liver", "tumour", "cyst"]) == [
        (1, "liver 10.0 mL"),
        (2, "tumour 10.0 mL"),
        (3, "cyst: none"),
    ]


def test_a_region_is_counted_with_those_within_it():
    regions = {"liver": [1, 2], "tumour": [2]}
    assert describe_volumes(label(), 0.02, regions) == [(1, "liver 20.0 mL"), (2, "tumour 10.0 mL")]
    apart = {"liver": [1], "tumour": [2]}
    assert describe_volumes(label(), 0.02, apart) == [(1, "liver 10.0 mL"), (2, "tumour 10.0 mL")]


def test_the_area_of_a_class_is_in_pixels_and_per_cent():
    voxels = np.zeros((50, 40), np.uint8)
    voxels[:10, :25] = 1  # 250 of 2000
    assert describe_areas(voxels, ["nucleus", "cell"]) == [
        (1, "nucleus 250 pixels, 12.5 %"),
        (2, "cell: none"),
    ]


@pytest.mark.parametrize(
    ("volume_ml", "text"),
    [(1532.44, "1532.4"), (10, "10.0"), (9.996, "10.00"), (1.305, "1.30"), (0.0485, "0.0485")],
)
def test_small_volumes_have_more_digits(volume_ml, text):
    assert format_volume(volume_ml) == f"{text} mL"
