"""Tests of scripts/benchmark_norm.py: both ways are run, and the page has a row of each."""

import json

import pytest


@pytest.fixture
def benchmark(script):
    return script("benchmark_norm")


def test_the_page_and_the_numbers_have_a_row_for_each_way(benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr(
        benchmark,
        "WORKLOADS",
        {"2D": ((2, 1, 16, 16), (4, 8, 8)), "3D": ((1, 1, 16, 16, 16), (4, 8, 8))},
    )
    assert benchmark.main(["--rounds", "1", "--threads", "1", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "norm.json").read_text())["rows"]
    assert len(rows) == 8
    assert all(row["stock"] > 0 and row["ours"] > 0 and row["faster"] > 0 for row in rows)
    page = (tmp_path / "norm.md").read_text()
    assert page.count("| training step |") == page.count("| inference |") == 4
