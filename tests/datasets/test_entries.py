"""Tests of medseg.datasets.entries: cases in types that cannot be written are refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from datasets.published import items, write


@pytest.mark.parametrize(
    ("key", "values", "said"),
    [
        ("patient", ["p1", 2], "patient 2 is a int, that of the first case is 'p1': give all as t"),
        (
            "patient",
            [1, "2"],
            "patient '2' is a str, that of the first case is 1: give all as text",
        ),
        ("patient", [None, None], "patient None is a NoneType: give all as text"),
        ("case", ["p00", 1.5], "case 1.5 is a float, that of the first case is 'p00'"),
        ("case", [True, False], "case True is a bool: give all as text"),
        ("image", [b"a.png", "b.png"], "image b'a.png' is a bytes: give all as text"),
        ("label", [["a.png"], "b.png"], r"label \['a.png'\] is a list: give all as text"),
    ],
)
def test_entries_of_mixed_or_wrong_types_are_refused(tmp_path, key, values, said):
    cases = [{**one, key: v} for one, v in zip(items(tmp_path, 2), values, strict=True)]
    with pytest.raises(TypeError, match=said):
        write(tmp_path, cases)
    assert not (tmp_path / "datalist.json").exists()


@pytest.mark.parametrize("values", [["0", 255], [0, None], [0, 0.5], [0, True], [0, float("nan")]])
def test_label_values_that_are_no_whole_numbers_are_refused(tmp_path, values):
    with pytest.raises(TypeError, match=r"label_values holds .*: give whole numbers"):
        write(tmp_path, items(tmp_path, 2), label_values=values)


def test_paths_and_numbers_of_numpy_are_written_as_text_and_numbers(tmp_path):
    cases = [
        {**one, "image": Path(one["image"]), "patient": np.int64(n)}
        for n, one in enumerate(items(tmp_path, 4))
    ]
    made = write(tmp_path, iter(cases), label_values=(np.uint8(0), 255.0))
    assert json.loads((tmp_path / "datalist.json").read_text()) == made
    assert {item["patient"] for item in made["training"]} == {0, 1, 2, 3}


def test_names_that_are_numbers_are_written_as_text(tmp_path):
    cases = [{**one, "case": np.int32(n)} for n, one in enumerate(items(tmp_path, 4))]
    made = write(tmp_path, cases)
    assert sorted(item["case"] for item in made["training"]) == ["0", "1", "2", "3"]
    assert json.loads((tmp_path / "datalist.json").read_text()) == made


@pytest.mark.parametrize("key", ["case", "patient", "image"])
def test_a_case_without_one_of_its_keys_is_refused_by_its_name(tmp_path, key):
    cases = items(tmp_path, 3)
    name = cases[1].get("image" if key == "case" else "case")
    del cases[1][key]
    with pytest.raises(ValueError, match=f"^case {name} has no {key}: give each of case, patient"):
        write(tmp_path, cases)


def test_what_is_no_case_is_refused(tmp_path):
    with pytest.raises(
        TypeError, match="a case must be a dictionary with case, patient, image, label"
    ):
        write(tmp_path, [*items(tmp_path, 2), "p02.png"])
