"""Tests of scripts/_time_side_by_side.py: order of the rounds, the ratio, what is written."""

import json

import pytest


@pytest.fixture(scope="module")
def turns(script):
    return script("_time_side_by_side")


def test_times_are_taken_in_turn(turns, monkeypatch):
    """The clock moves by 1 s during the first way and by 3 s during the second."""
    clock, order = [0.0], []
    monkeypatch.setattr(turns.time, "perf_counter", lambda: clock[0])

    def way(name, seconds):
        def run():
            order.append(name)
            clock[0] += seconds

        return run

    seconds = turns.time_side_by_side({"a": way("a", 1.0), "b": way("b", 3.0)}, 2)
    assert order == ["a", "b", "a", "b"]
    assert seconds == {"a": [1.0, 1.0], "b": [3.0, 3.0]}


def test_the_ratio_is_the_median_of_the_rounds(turns):
    assert turns.compute_ratio([1.0, 2.0, 9.0], [2.0, 2.0, 3.0]) == 1.0  # of 0.5, 1 and 3


def test_a_page_and_its_numbers_are_written_side_by_side(turns, tmp_path):
    numbers = {**turns.read_settings("numpy"), "command": "python x.py", "rounds": 3}
    page = "\n".join(turns.format_settings(numbers))
    turns.write(page, numbers, folder=tmp_path / "new", name="x")
    assert json.loads((tmp_path / "new" / "x.json").read_text()) == numbers
    assert (tmp_path / "new" / "x.md").read_text().splitlines() == [
        f"- hardware: {numbers['hardware']}",
        f"- versions: {numbers['versions']}",
        f"- commit: {numbers['commit']}",
        "- command: `python x.py`",
    ]
