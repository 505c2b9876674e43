"""Tests of medseg.bundles.pruning.report: the three files tell the same, and an earlier report is
kept."""

import csv
import io
import json

import pytest
from PIL import Image
from rich.console import Console

from medseg.bundles.pruning.report import (
    ALL_HEADS,
    CSV,
    JSON,
    PLOT,
    Row,
    draw,
    format_card,
    format_table,
    make_table,
    write,
)
from medseg.networks.analysis.cost import Cost

SCORES = {"L1": 0.70, "L2": 0.85, "L3": 0.898, "L4": 0.90, ALL_HEADS: 0.901}
ABOUT = {"bundle": "liver", "tolerance_points": 0.6}


@pytest.fixture
def rows():
    return [
        Row.make(name, {"iou": iou, "dice": 2 * iou / (1 + iou), "cases": 7}, _cost(n))
        for n, (name, iou) in enumerate(SCORES.items(), start=1)
    ]


def _cost(n):
    return Cost(parameters=1000 * n, multiply_adds=10**9 * n, seconds=0.1 * n, peak_mib=10.0 * n)


def test_csv_and_json_hold_every_level_with_the_same_numbers(rows, tmp_path):
    write(tmp_path, rows, chosen="L3", about=ABOUT)
    with (tmp_path / CSV).open(newline="") as file:
        table = list(csv.DictReader(file))
    report = json.loads((tmp_path / JSON).read_text())
    assert report["chosen"] == "L3"
    assert report["bundle"] == "liver"
    assert [row["level"] for row in table] == list(SCORES)
    for text, told in zip(table, report["levels"], strict=True):
        assert {key: str(value) for key, value in told.items()} == text
    assert [level["iou"] for level in report["levels"]] == list(SCORES.values())


def test_the_plot_is_a_picture_of_a_size_to_look_at(rows, tmp_path):
    write(tmp_path, rows, chosen="L3", about=ABOUT)
    with Image.open(tmp_path / PLOT) as picture:
        assert min(picture.size) > 500


def test_the_legend_lies_outside_the_axes(rows, tmp_path, monkeypatch):
    """Within them, its point and its band look like data."""
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    draw(rows, tmp_path / PLOT, chosen="L3", tolerance=0.6)
    [figure] = drawn
    figure.draw_without_rendering()
    [axes], [legend] = figure.axes, figure.legends
    assert axes.get_legend() is None
    assert not legend.get_window_extent().overlaps(axes.get_tightbbox())


@pytest.mark.parametrize("best", [0.0, 0.004, 0.12, 0.9])
def test_the_axis_of_the_plot_never_goes_below_zero(tmp_path, monkeypatch, best):
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    scores = {"L1": 0.0, "L2": best / 2, "L3": best, ALL_HEADS: best / 9}
    rows = [
        Row.make(name, {"iou": iou, "dice": iou, "cases": 7}, _cost(n))
        for n, (name, iou) in enumerate(scores.items(), start=1)
    ]
    draw(rows, tmp_path / PLOT, chosen="L3", tolerance=0.6)
    (axes,) = drawn[0].axes
    low, high = axes.get_ylim()
    assert low == 0
    assert high > 100 * best


def test_a_report_of_an_earlier_run_is_kept_beside_the_new_one(rows, tmp_path):
    write(tmp_path, rows, chosen="L3", about=ABOUT)
    write(tmp_path, rows, chosen="L4", about=ABOUT)
    chosen = [json.loads(path.read_text())["chosen"] for path in tmp_path.glob("prune*.json")]
    assert sorted(chosen) == ["L3", "L4"]
    assert json.loads((tmp_path / JSON).read_text())["chosen"] == "L4"


def test_the_markdown_table_marks_the_chosen_level_and_compares_with_the_last(rows):
    lines = format_table(rows, chosen="L3").splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[4].startswith("| **L3** | 89.80 |")
    assert "| 3.00 G | 300 ms | 75% | 30 MiB |" in lines[4]
    assert "| 100% |" in lines[5]


def test_the_card_names_a_command_that_runs_where_paths_have_spaces(rows):
    about = {
        **ABOUT,
        **{"folder": "my net", "out": "a b/small", "window": [1, 1, 8, 8], "section": "test"},
        **dict.fromkeys(("fold", "folds", "split_seed", "device", "threads", "repeats"), 1),
        **{"weights_sha256": "0", "versions": {"medseg": "1", "torch": "2"}, "arguments": ""},
    }
    card = format_card("small", rows, chosen="L3", about=about, note="a bundle")
    assert "\nmedseg prune -b 'my net' -o 'a b/small' --tolerance 0.6" in card


def test_the_table_of_the_console_has_the_same_numbers_and_marks_the_chosen_level(rows):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(make_table(rows, chosen="L3"))
    shown = [line.split() for line in console.export_text().splitlines()]
    written = [
        line.replace("*", "").replace("|", " ").split()
        for line in format_table(rows, chosen="L3").splitlines()
    ]
    assert shown[0] == written[0]
    for number in range(len(rows)):
        is_chosen = rows[number].level == "L3"
        assert shown[1 + number] == [*written[2 + number], *["exported"] * is_chosen]
