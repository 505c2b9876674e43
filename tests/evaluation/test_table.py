"""Tests of medseg.evaluation.table: a row for each class, in columns that fit a terminal."""

import io

from evaluation.scored import absent, row
from rich.console import Console

from medseg.evaluation.table import describe_dice, make_table
from medseg.metrics import CaseMetrics


def lines(tmp_path, rows, **options):
    scores = CaseMetrics(tmp_path, classes=["liver"], **options)
    scores.rows = rows
    stream = io.StringIO()
    dice = {"liver": [row["dice"] for row in rows]}
    Console(file=stream, width=120).print(make_table(scores.summarise()["classes"], dice))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_a_row_has_the_scores_and_sizes_of_a_class(tmp_path):
    rows = [row("a", 0.5, predicted=12.0), row("b", 0.7), absent("c")]
    *_, found, caption = lines(tmp_path, rows)
    # the sizes are means over all three cases
    assert found.split() == [
        "liver",
        "2",
        "0.600",
        *("(0.500", "to", "0.700)"),
        *("0.600", "0.600", "1.000", "0.600"),
        *("1.333", "4.667"),
    ]
    assert caption == "Means over the cases that have the score; of HD95 the median."


def test_a_single_case_has_a_mean_without_an_interval(tmp_path):
    *_, found, _ = lines(tmp_path, [row("a", 0.5), absent("b")])
    assert found.split()[:4] == ["liver", "1", "0.500", "0.500"]


def test_infinite_distances_are_counted_beside_the_median(tmp_path):
    rows = [row("a", 0.5), row("b", 0.0, hd95=float("inf"))]
    assert "1.000 (1 inf)" in lines(tmp_path, rows)[2]


def test_a_class_without_a_score_has_dashes(tmp_path):
    assert lines(tmp_path, [absent("a")])[2].split()[:4] == ["liver", "0", "-", "-"]


def test_the_headings_state_the_units_and_all_fits_100_letters(tmp_path):
    rows = [row("a", 0.5, true=1234.5, predicted=1000.0, hd95=float("inf")), row("b", 0.7, hd95=99)]
    found = lines(tmp_path, rows)
    assert found[1].split() == [
        "class",
        "cases",
        *("(95", "%", "interval)"),
        "median",
        "IoU",
        "mm",
        *("Dice", "mL", "mL"),
    ]
    assert max(map(len, found)) <= 100


def test_many_classes_of_a_case_are_told_by_their_mean_and_the_lowest():
    scores = {f"c{number}": number / 10 for number in range(7)} | {"none": float("nan")}
    assert describe_dice(scores) == "mean Dice 0.300 of 7 classes, lowest c0 0.000"
    assert describe_dice({"a": float("nan")}) == "no class in truth or prediction"
