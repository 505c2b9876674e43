"""Tests of medseg.datasets.own.class_names."""

import json

import pytest

from medseg.datasets.own.class_names import (
    choose_classes,
    find_ignored,
    parse_classes,
    read_declared_values,
)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"0": "background", "1": "liver", "2": "tumour"}, {"liver": [1], "tumour": [2]}),
        ({"background": 0, "left kidney": 1}, {"left_kidney": [1]}),
        (
            {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3},
            {"whole": [1, 2], "core": [2]},
        ),
    ],
)
def test_names_are_those_of_dataset_json(tmp_path, labels, expected):
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    assert choose_classes(tmp_path, "x", [0, 1, 2, 3]) == expected


def test_without_names_each_value_is_a_class_and_a_single_one_is_called_as_the_bundle(tmp_path):
    assert choose_classes(tmp_path, "kidney", [0, 7]) == {"kidney": [7]}
    assert choose_classes(tmp_path, "x", [0, 1, 3]) == {"label_1": [1], "label_3": [3]}


def test_names_of_values_that_do_not_occur_are_left_out(tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"1": "a", "9": "b"}}))
    assert choose_classes(tmp_path, "x", [0, 1]) == {"a": [1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"dataset.json cannot be used, it is no valid JSON from line 1, column 2 on: corre"),
        ("[]", r"dataset.json holds a list: write names and values"),
        ('{"labels": {"a": "b"}}', "names no labels: write whole numbers, .* or pass --classes"),
        ('{"labels": ["a"]}', "names no labels"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, text, message):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        choose_classes(tmp_path, "x", [0, 1])


def test_masks_of_1_and_of_255_are_one_class_unless_the_file_names_others(tmp_path):
    assert choose_classes(tmp_path, "x", [0, 1, 255], mixed=True) == {"x": [1, 255]}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"1": "a", "255": "b"}}))
    assert choose_classes(tmp_path, "x", [0, 1, 255], mixed=True) == {"a": [1], "b": [255]}


@pytest.mark.parametrize(
    ("text", "found"),
    [("{'a': [1, 2], 'b': 3}", {"a": [1, 2], "b": [3]}), ("{'a': (1,)}", {"a": [1]})],
)
def test_classes_are_read_as_written(text, found):
    assert parse_classes(text) == found


def test_a_class_that_is_written_twice_is_refused():
    with pytest.raises(ValueError, match="names a class twice: write all its values in one list"):
        parse_classes("{'a': [1], 'a': [2]}")


def test_the_values_that_dataset_json_declares_are_those_of_all_its_labels(tmp_path):
    labels = {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    assert read_declared_values(tmp_path) == {0, 1, 2, 3}


def test_what_dataset_json_names_and_no_label_holds_is_said(tmp_path, caplog):
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"1": "a", "9": "b"}}))
    choose_classes(tmp_path, "x", [0, 1])
    assert "dataset.json names b, which no label holds: left out" in caplog.text


@pytest.mark.parametrize("text", ["", "a", "[1]", "{'a': 'b'}", "__import__('os')"])
def test_classes_that_are_no_dictionary_are_refused(text):
    with pytest.raises((ValueError, TypeError), match=r"class|dictionary"):
        parse_classes(text)


def test_the_ignored_value_of_nnunet_is_found_and_no_class(tmp_path):
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "a": 1, "ignore": 7}}')
    assert find_ignored(tmp_path) == [7]
    assert choose_classes(tmp_path, "x", [0, 1, 7]) == {"a": [1]}
    assert choose_classes(tmp_path, "x", [0, 3, 7]) == {"x": [3]}


def test_segments_that_are_named_are_classes_and_other_values_have_one_each(tmp_path, caplog):
    segments = {"kidney": [2], "cyst": [5]}
    made = choose_classes(tmp_path, "x", [0, 2, 3], segments=segments)
    assert made == {"kidney": [2], "label_3": [3]}
    assert "there are segments cyst, which no label holds: left out" in caplog.text
    (tmp_path / "dataset.json").write_text('{"labels": {"background": 0, "a": 2}}')
    assert choose_classes(tmp_path, "x", [0, 2], segments=segments) == {"a": [2]}
