"""Tests of medseg.bundles.zoo.components: components are found and changed wherever they are."""

import pytest

from medseg.bundles.zoo.components import (
    find_components,
    get_class,
    insert_check,
    keep_labels_whole,
    list_image_loaders,
    take_weight_loaders,
)

LOAD = {"_target_": "LoadImaged", "keys": ["image"]}
CHECKPOINT = {"_target_": "CheckpointLoader", "load_path": "a.pt"}


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("LoadImageD", "LoadImaged"),
        ("monai.transforms.LoadImageDict", "LoadImaged"),
        ("SaveImaged", "SaveImaged"),
        (None, ""),
    ],
)
def test_a_class_has_one_name_however_it_is_written(target, name):
    assert get_class({"_target_": target}) == name


def test_components_are_found_in_lists_and_within_others():
    inner = {"_target_": "SaveImaged"}
    assert list(find_components({"a": [{"_target_": "Compose", "transforms": [inner]}]},
                                "SaveImaged")) == [inner]  # fmt: skip


def test_what_loads_the_image_is_told_from_what_loads_others():
    config = {
        "key": "image",
        "a": {"_target_": "LoadImaged", "keys": "@key"},
        "b": {"_target_": "LoadImaged", "keys": "prior"},
    }
    assert list(list_image_loaders(config)) == [config["a"]]


def test_only_labels_keep_the_nearest_voxel():
    invert = {"_target_": "Invertd", "nearest_interp": False}
    first, later = invert.copy(), invert.copy()
    keep_labels_whole({"transforms": [first, {"_target_": "AsDiscreted"}, later]})
    assert (first["nearest_interp"], later["nearest_interp"]) == (False, True)


@pytest.mark.parametrize("follow", [["EnsureChannelFirstd", "Orientationd"], []])
def test_the_check_comes_before_values_change(follow):
    transforms = [LOAD, *({"_target_": name} for name in follow), {"_target_": "ScaleIntensityd"}]
    assert insert_check({"_target_": "Compose", "transforms": transforms}, "@check")
    assert transforms.index("@check") == 1 + len(follow)
    assert not insert_check("$@a + @b", "@check")


def test_weights_are_loaded_once_and_not_for_each_case():
    config = {"handlers": [CHECKPOINT.copy(), {"_target_": "StatsHandler"}]}
    made = take_weight_loaders(config)
    assert config["handlers"] == [{"_target_": "StatsHandler"}]
    assert made["weights"] == "a.pt"
    assert made["weight_loaders"] == [CHECKPOINT | {"load_path": "@weights"}]


def test_a_loader_with_a_key_of_its_own_keeps_it():
    config = {"checkpointloader": CHECKPOINT.copy()}
    assert take_weight_loaders(config)["weight_loaders"] == ["@checkpointloader"]
    assert config["checkpointloader"]["load_path"] == "@weights"


def test_without_a_loader_the_weights_are_where_monai_has_them():
    made = take_weight_loaders({})
    assert made == {"weights": "$@bundle_root + '/models/model.pt'", "weight_loaders": []}
