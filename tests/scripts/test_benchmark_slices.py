"""Tests of scripts/benchmark_slices.py: it runs, and its three ways read the same slices."""

import importlib.util

import pytest
import torch

from medseg.datasets import phantom


@pytest.fixture(scope="module")
def benchmark(repository):
    path = repository / "scripts" / "benchmark_slices.py"
    spec = importlib.util.spec_from_file_location("benchmark_slices", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_three_ways_read_the_same_slices(benchmark, tmp_path):
    root = phantom.write("ct", tmp_path / "ct", cases=2, size=48, slices=3)
    ways = benchmark.prepare(root, tmp_path)
    for key in ("image", "label"):
        first, *others = [torch.Tensor(way.read(1, 2)[key]) for way in ways]
        assert all(torch.equal(first, other) for other in others)


def test_it_prints_a_table_with_a_row_for_each_way(benchmark, capsys):
    size = ["--cases", "2", "--size", "48", "--slices", "3", "--rounds", "2", "--per-round", "2"]
    assert benchmark.main(size) == 0
    head, rule, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("| way | ms a slice | s for 6 slices")
    assert rule.count("|") == head.count("|")
    assert [row.count("|") for row in rows] == [head.count("|")] * 3
    assert "| 1 x |" in rows[-1]
