"""Tests of medseg.evaluation.distribution: every case is a point, and what is missing is said."""

import math

import numpy as np
import pytest
from evaluation.scored import absent, row
from PIL import Image

from medseg.evaluation.distribution import draw_distribution, find_worst


@pytest.fixture
def figure(monkeypatch):
    """The figures that were drawn."""
    from matplotlib.figure import Figure

    seen = []
    savefig = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *a, **k: (seen.append(self), savefig(self, *a, **k))[1]
    )
    return seen


def points(axes):
    return np.concatenate([np.asarray(part.get_offsets()) for part in axes.collections])


def test_every_case_is_a_point_of_each_score_and_of_the_sizes(tmp_path, figure):
    rows = [row("a", 0.5, true=3.0, predicted=1.0), row("b", 0.75, hd95=4.0)]
    draw_distribution(rows, tmp_path / "d.png", title="liver")
    ratios, distance, sizes = figure[0].axes
    assert sorted(points(ratios)[:, 1]) == [0.5] * 3 + [0.75] * 3
    assert sorted(points(distance)[:, 1]) == [1.0, 4.0]
    assert points(sizes).tolist() == [[3.0, 1.0], [2.0, 2.0]]
    assert [t.get_text() for t in ratios.get_xticklabels()] == [
        *("Dice", "IoU", "surface Dice\nat 2 mm"),
    ]
    assert Image.open(tmp_path / "d.png").size == (1300, 460)


def test_what_no_score_has_is_said(tmp_path, figure):
    rows = [row("a", 0.5), row("missed", 0.0, predicted=0.0, hd95=math.inf), absent("absent")]
    draw_distribution(rows, tmp_path / "d.png", title="liver")
    ratios, distance, _ = figure[0].axes
    assert ratios.get_title() == "overlap of 2 cases; 1 without the class"
    assert distance.get_title() == "distance; 1 infinite\n(one mask empty)"


def test_a_part_without_a_value_says_so_and_has_no_axes(tmp_path, figure):
    missed = [row(name, 0.0, predicted=0.0, hd95=math.inf) for name in "ab"]
    for rows in ([*missed, absent("c")], [absent("c")]):
        draw_distribution(rows, tmp_path / "d.png", title="liver")
    said = [
        ["" if part.axison else part.texts[0].get_text().replace("\n", " ") for part in each.axes]
        for each in figure
    ]
    none = "the class is in no truth and in no prediction."
    assert said == [
        ["", "No case has an HD95: in 2 cases one of the two masks is empty.", ""],
        [
            f"No case has a score: {none}",
            f"No case has an HD95: {none}",
            f"All sizes are 0: {none}",
        ],
    ]
    assert [part.get_title() for part in figure[1].axes] == ["overlap", "distance", "size"]


@pytest.mark.parametrize("rows", [[absent("a")], [row("a", 1.0)], [row("a", 0.0, true=0.0)]])
def test_a_single_case_is_drawn_whatever_it_lacks(tmp_path, rows):
    draw_distribution(rows, tmp_path / "d.png", title="a $class$ \x1b")
    assert (tmp_path / "d.png").stat().st_size > 1000


def test_no_case_is_refused(tmp_path):
    with pytest.raises(ValueError, match="needs the scores of a case"):
        draw_distribution([], tmp_path / "d.png", title="liver")


def test_the_worst_cases_are_named_below(tmp_path, figure):
    rows = [row(name, dice) for name, dice in (("a", 0.9), ("b$", 0.2), ("c", 0.5), ("d", 0.3))]
    assert [each["case"] for each in find_worst(rows)] == ["b$", "d", "c"]
    draw_distribution(rows, tmp_path / "d.png", title="liver")
    assert figure[0].get_supxlabel() == (r"least Dice (orange): b\$ 0.200, d 0.300, c 0.500")


def test_sizes_that_differ_much_are_drawn_on_a_logarithmic_scale(tmp_path, figure):
    near = [row("a", 0.5, true=1.0), row("b", 0.5, true=50.0)]
    far = [*near, row("c", 0.5, true=5000.0, predicted=0.0)]
    for rows in (near, far):
        draw_distribution(rows, tmp_path / "d.png", title="liver")
    assert [each.axes[2].get_xscale() for each in figure] == ["linear", "symlog"]
