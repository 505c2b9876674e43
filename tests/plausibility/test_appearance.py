"""Tests of medseg.plausibility.appearance: an image that is like no single training case."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from medseg.ingest import load
from medseg.plausibility import (
    explain_unlikeness,
    has_appearance,
    measure_appearance,
    read_trained_on,
)
from medseg.plausibility.appearance import ENOUGH_CASES, FEATURES, find_nearest
from medseg.plausibility.quantities import OF_CLASS, OF_IMAGE

LARGE = (256, 256)


def spots(dark=10.0, bright=200.0, *, side=192, channels=3):
    """A quarter of the columns bright, in stripes of 8 between 24 dark ones."""
    row = np.where(np.arange(side) % 32 < 8, bright, dark)
    return np.broadcast_to(row, (channels, side, side)).copy()


def test_features_are_derivable_on_paper():
    """Dark is 0 and bright is 1, so that the median is 0 and a quarter is bright: the skewness of
    a share p is (1 - 2p) / sqrt(p (1 - p))."""
    found = measure_appearance(spots())
    assert found["median"] == 0
    assert found["darkest"] == pytest.approx(0.75)
    assert found["skewness"] == pytest.approx(0.5 / np.sqrt(0.25 * 0.75))
    assert (found["saturation"], found["red"], found["green"]) == (0, 0, 0)
    assert found.keys() == FEATURES.keys()


def test_grey_pictures_have_no_colours_and_a_pure_red_is_saturated():
    assert "red" not in measure_appearance(spots(channels=1))
    red = spots()
    red[1:] = 0
    found = measure_appearance(red)
    mean = 0.25 * 200 + 0.75 * 10
    assert found["saturation"] == pytest.approx(mean / 255)
    assert found["red"] == pytest.approx(mean / (mean + 1))


def test_values_may_be_scaled_and_a_volume_is_measured_in_its_planes():
    volume = np.repeat(spots(channels=1)[..., None], 3, axis=3)
    for image in (spots(channels=1), volume, 7 * volume - 900):
        found = measure_appearance(image)
        assert found == pytest.approx(measure_appearance(spots(channels=1)))


def test_blank_pictures_and_empty_arrays_have_no_features():
    assert measure_appearance(np.zeros((3, 40, 40))) == {}
    assert measure_appearance(spots(10, 26)) == {}
    assert measure_appearance(spots(10, 27))
    assert measure_appearance(np.zeros((1, 0, 0))) == {}


def test_a_picture_too_small_for_a_distance_lacks_that_likeness():
    found = measure_appearance(spots(side=32))
    assert {"likeness_1", "likeness_4"} <= found.keys()
    assert "likeness_16" not in found


def test_the_nearest_case_counts_and_not_the_range_of_all():
    """Between two kinds, 0.1 and 0.9, lies 0.5: within the range, and 0.4 / 0.15 from each."""
    kinds = [{"median": 0.1, "border": 0.1}, {"median": 0.9, "border": 0.9}]
    distance, name, case = find_nearest({"median": 0.5, "border": 0.1}, kinds)
    assert (distance, name, case) == (pytest.approx(0.4 / 0.15), "median", kinds[0])
    assert find_nearest({"median": 0.5}, [{"border": 0.1}]) is None
    assert find_nearest({"median": 0.5}, []) is None


@pytest.mark.parametrize(
    ("median", "cases", "shape", "is_warned", "is_refused"),
    [
        (0.30, ENOUGH_CASES, LARGE, False, False),
        (0.33, ENOUGH_CASES, LARGE, True, False),
        (0.47, ENOUGH_CASES, LARGE, True, False),
        (0.48, ENOUGH_CASES, LARGE, True, True),
        (0.48, ENOUGH_CASES - 1, LARGE, True, False),
        (0.48, ENOUGH_CASES, (64, 256), True, False),
        (0.48, ENOUGH_CASES, (36, 50, 35), True, True),
        (0.48, ENOUGH_CASES, (36, 50, 8), True, False),
    ],
)
def test_far_from_all_cases_is_refused_where_there_are_enough(
    median, cases, shape, is_warned, is_refused
):
    """A distance of 1.5 is 0.225 of the median, one of 2.5 is 0.375."""
    why, refused = explain_unlikeness({"median": median}, [{"median": 0.1}] * cases, shape=shape)
    assert (why is not None, refused) == (is_warned, is_refused)


def test_the_reason_names_what_differs_most_with_both_values():
    why, _ = explain_unlikeness(
        {"median": 0.6, "border": 0.2}, [{"median": 0.1, "border": 0.1}], shape=LARGE
    )
    assert "any of the 1 images" in why
    assert "the largest difference is the median brightness (0 is its darkest, 1" in why
    assert why.endswith("0.60 here, 0.10 in the most similar training image")


def test_pictures_and_magnetic_resonance_are_compared_and_ct_volumes_are_not():
    assert [has_appearance(3, m) for m in ("picture", "CT")] == [True, True]
    assert [has_appearance(4, m) for m in ("MR", "CT")] == [True, False]


@pytest.mark.realdata
@pytest.mark.parametrize(
    "change",
    [
        lambda mr, label: ndimage.gaussian_filter((label > 0).astype(float), 1),
        lambda mr, label: ndimage.gaussian_filter(label * 300.0, 1),
        lambda mr, label: ndimage.gaussian_gradient_magnitude(mr.astype(float), 1),
        lambda mr, label: np.indices(mr.shape).sum(0).astype(float),
    ],
    ids=["probabilities", "smooth label map", "gradient", "ramp"],
)
def test_what_was_made_of_an_mr_is_no_mr_of_the_hippocampus(change, data_root):
    trained = read_trained_on("bundles/hippocampus/models/model.pt")
    path = sorted((data_root / "hippocampus/imagesTr").glob("*.nii.gz"))[10]
    mr, label = load(path)[0], load(data_root / "hippocampus/labelsTr" / path.name)[0]
    for volume, is_wrong in ((mr, False), (change(mr, label), True)):
        measured = measure_appearance(volume[None].astype(np.float32))
        why, refused = explain_unlikeness(measured, trained.appearance, shape=volume.shape)
        assert (why is not None, refused) == (is_wrong, is_wrong)


@pytest.mark.realdata
@pytest.mark.parametrize(
    "pattern",
    ["em_membrane/train/image/*", "brain_tumor/png/2?.png", "liver_slices/images/00*"],
)
def test_no_grey_picture_of_another_kind_is_taken_for_nuclei(pattern, data_root):
    trained = read_trained_on("bundles/nuclei/models/model.pt")
    paths = sorted(data_root.glob(pattern))[::3]
    assert paths
    for path in paths:
        with Image.open(path) as picture:
            array = np.moveaxis(np.asarray(picture.convert("RGB")), -1, 0)
        why, _ = explain_unlikeness(
            measure_appearance(array), trained.appearance, shape=array.shape[1:]
        )
        assert why is not None


def test_no_words_of_a_message_end_in_punctuation():
    """They stand before a colon or the word "is"."""
    words = [one.words for one in (*FEATURES.values(), *OF_IMAGE.values(), *OF_CLASS.values())]
    assert [text for text in words if not (text[-1].isalpha() or text[-1] == ")")] == []
