"""Tests of medseg.transforms.crop_centres: on which voxels crops are centred."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from medseg.transforms import CropCentresd, crop_centres

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"


def centres(label, classes, **kwargs):
    found = CropCentresd("label", classes, **kwargs)({"label": torch.tensor([label])})
    return found["foreground"].tolist(), found["background"].tolist()


def test_foreground_is_what_a_class_gathers_and_background_what_counts_otherwise():
    assert centres([0, 1, 2, 9], {"a": [1]}, ignore=9) == ([1], [0, 2])
    assert centres([0, 1, 2, 9], {"a": [1, 2], "b": [2]}, ignore=[0, 9]) == ([1, 2, 2, 2], [])
    assert centres([0, 1, 2, 9], {"a": [1]}) == ([1], [0, 2, 3])
    assert centres([0.0, 255.0], {"a": [255]}) == ([1], [0])


def test_a_volume_that_is_ignored_as_a_whole_is_cropped_anywhere():
    assert centres([9, 9], {"a": [1]}, ignore=9) == ([], [0, 1])


def test_a_label_that_spans_several_dimensions_is_counted_in_one_row():
    label = torch.zeros(1, 2, 3, 4)
    label[0, 1, 2, 3] = 1
    found = CropCentresd("label", {"a": [1]})({"label": label})
    assert found["foreground"].tolist() == [23]


def patches(label, **choices):
    """The labels of the patches that the layer of foreground crops cuts, 50 or more."""
    config = json.loads((BUNDLES / "liver_3d" / "train.json").read_text())
    choices = {"image_size": [3, 3, 3], "patches_per_volume": 50, **choices}
    crop = ConfigParser({**config, **choices}).get_parsed_content("crop")
    crop.set_random_state(0)
    return [p["label"] for p in crop({"image": label.clone(), "label": label})]


def test_each_class_that_is_there_has_as_many_places_however_small_it_is():
    label = [1] * 6 + [2] * 2 + [0]
    assert centres(label, {"a": [1], "b": [2], "absent": [3]}) == (
        [0, 1, 2, 3, 4, 5, 6, 6, 6, 7, 7, 7],
        [8],
    )


def test_of_regions_the_inner_one_has_its_share_beside_the_outer_one():
    found, _ = centres([1, 1, 1, 2], {"whole": [1, 2], "core": [2]})
    assert found == [0, 1, 2, 3, 3, 3, 3, 3]


def test_a_large_class_is_listed_in_even_steps(monkeypatch):
    monkeypatch.setattr(crop_centres, "_MOST", 4)
    found, _ = centres([1] * 8 + [2], {"a": [1], "b": [2]})
    assert found == [0, 2, 4, 6, 8, 8, 8, 8]


@pytest.mark.parametrize("ignore", [9, [0, 9], None])
def test_positive_crops_of_a_bundle_are_centred_on_its_classes(ignore):
    label = torch.full((1, 11, 11, 11), 3.0)  # a value of no class
    label[:, ::2] = 9 if ignore else 3
    label[0, 5, 5, 5] = 1  # the one voxel of the class
    cut = patches(label, classes={"liver": [1]}, label_values=[0, 1, 3, 9], ignore=ignore)
    middle = Counter(int(patch[0, 1, 1, 1]) for patch in cut)
    assert 15 <= middle[1] <= 35  # half of 50, of a binomial, and not 1 of 1331
    assert middle[9] == 0
    assert middle[1] + middle[3] == len(cut) == 50


def test_half_of_the_positive_crops_of_a_bundle_are_around_a_class_of_one_voxel():
    label = torch.ones(1, 11, 11, 11)
    label[0, 5, 5, 5] = 2
    cut = patches(label, classes={"liver": [1], "tumour": [2]}, label_values=[0, 1, 2])
    middle = Counter(int(patch[0, 1, 1, 1]) for patch in cut)
    assert 12 <= middle[2] <= 38  # there is no background: of 50, a half, and not 1 of 1331


def test_what_finds_the_centres_does_not_stay_in_the_patches():
    config = json.loads((BUNDLES / "liver_3d" / "train.json").read_text())
    config |= {"image_size": [3, 3, 3]}
    crop = ConfigParser(config).get_parsed_content("crop")
    label = torch.zeros(1, 5, 5, 5)
    assert all(set(p) == {"image", "label"} for p in crop({"image": label.clone(), "label": label}))
