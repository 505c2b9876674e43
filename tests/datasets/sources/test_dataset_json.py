"""Tests of medseg.datasets.sources.dataset_json: lists that are none, and names of modalities."""

from __future__ import annotations

import pytest

from medseg.datasets import fold_split
from medseg.datasets.sources.dataset_json import (
    MOST_BYTES,
    find_other_modality,
    read_declaration,
    read_json,
)


@pytest.mark.parametrize("read", [read_json, fold_split.read, read_declaration])
def test_a_list_of_cases_larger_than_any_is_refused_unread(read, tmp_path):
    path = tmp_path / "dataset.json"
    path.write_text("{}")
    with path.open("r+b") as file:
        file.truncate(MOST_BYTES + 1)  # takes no room on the disk
    with pytest.raises(ValueError, match=f"more than the {MOST_BYTES}"):
        read(path)


@pytest.mark.parametrize("read", [read_json, fold_split.read, read_declaration])
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


@pytest.mark.parametrize(
    ("name", "expected", "other"),
    [
        ("MRI", "CT", "MR"),
        ("mri", "CT", "MR"),
        ("T2-weighted", "CT", "MR"),
        ("T1ce", "CT", "MR"),
        ("FLAIR", "CT", "MR"),
        ("PET", "CT", "PET"),
        ("X-Ray", "CT", "X-ray"),
        ("CT", "MR", "CT"),
        ("CE-CT", "MR", "CT"),
    ],
)
def test_another_modality_is_known_by_its_usual_names(name, expected, other):
    assert find_other_modality(name, expected) == other


@pytest.mark.parametrize("name", ["CT", "ct", "CTA", "CBCT", "portal-venous CT", "PET/CT"])
def test_ct_by_any_usual_name_is_ct(name):
    assert find_other_modality(name, "CT") is None


@pytest.mark.parametrize("name", [None, "", "image", "zscore", "noNorm", "section", "anatomy"])
@pytest.mark.parametrize("expected", ["CT", "MR"])
def test_what_says_no_modality_contradicts_none(name, expected):
    assert find_other_modality(name, expected) is None
