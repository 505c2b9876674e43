"""Tests of medseg.plausibility.settings: weights are used for what they were trained for."""

import json
import logging

import pytest
import torch
from monai.bundle import ConfigParser

from medseg.plausibility import (
    TrainedOn,
    check_settings,
    choose_settings,
    compare_settings,
    list_other_settings,
    write_trained_on,
)

TRAINED = {
    "classes": {"liver": [1, 2]},
    "modality": "CT",
    "in_channels": 1,
    "window_hu": [-160, 240],
    "spacing_mm": [1.0, 1.0, 2.5],
    "fit_size": [224, 224],
}


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights")
    write_trained_on(TrainedOn({}, 3, "CT", 3, settings=TRAINED), file)
    return file


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("classes", {"spleen": [1]}, "classes: trained with liver, used with spleen"),
        ("modality", "MR", "modality: trained with CT, used with MR"),
        ("in_channels", 3, "in_channels: trained with 1, used with 3"),
        ("window_hu", [0, 80], r"window_hu: trained with \[-160, 240\], used with \[0, 80\]"),
        ("fit_size", [64, 64], r"fit_size: trained with \[224, 224\], used with \[64, 64\]"),
        ("spacing_mm", [1, 1, 1], r"spacing_mm: .*2.5\], used with \[1, 1, 1\]"),
    ],
)
def test_another_setting_is_refused_with_both_values(weights, key, value, shown):
    with pytest.raises(ValueError, match=rf"trained for something else \({shown}\): use the"):
        check_settings(weights, {**TRAINED, key: value})


def test_the_same_settings_and_those_that_only_one_side_has_pass(weights):
    check_settings(weights, {**TRAINED, "colour": True, "window_hu": (-160, 240)})
    check_settings(weights, {"fold": 3})


def test_other_settings_can_be_used_knowingly(weights, caplog):
    with caplog.at_level(logging.WARNING):
        check_settings(weights, {**TRAINED, "modality": "MR"}, force=True)
    assert "used with other settings: modality: trained with CT, used with MR" in caplog.text


def test_other_settings_are_listed_with_both_values(weights, tmp_path):
    other = {**TRAINED, "modality": "MR", "fold": 3}
    assert list_other_settings(weights, other) == ["modality: trained with CT, used with MR"]
    assert list_other_settings(weights, TRAINED) == []
    assert list_other_settings(tmp_path / "absent.pt", other) == []


def test_weights_of_which_nothing_is_known_pass_with_a_word(tmp_path, caplog):
    torch.save({"weight": torch.ones(1)}, tmp_path / "other.pt")
    torch.save({}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "other.safetensors").write_bytes(b"\x02" + bytes(7) + b"{}")
    for name in ("other.pt", "old.pt", "other.safetensors"):
        with caplog.at_level(logging.INFO):
            check_settings(tmp_path / name, {"modality": "MR"})
        assert f"{name} was trained for, so window and classes are not checked" in caplog.text


@pytest.mark.parametrize("content", [None, b"", b"text", b"PK\x03\x04"])
def test_nothing_is_said_of_weights_that_cannot_be_loaded(tmp_path, caplog, content):
    file = tmp_path / "model.pt"
    if content is not None:
        file.write_bytes(content)
    with caplog.at_level(logging.INFO):
        check_settings(file, {"modality": "MR"})
    assert not caplog.text


@pytest.mark.parametrize(
    ("trained", "used", "differs"),
    [
        ({"a": [1], "b": [2]}, {"a": [6], "b": [7]}, False),  # the values of another dataset
        ({"a": [1], "b": [2]}, {"b": [2], "a": [1]}, True),
        ({"a": [1], "b": [2]}, {"a": [1, 2], "b": [2]}, True),  # regions have other channels
        ({"a": [1]}, {"a": [1], "b": [2]}, True),
    ],
)
def test_classes_are_compared_by_name_order_and_overlap(trained, used, differs):
    found = compare_settings({"classes": trained}, {"classes": used})
    assert bool(found) is differs


def test_of_the_choices_only_what_the_network_sees_and_means_is_kept():
    assert choose_settings({"fold": 1, "seed": 0, "modality": "CT"}) == {"modality": "CT"}


@pytest.mark.parametrize("name", ["polyp", "brain_tumor"])
def test_a_bundle_that_resizes_says_to_what(name, repository):
    for workflow in ("train", "evaluate", "inference"):
        file = repository / "bundles" / name / "configs" / f"{workflow}.json"
        choices = ConfigParser({**json.loads(file.read_text()), "image_size": [32, 32]})
        assert choices.get_parsed_content("choices")["fit_size"] == [32, 32]


def test_the_shipped_weights_of_the_liver_know_their_window(repository):
    weights = repository / "bundles/liver_slices/models/model.pt"
    config = repository / "bundles/liver_slices/configs/inference.json"
    own = ConfigParser(json.loads(config.read_text())).get_parsed_content("choices")
    check_settings(weights, own)
    with pytest.raises(ValueError, match=r"window_hu: trained with \[0, 255\], used with \[-160"):
        check_settings(weights, {**own, "window_hu": [-160, 240]})
