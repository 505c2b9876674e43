"""Tests of medseg.datasets.lidc.problems."""

import pytest

from medseg.datasets.lidc.problems import REMEDIES, Problem, format_lines


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (1, "series 0: no CT for 0.xml (no-images): "),
        (2, "2 x no-images: series 0, series 1, first: no CT for 0.xml: "),
        (3, "3 x no-images: series 0, series 1, series 2, first: no CT for 0.xml: "),
        (40, "40 x no-images: series 0, series 1, series 2 and 37 more, first: no CT for 0.xml: "),
    ],
)
def test_problems_of_one_kind_are_said_in_one_line(count, line):
    same = [Problem(f"series {n}", "no-images", f"no CT for {n}.xml") for n in range(count)]
    assert list(format_lines(same)) == [line + REMEDIES["no-images"]]


def test_each_kind_of_problem_has_its_line_and_one_without_a_case_too():
    zero = Problem("LIDC-IDRI-0001_1", "zero-area", "2 x, first: nodule 1")
    none, image = Problem("", "no-nodules", "1 scans"), Problem("series 1", "no-images", "no CT")
    assert [line.split(": ")[0] for line in format_lines([zero, none, image, image])] == [
        "2 x no-images",
        "1 scans (no-nodules)",
        "LIDC-IDRI-0001_1",
    ]
    assert list(format_lines([])) == []
