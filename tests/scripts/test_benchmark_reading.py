"""Tests of scripts/benchmark_reading.py: equal voxels are compared, and its arithmetic is right."""

import json

import pytest


@pytest.fixture(scope="module")
def benchmark(script):
    return script("benchmark_reading")


def test_both_readers_give_the_series_that_was_written(benchmark, tmp_path):
    benchmark.write_series(tmp_path, size=16, slices=5)
    theirs = benchmark.read_theirs(tmp_path)
    assert theirs.shape == (5, 16, 16)
    assert theirs.min() < -1500 < 1500 < theirs.max()
    benchmark.check_equal(tmp_path)


def test_readers_that_disagree_are_not_compared(benchmark, tmp_path, monkeypatch):
    benchmark.write_series(tmp_path, size=16, slices=5)
    wrong = benchmark.read_theirs(tmp_path)[::-1]
    monkeypatch.setattr(benchmark, "read_theirs", lambda _: wrong)
    with pytest.raises(RuntimeError, match="read different voxels"):
        benchmark.check_equal(tmp_path)


def test_the_pages_come_from_the_measurements(benchmark, tmp_path, monkeypatch):
    seconds = {benchmark.THEIRS: [2.0, 2.0], benchmark.OURS: [1.0, 1.5]}
    monkeypatch.setattr(benchmark, "time_side_by_side", lambda ways, rounds: seconds)
    options = ["--size", "16", "--slices", "3", "--rounds", "2", "--out", str(tmp_path)]
    assert benchmark.main(options) == 0
    page = (tmp_path / "reading.md").read_text()
    assert page.splitlines()[-1] == "| medseg.ingest.load | 1.25 | 0.62 |"  # 0.5 and 0.75: 0.625
    assert "3 uncompressed slices of 16x16" in page
    numbers = json.loads((tmp_path / "reading.json").read_text())
    assert numbers["ratio"] == 0.625
    for key in ("hardware", "versions", "commit", "command"):
        assert numbers[key] in page


def test_the_committed_page_states_what_the_goal_is(repository):
    """A series of a usual size is read no slower than SimpleITK reads it."""
    numbers = json.loads((repository / "docs" / "benchmarks" / "reading.json").read_text())
    assert numbers["shape"] == [512, 512, 300]
    assert numbers["ratio"] <= 1.0
