"""Tests of medseg.engines.progress.history: the table of the epochs of a run."""

import csv
import math

import pytest

from medseg.engines.progress.history import HISTORY, History
from medseg.engines.progress.lines import Epoch


def epoch(number, **options):
    return Epoch(number, 10, loss=-number / 3, learning_rate=0.1, seconds=1.5, left=0, **options)


SCORED = {
    "key": "dice",
    "scores": {"dice": 0.75, "iou": 0.6},
    "class_scores": {"liver": 1 / 3, "tumour": math.nan},
}


@pytest.fixture
def history(tmp_path):
    found = History(tmp_path)
    found.begin(1)
    return found


def rows(folder):
    with (folder / HISTORY).open(newline="") as file:
        return list(csv.DictReader(file))


def test_an_epoch_is_a_row_with_every_score_by_its_name(history, tmp_path):
    history.add(epoch(1, **SCORED))
    assert rows(tmp_path) == [
        {
            "epoch": "1",
            "loss": repr(-1 / 3),
            "learning_rate": "0.1",
            "seconds": "1.5",
            "dice": "0.75",
            "iou": "0.6",
            "dice: liver": repr(1 / 3),
            "dice: tumour": "nan",
        }
    ]


def test_an_epoch_without_validation_has_empty_cells(history, tmp_path):
    history.add(epoch(1))
    history.add(epoch(2, **SCORED))
    first, second = rows(tmp_path)
    assert (first["dice"], first["dice: liver"]) == ("", "")
    assert second["dice"] == "0.75"
    assert history.list_values("dice") == ([2], [0.75])


def test_a_resumed_run_goes_on_with_the_same_numbers(history, tmp_path):
    history.add(epoch(1, **SCORED))
    resumed = History(tmp_path)
    resumed.begin(2)
    resumed.add(epoch(2, **SCORED))
    assert resumed.list_values("dice: liver") == ([1, 2], [1 / 3, 1 / 3])
    assert resumed.list_values("loss") == ([1, 2], [-1 / 3, -2 / 3])


def test_an_epoch_that_is_repeated_replaces_its_row_and_those_after_it(history, tmp_path):
    for number in (1, 2, 3):
        history.add(epoch(number))
    resumed = History(tmp_path)
    resumed.begin(2)
    resumed.add(epoch(2, **SCORED))
    assert [row["epoch"] for row in rows(tmp_path)] == ["1", "2"]
    assert rows(tmp_path)[1]["dice"] == "0.75"


def test_a_new_run_in_the_folder_of_one_that_was_killed_begins_anew(history, tmp_path):
    history.add(epoch(1))
    other = History(tmp_path)
    other.begin(1)
    assert other.rows == {}


@pytest.mark.parametrize("text", ["epoch,loss\n1,x\n", "loss\n1.0\n", "\0\n1\n"])
def test_a_damaged_table_is_refused_by_its_name(tmp_path, text):
    (tmp_path / HISTORY).write_text(text)
    with pytest.raises(ValueError, match=r"epochs\.csv is damaged .*: remove it"):
        History(tmp_path).begin(2)


def test_a_table_that_cannot_be_written_leaves_the_one_before(history, tmp_path, monkeypatch):
    history.add(epoch(1))
    before = (tmp_path / HISTORY).read_bytes()
    monkeypatch.setattr("csv.writer", lambda file: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        history.add(epoch(2))
    assert (tmp_path / HISTORY).read_bytes() == before
