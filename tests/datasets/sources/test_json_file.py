"""Tests of medseg.datasets.sources.json_file: a list of cases that is no list is known by its
size."""

from __future__ import annotations

import pytest

from medseg.datasets import datalist
from medseg.datasets.sources.dataset_json import declared_in
from medseg.datasets.sources.json_file import MOST_BYTES, read_json


@pytest.mark.parametrize("read", [read_json, datalist.read, declared_in])
def test_a_list_of_cases_larger_than_any_is_refused_unread(read, tmp_path):
    path = tmp_path / "dataset.json"
    path.write_text("{}")
    with path.open("r+b") as file:
        file.truncate(MOST_BYTES + 1)  # takes no room on the disk
    with pytest.raises(ValueError, match=f"more than the {MOST_BYTES}"):
        read(path)


@pytest.mark.parametrize("read", [read_json, datalist.read, declared_in])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a": [', "]}")])
@pytest.mark.parametrize("depth", [5_000, 100_000])
def test_nesting_without_end_is_refused_in_plain_words(read, start, end, depth, tmp_path):
    path = tmp_path / "dataset.json"
    path.write_text(start * depth + end * depth)
    with pytest.raises(ValueError, match=r"is nested too deeply to be a dataset\.json") as caught:
        read(path)
    assert "recursion" not in str(caught.value)


def test_the_largest_list_is_read(tmp_path):
    path = tmp_path / "dataset.json"
    path.write_text("{}" + " " * (MOST_BYTES - 2))
    assert read_json(path) == {}
