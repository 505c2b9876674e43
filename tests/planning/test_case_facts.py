"""Tests of medseg.planning.case_facts."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medseg.datasets.own.pair_files import Pair
from medseg.planning.case_facts import THUMBNAIL, measure_case


def save(path, array, affine):
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


@pytest.fixture
def pair(tmp_path):
    """An image of 6x8x10 voxels of 1x2x3 mm whose first axis points to the left."""

    def make(image=None, label=None, affine=None):
        affine = np.diag([-1.0, 2.0, 3.0, 1.0]) if affine is None else affine
        values = np.arange(480).reshape(6, 8, 10).astype(np.int16)
        mask = np.zeros((6, 8, 10), np.uint8)
        mask[0, :, :] = 1
        mask[5, :4, :] = 2
        return Pair(
            "c",
            (save(tmp_path / "c.nii.gz", values if image is None else image, affine),),
            ("",),
            save(tmp_path / "c_seg.nii.gz", mask if label is None else label, affine),
        )

    return make


def test_shape_and_spacing_are_those_along_the_axes_of_the_patient(pair):
    facts = measure_case(pair())
    assert facts.shape == (6, 8, 10)
    assert facts.spacing_mm == pytest.approx((1, 2, 3))
    turned = np.array([[0, 0, 3.0, 0], [1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1]])
    facts = measure_case(pair(affine=turned))
    assert facts.shape == (10, 6, 8)
    assert facts.spacing_mm == pytest.approx((3, 1, 2))


def test_labels_are_counted_and_the_values_within_are_sampled(pair):
    facts = measure_case(pair())
    assert facts.counts == {0: 480 - 80 - 40, 1: 80, 2: 40}
    inside = [*range(80), *range(400, 440)]
    np.testing.assert_array_equal(np.sort(facts.channels[0].foreground), inside)


def test_slices_with_a_label_are_counted_along_each_axis(pair):
    label = np.zeros((6, 8, 10), np.uint8)
    label[1:3, 4, 2:9] = 1
    label[5, 4, 0] = 2
    assert measure_case(pair(label=label)).labelled_slices == (3, 1, 8)


def test_the_parts_of_a_label_are_measured_also_where_they_touch_another_label(pair):
    label = np.zeros((6, 8, 10), np.uint8)
    label[0:2, 0:2, 0:2] = 1
    label[2, 0:2, 0:2] = 2
    label[3:5, 3, 3] = label[5, 7, 9] = 1
    assert measure_case(pair(label=label)).parts == {1: (8, 2, 1), 2: (4,)}


def test_values_of_the_image_and_sides_that_labels_touch_are_counted(pair):
    facts = measure_case(pair())
    assert facts.channels[0].levels == 480
    assert facts.sides_touched == 6
    label = np.zeros((6, 8, 10), np.uint8)
    label[0, 2:5, 9] = 1
    few = np.arange(480).reshape(6, 8, 10).astype(np.int16) % 3
    facts = measure_case(pair(image=few, label=label))
    assert (facts.channels[0].levels, facts.sides_touched) == (3, 2)


def test_places_are_on_a_coarse_grid_with_the_right_of_the_patient_last(pair):
    facts = measure_case(pair())
    assert facts.places[1].shape == (THUMBNAIL,) * 3
    assert facts.places[1][-1].mean() > 0.9  # label 1 has the lowest index, which is on the right
    assert facts.places[1][0].max() == 0


def test_a_picture_has_pixels_and_its_colours(tmp_path):
    colour = np.zeros((5, 7, 3), np.uint8)
    colour[..., 0] = 200
    Image.fromarray(colour).save(tmp_path / "a.png")
    Image.fromarray(np.eye(5, 7, dtype=np.uint8)).save(tmp_path / "a_mask.png")
    facts = measure_case(Pair("a", (tmp_path / "a.png",), ("",), tmp_path / "a_mask.png"))
    assert (facts.shape, facts.colours, facts.counts) == ((5, 7), 3, {0: 30, 1: 5})
    assert not facts.channels[0].is_constant
    Image.fromarray(np.full((5, 7), 9, np.uint8)).save(tmp_path / "a.png")
    black = measure_case(Pair("a", (tmp_path / "a.png",), ("",), tmp_path / "a_mask.png"))
    assert black.channels[0].is_constant


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        (np.zeros((6, 8, 9), np.uint8), "different grids"),
        (np.full((6, 8, 10), 0.5, np.float32), "no whole numbers"),
        (np.full((6, 8, 10), 300, np.int16), "values go from 0 to 255"),
    ],
)
def test_a_faulty_label_is_one_line_that_names_the_case(pair, label, fault):
    with pytest.raises(ValueError, match=rf"case c: .*{fault}") as caught:
        measure_case(pair(label=label))
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_one_line_that_names_the_case(pair):
    broken = pair()
    broken.images[0].write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"case c: .*c\.nii\.gz"):
        measure_case(broken)


def test_channels_are_measured_in_their_places_and_the_first_is_drawn(pair, tmp_path):
    one = pair()
    image = nib.load(one.images[0])
    other = save(
        tmp_path / "other.nii.gz", np.asarray(image.dataobj) + np.int16(1000), image.affine
    )
    alone = measure_case(one)
    both = measure_case(replace(one, images=(one.images[0], other), channels=("a", "b")))
    lacking = measure_case(replace(one, images=(None, other), channels=("a", "b")))
    a, b = both.channels
    assert (a.name, b.name) == ("a", "b")
    np.testing.assert_array_equal(a.foreground, alone.channels[0].foreground)
    np.testing.assert_array_equal(b.foreground, a.foreground + 1000)
    assert both.thumbnail == alone.thumbnail
    assert lacking.channels[0] is None
    np.testing.assert_array_equal(lacking.channels[1].foreground, b.foreground)


def test_a_channel_on_another_grid_and_pictures_as_channels_are_faults(pair, tmp_path):
    one = pair()
    turned = save(tmp_path / "t.nii.gz", np.zeros((6, 8, 10), np.int16), np.diag([1.0, 2, 3, 1]))
    two = replace(one, images=(one.images[0], turned), channels=("a", "b"))
    with pytest.raises(ValueError, match=r"case c: the channels .* lie on different grids"):
        measure_case(two)
    pictures = replace(one, images=(tmp_path / "a.png", tmp_path / "b.png"), channels=("a", "b"))
    with pytest.raises(ValueError, match="channels are read of volumes alone"):
        measure_case(pictures)


def crop_of_a_ct(seed=0):
    """Soft tissue and some fat, without the air around a body."""
    image = np.random.default_rng(seed).normal(40, 20, (16, 16, 16))
    image[:3] = np.random.default_rng(seed).normal(-100, 15, (3, 16, 16))
    return image.round().astype(np.int16)


@pytest.mark.parametrize(
    ("kind", "values", "is_ct"),
    [
        ("CT", crop_of_a_ct(), True),
        ("", crop_of_a_ct(), False),  # it may be anything
        ("MR", crop_of_a_ct(), False),
        ("CT", (crop_of_a_ct() + 150).clip(0) / 400, False),  # scaled: no Hounsfield units
    ],
)
def test_a_crop_without_air_is_a_ct_if_it_is_stated_and_its_values_can_be(
    kind, values, is_ct, tmp_path
):
    save(tmp_path / "a.nii.gz", values, np.eye(4))
    save(tmp_path / "b.nii.gz", (values > 0).astype(np.uint8), np.eye(4))
    pair = Pair("a", (tmp_path / "a.nii.gz",), ("",), tmp_path / "b.nii.gz", kinds=(kind,))
    assert measure_case(pair).channels[0].is_ct is is_ct
