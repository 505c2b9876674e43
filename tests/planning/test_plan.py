"""Tests of medseg.planning.plan: numbers that follow from the rules on paper."""

from dataclasses import replace
from itertools import pairwise
from math import prod

import pytest

from medseg.planning.fingerprint import ChannelValues, Fingerprint
from medseg.planning.plan import (
    SIZES,
    fit_epochs,
    make_plan,
)

MR = ChannelValues("", False, (30.0, 300.0, 900.0), mean=300.0, sd=100.0, cases=260)
CT = ChannelValues("", True, (-17.4, 40.0, 201.2), mean=42.0, sd=30.0, cases=260)

FOUND = Fingerprint(
    cases=260,
    dimensions=3,
    colours=1,
    shape=(36, 50, 37),
    smallest_shape=(31, 40, 24),
    spacing_mm=(1.0, 1.0, 1.0),
    coarse_mm=1.0,
    spacing_varies=False,
    values=(0, 1, 2),
    shares={1: 0.5, 2: 0.5},
    present={1: 260, 2: 260},
    smallest_mm={1: 12.0, 2: 12.0},
    channels=(MR,),
    one_sided_axes=(1,),
)

PICTURES = replace(
    FOUND,
    dimensions=2,
    shape=(600, 400),
    smallest_shape=(100, 100),
    spacing_mm=(1.0, 1.0),
    one_sided_axes=(),
)


def plan(found=FOUND, **options):
    return {choice.key: choice.value for choice in make_plan(found, **options)}


def test_the_hippocampus_has_the_patch_that_holds_its_median_image():
    made = plan()
    assert made["image_size"] == [40, 56, 40]
    assert made["channels"] == [16, 32, 64, 128]
    assert made["_layers_"] == ["mr", "3d", "volume", "patches"]
    assert "strides" not in made
    assert "spacing_mm" not in made


def test_every_choice_says_why():
    assert all(choice.why for choice in make_plan(FOUND))


def test_a_ct_is_windowed_by_the_values_within_labels():
    made = plan(replace(FOUND, channels=(CT,)))
    assert made["window_hu"] == [-17, 201]
    assert made["_layers_"][0] == "ct"


def test_voxels_of_different_size_are_resampled():
    made = plan(replace(FOUND, spacing_varies=True))
    assert "resample" in made["_layers_"]
    assert made["spacing_mm"] == [1.0, 1.0, 1.0]


def test_a_patch_that_holds_the_whole_image_is_cut_once():
    assert plan()["image_size"] == [40, 56, 40]
    assert plan()["patches_per_volume"] == 1
    assert plan(replace(FOUND, shape=(200, 200, 200)))["patches_per_volume"] == 2


def test_flips_are_for_labels_that_lie_as_before_when_they_are_mirrored():
    assert (plan()["flip_prob"], plan()["flip_axes"]) == (0.5, [0, 2])
    assert plan(replace(FOUND, one_sided_axes=()))["flip_axes"] == [0, 1, 2]
    assert plan(replace(FOUND, one_sided_axes=(0, 1, 2)))["flip_prob"] == 0


@pytest.mark.parametrize("colours", [1, 3])
def test_pictures_are_planned_in_2d(colours):
    made = plan(replace(PICTURES, colours=colours))
    assert made["image_size"] == [128, 128]
    assert made["batch_size"] == 8
    assert made["norm"] == "batch"
    assert ("colour" in made["_layers_"]) == (colours == 3)


@pytest.mark.parametrize(
    ("edge", "patch", "batch"),
    [(30.0, [128, 128], 8), (80.0, [160, 160], 5), (120.0, [224, 256], 2), (300.0, [256, 256], 2)],
)
def test_a_patch_of_pictures_is_twice_as_wide_as_the_parts_of_the_largest_class(edge, patch, batch):
    square = replace(PICTURES, shape=(400, 400), part_mm={1: edge, 2: 10.0})
    made = plan(square)
    assert made["image_size"] == patch
    assert made["batch_size"] == batch
    assert (made["norm"] == "batch") == (batch == 8)


