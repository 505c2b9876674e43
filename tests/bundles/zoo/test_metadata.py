"""Tests of medseg.bundles.zoo.metadata: what the metadata say of image and result."""

import json

import pytest

from medseg.bundles.zoo.metadata import describe_images, name_channels, name_input, read_metadata


def make(side, *names, count=None, **stated):
    channels = {str(i): name for i, name in enumerate(names)}
    count = len(names) if count is None else count
    one = {"channel_def": channels, "num_channels": count, **stated}
    return {"network_data_format": {side: {"scan": one}}}


@pytest.mark.parametrize(("stated", "known"), [("MRI", "MR"), ("ct", "CT"), ("n/a", None)])
def test_a_modality_has_one_name(stated, known):
    assert describe_images(make("inputs", "image", modality=stated))["modality"] == known


def test_channels_of_the_image_are_named():
    assert describe_images(make("inputs", "T1", "T2"))["image_channels"] == ["T1", "T2"]


def test_a_network_of_one_channel_has_no_channel_for_the_background():
    assert name_channels(make("outputs", "background", "liver", count=1), {}) == ["liver"]
    assert name_channels(make("outputs", "Background", "liver"), {}) == ["background", "liver"]


def test_names_are_distinct_and_none_behind_the_first_is_the_background():
    names = name_channels(make("outputs", "spleen", "spleen", "background", " "), {})
    assert names == ["spleen", "spleen (1)", "background (2)", "class (3)"]


@pytest.mark.parametrize(
    ("count", "names"), [(1, ["class 1"]), (3, ["background", "class 1", "class 2"])]
)
def test_without_names_the_classes_have_numbers(count, names):
    assert name_channels({}, {"network_def": {"out_channels": count}}) == names


def test_the_input_is_called_image_where_nothing_else_is_said(tmp_path):
    assert name_input(make("inputs", "image")) == "scan"
    assert name_input({}) == name_input({"network_data_format": {"inputs": {}}}) == "image"
    assert read_metadata(tmp_path) == {}
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text(json.dumps({"version": "1"}))
    assert read_metadata(tmp_path) == {"version": "1"}
