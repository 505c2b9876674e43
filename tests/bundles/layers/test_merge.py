"""Tests of medseg.bundles.layers.merge."""

import json
import re

import pytest

from medseg.bundles.build import WORKFLOWS
from medseg.bundles.layers.merge import merge_configs, merge_layers


def merge(tmp_path, *layers, workflow="train"):
    files = [tmp_path / f"{number}.json" for number in range(len(layers))]
    for file, layer in zip(files, layers, strict=True):
        file.write_text(json.dumps(layer))
    return merge_layers(files, workflow)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"a": {"b": 3}}, {"b": 3}),
        ({"a#b": 3}, {"b": 3, "c": [2]}),
        ({"+a": {"d": 3}}, {"b": 1, "c": [2], "d": 3}),
        ({"+a#c": [3]}, {"b": 1, "c": [2, 3]}),
        ({"-a": ["b"]}, {"c": [2]}),
        ({"-a": ["b", "c"], "+a": {"b": 4}}, {"b": 4}),
    ],
)
def test_a_layer_replaces_adds_to_or_takes_from_what_the_ones_before_it_hold(
    tmp_path, change, expected
):
    assert merge(tmp_path, {"a": {"b": 1, "c": [2]}}, change) == {"a": expected}


def test_a_section_is_for_the_workflows_that_it_names_and_comes_after_the_rest(tmp_path):
    layer = {"_only_": {"train, evaluate": {"+a": [2]}, "inference": {"a": [3]}}, "a": [1]}
    found = {w: merge(tmp_path, layer, {"+a": [4]}, workflow=w)["a"] for w in WORKFLOWS}
    assert found == {"train": [1, 2, 4], "evaluate": [1, 2, 4], "inference": [3, 4]}


@pytest.mark.parametrize("key", ["+b", "-b", "b#c", "+a#c", "-a#c"])
def test_a_layer_that_changes_what_is_not_there_is_refused(tmp_path, key):
    with pytest.raises(ValueError, match=rf"1\.json: {re.escape(key)} changes what no"):
        merge(tmp_path, {"a": {"b": 1}}, {key: ["x"]})


def test_a_section_for_no_workflow_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"0\.json: _only_ names 'training': name some of train, "):
        merge(tmp_path, {"_only_": {"training": {"a": 1}}})


@pytest.mark.parametrize("sections", [3, {"train": 3}, ["train"]])
def test_sections_that_hold_no_keys_are_refused(tmp_path, sections):
    with pytest.raises(ValueError, match=r"0\.json: _only_ must hold workflows and the keys"):
        merge(tmp_path, {"_only_": sections})


@pytest.mark.parametrize("change", [{"+a#c": 3}, {"-a": ["x"]}])
def test_a_change_that_does_not_fit_what_is_there_names_its_layer(tmp_path, change):
    [key] = change
    with pytest.raises(ValueError, match=rf"1\.json: {re.escape(key)} cannot be merged"):
        merge(tmp_path, {"a": {"b": 1, "c": [2]}}, change)


def test_configs_are_merged_as_monai_does(tmp_path):
    first, second = tmp_path / "train.json", tmp_path / "mine.json"
    first.write_text(json.dumps({"a": {"b": 1}, "c": [1], "d": 1}))
    second.write_text(json.dumps({"a#b": 2, "+c": [2], "e": 3}))
    assert merge_configs([first, second]) == {"a": {"b": 2}, "c": [1, 2], "d": 1, "e": 3}