def test_where_voxels_are_made_coarser_cases_are_resampled_in_3d_and_in_slices():
    wide = replace(FOUND, shape=(300, 300, 300), part_mm={1: 60.0}, labelled_slices=(9.0,) * 3)
    volumes, slices = plan(wide), plan(wide, in_slices=True)
    assert "resample" in volumes["_layers_"]
    assert volumes["spacing_mm"] == slices["spacing_mm"] == [2.68] * 3
    assert "spacing_mm" not in plan(wide, preset="large")


def test_a_larger_preset_has_more_of_everything():
    big = replace(FOUND, shape=(400, 400, 300))
    sizes = [plan(big, preset=preset) for preset in SIZES]
    for smaller, larger in pairwise(sizes):
        assert prod(larger["image_size"]) > prod(smaller["image_size"])
        assert larger["channels"][-1] >= smaller["channels"][-1]
        assert larger["max_epochs"] > smaller["max_epochs"]


def test_a_step_of_a_short_training_in_3d_has_one_volume():
    chosen = [plan(preset=preset)["batch_size"] for preset in SIZES]
    assert chosen == [1, 2, 2]


def test_the_epochs_make_the_steps_of_the_preset():
    training = round(260 * 0.8 * 0.8)
    assert plan()["max_epochs"] == round(SIZES["small"].steps_3d / training)


SLICED = replace(FOUND, labelled_slices=(20.0, 30.0, 24.0))


def test_in_slices_the_network_is_in_2d_and_sees_the_grid_of_the_one_in_3d():
    varied = replace(SLICED, spacing_varies=True)
    flat, whole = plan(varied, in_slices=True), plan(varied)
    assert flat["_layers_"] == ["mr", "2d", "volume", "slices", "resample", "patches"]
    assert flat["slice_axis"] == 2
    assert flat["image_size"] == [40, 56]
    assert flat["spacing_mm"] == whole["spacing_mm"]
    assert flat["norm"] == "batch"
    assert (flat["flip_prob_axis0"], flat["flip_prob"]) == (
        0.5,
        0.0,
    )  # labels are one-sided along 1
    assert "flip_axes" not in flat


def test_volumes_are_cut_along_their_longest_voxels():
    coarse = replace(SLICED, shape=(20, 200, 150), spacing_mm=(4.0, 0.7, 0.7), coarse_mm=4.0)
    made = plan(coarse, in_slices=True)
    assert made["slice_axis"] == 0
    assert (made["flip_prob_axis0"], made["flip_prob"]) == (0.0, 0.5)
    two = replace(coarse, channels=(replace(MR, name="a"), replace(MR, name="b")))
    assert plan(two, in_slices=True)["_layers_"] == [
        "2d",
        "volume",
        "slices",
        "channels",
        "patches",
    ]


def test_in_slices_the_epochs_make_the_steps_of_the_preset_too():
    slices = round(24 * 1.25)
    made = plan(SLICED, in_slices=True)
    steps = round(260 * 0.8 * 0.8) * slices // made["batch_size"]
    assert made["max_epochs"] == round(SIZES["small"].steps_2d / steps)
    options = {"batch_size": 2, "step_seconds": 1.0, "hours": 10}
    assert fit_epochs(160, **options, slices=30) == 36_000 * 0.8 // (160 * 30 // 2)


def test_too_few_cases_are_refused():
    with pytest.raises(ValueError, match="2 cases cannot be split"):
        make_plan(replace(FOUND, cases=2))


def test_epochs_fit_into_the_hours_that_there_are():
    options = {"batch_size": 2, "step_seconds": 1.0}
    assert fit_epochs(160, **options, hours=1) == 3600 * 0.8 // 80  # 160 cases are 80 steps
    assert fit_epochs(160, **options, hours=0.0001) == 1


def test_each_of_several_channels_is_scaled_by_its_kind():
    made = plan(replace(FOUND, channels=(replace(MR, name="pet"), replace(CT, name="ct"))))
    assert made["_layers_"] == ["3d", "volume", "channels", "patches"]
    assert made["image_channels"] == ["pet", "ct"]
    assert made["in_channels"] == 2
    assert made["channel_windows"] == [None, [-17, 201]]
    assert made["modality"] == "MR"
    assert "window_hu" not in made
