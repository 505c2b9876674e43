"""Tests of medseg.inference.outputs.restore."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import CenterSpatialCropd, Compose, Invertd, Orientationd, Spacingd

from medseg.geometry import Geometry
from medseg.inference import RestoreLabeld
from medseg.inference.outputs import restore
from medseg.inference.outputs.restore import restore_label, restore_values
from medseg.transforms.classes import make_label_map


def loaded(shape, affine):
    """An image as `VolumeReader` gives it."""
    image = MetaTensor(torch.rand(1, *shape), affine=torch.tensor(affine, dtype=torch.float64))
    image.meta["original_affine"] = np.array(affine)
    image.meta["spatial_shape"] = np.array(shape)
    return image


AFFINES = {
    "RAS": np.diag([0.8, 0.9, 2.0, 1.0]),
    "LPS": np.array([[-0.8, 0, 0, 40], [0, -0.9, 0, 50], [0, 0, 2.0, -7], [0, 0, 0, 1]]),
    "PIR": np.array([[0, 0, 1.5, 4], [-0.7, 0, 0, 3], [0, -2.0, 0, 9], [0, 0, 0, 1]]),
    "oblique": np.array(
        [[0.78, -0.1, 0.2, 4], [0.1, 0.88, -0.3, 3], [-0.1, 0.2, 1.9, 9], [0, 0, 0, 1]]
    ),
}


def smooth_logits(image, channels):
    """Logits that vary slowly, one channel a class, in millimetres."""
    affine = torch.as_tensor(image.affine, dtype=torch.float64)
    index = torch.stack(torch.meshgrid(*map(torch.arange, image.shape[1:]), indexing="ij"), -1)
    place = index.double() @ affine[:3, :3].T + affine[:3, 3]
    waves = [
        torch.sin(place @ torch.tensor(w, dtype=torch.float64) + n)
        for n, w in enumerate([(0.3, 0.1, 0.2), (0.1, 0.25, -0.1), (-0.2, 0.1, 0.1)])
    ]
    return MetaTensor(torch.stack(waves[:channels]).float(), affine=affine)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_spacing_that_differs_little_adds_up_and_is_interpolated(reverse):
    """By 0.0008 mm a voxel, 0.4 voxels at the end of 512, from whichever end they are counted."""
    size, spacing = 512, 0.9992
    affine = np.eye(4)
    affine[0, 0] = -spacing if reverse else spacing
    affine[0, 3] = spacing * (size - 1) if reverse else 0
    line = torch.arange(size) >= 400  # of the network's grid, with voxels of 1 mm
    found = line.to(torch.uint8)[None, :, None, None]
    label = restore_label(found, np.eye(4), source=Geometry((size, 1, 1), affine))
    expected = (torch.arange(size) * spacing).round() >= 400
    assert torch.equal(label.flatten() > 0, expected.flip(0) if reverse else expected)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("channels", [1, 3])
def test_axes_are_turned_back_without_interpolation(affine, channels):
    image = loaded((6, 7, 5), affine)
    preprocessing = Orientationd("image", axcodes="RAS", labels=None)
    seen = preprocessing({"image": image})["image"]
    logits = MetaTensor(torch.randn(channels, *seen.shape[1:]), affine=seen.affine)
    data = {"pred": logits, "image": seen}
    inverse = Invertd("pred", preprocessing, orig_keys="image")
    expected = make_label_map(inverse(data)["pred"].as_subclass(torch.Tensor))
    for found in (logits, MetaTensor(make_label_map(logits), affine=seen.affine)):
        restored = RestoreLabeld("pred")({"pred": found, "image": seen})["pred"]
        assert torch.equal(restored.as_subclass(torch.Tensor), expected)
        assert np.allclose(restored.affine, affine)
        assert restored.dtype == torch.uint8


def test_a_crop_is_put_back_into_background():
    image = loaded((8, 9, 7), AFFINES["LPS"])
    preprocessing = Compose(
        [Orientationd("image", axcodes="RAS", labels=None), CenterSpatialCropd("image", (4, 5, 3))]
    )
    seen = preprocessing({"image": image})["image"]
    pred = MetaTensor(torch.ones(1, *seen.shape[1:], dtype=torch.uint8), affine=seen.affine)
    restored = RestoreLabeld("pred")({"pred": pred, "image": seen})["pred"]
    inverse = Invertd("pred", preprocessing, orig_keys="image")
    expected = inverse({"pred": pred.float(), "image": seen})["pred"]
    assert torch.equal(
        restored.as_subclass(torch.Tensor).float(), expected.as_subclass(torch.Tensor)
    )
    assert int(restored.sum()) == 4 * 5 * 3


@pytest.mark.parametrize("slab", [2**22, 500])
@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("channels", [1, 3])
def test_logits_are_interpolated_as_by_inverting_the_spacing(affine, channels, slab, monkeypatch):
    monkeypatch.setattr(restore, "SLAB_VOXELS", slab)
    image = loaded((30, 28, 16), affine)
    preprocessing = Compose(
        [
            Orientationd("image", axcodes="RAS", labels=None),
            Spacingd("image", pixdim=(1.3, 1.1, 1.6), mode="bilinear", padding_mode="border"),
        ]
    )
    seen = preprocessing({"image": image})["image"]
    logits = smooth_logits(seen, channels)
    inverse = Invertd("pred", preprocessing, orig_keys="image", nearest_interp=False)
    expected = make_label_map(
        inverse({"pred": logits, "image": seen})["pred"].as_subclass(torch.Tensor)
    )
    restored = RestoreLabeld("pred")({"pred": logits, "image": seen})["pred"]
    assert restored.shape == expected.shape
    inside = (slice(None), *[slice(2, -2)] * 3)  # at the border the two extrapolate differently
    agree = (restored.as_subclass(torch.Tensor) == expected)[inside].float().mean()
    assert agree > 0.995


def test_labels_are_interpolated_to_the_class_that_weighs_most():
    """Voxels of 2 mm on a grid of 1 mm, one axis: 0.25 | 0.75 between two centres."""
    label = torch.tensor([0, 2, 2, 1], dtype=torch.uint8).reshape(1, 4, 1, 1)
    coarse = np.diag([2.0, 1, 1, 1])
    fine = np.diag([1.0, 1, 1, 1])
    fine[0, 3] = -0.5
    restored = restore_label(label, coarse, source=Geometry((8, 1, 1), fine))
    assert restored.flatten().tolist() == [0, 0, 2, 2, 2, 2, 1, 1]


def test_logits_keep_a_surface_between_the_voxels_and_labels_do_not():
    """A ball of 10 mm at voxels of 2 mm, restored to 0.5 mm."""

    def inside_mm(spacing, size):
        index = torch.stack(torch.meshgrid(*[torch.arange(size)] * 3, indexing="ij"), -1)
        return 10 - (index * spacing - 20).square().sum(-1).sqrt()[None]

    coarse, truth = inside_mm(2.0, 21), inside_mm(0.5, 81) > 0
    source = Geometry((81, 81, 81), np.diag([0.5, 0.5, 0.5, 1]))

    def dice(found):
        label = restore_label(found, np.diag([2.0, 2, 2, 1]), source=source) == 1
        return 2 * int((label & truth).sum()) / int(label.sum() + truth.sum())

    assert dice(coarse) > 0.98
    assert 0.9 < dice((coarse > 0).to(torch.uint8)) < 0.95


def test_regions_stay_regions():
    image = loaded((6, 6, 6), AFFINES["LPS"])
    logits = MetaTensor(torch.full((2, 6, 6, 6), -1.0), affine=image.affine)
    logits[0, :3] = 1
    logits[:, :1] = 1
    classes = {"liver": [1, 2], "tumour": [2]}
    restored = RestoreLabeld("pred", classes)({"pred": logits, "image": image})["pred"]
    assert [int((restored == n).sum()) for n in range(3)] == [108, 72, 36]


def test_a_single_slice_is_restored():
    image = loaded((10, 10, 1), AFFINES["RAS"])
    seen = Spacingd("image", pixdim=(1.0, 1.0, 2.0))({"image": image})["image"]
    pred = MetaTensor(torch.ones(1, *seen.shape[1:], dtype=torch.uint8), affine=seen.affine)
    assert RestoreLabeld("pred")({"pred": pred, "image": seen})["pred"].shape == (1, 10, 10, 1)


def test_values_are_moved_where_the_grids_allow_it_and_keep_every_digit():
    values = torch.rand(2, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    source = Geometry(
        (5, 4, 6), np.array([[0, -1, 0, 3], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    )
    found = restore_values(values, np.eye(4), source=source)
    torch.testing.assert_close(found, values.flip(1).transpose(1, 2), rtol=0, atol=0)


def test_values_between_voxels_are_interpolated_linearly():
    ramp = torch.arange(6.0).reshape(1, 6, 1, 1).expand(1, 6, 3, 3)
    affine = np.eye(4)
    affine[0, 3] = 0.25
    found = restore_values(ramp, np.eye(4), source=Geometry((5, 3, 3), affine))
    torch.testing.assert_close(found[0, :, 1, 1], torch.arange(5.0) + 0.25)


@pytest.mark.parametrize("outside", ["nearest", "background"])
def test_what_lies_outside_the_box_is_its_nearest_voxel_or_background(outside):
    source = Geometry((8, 1, 1), np.eye(4))
    half = np.diag([0.5, 1.0, 1.0, 1.0])
    half[0, 3] = 1.75  # eight voxels of half the size, from 1.5 to 5.5
    logits = torch.tensor([0.0, 1.0])[:, None, None, None].expand(2, 8, 1, 1)
    found = restore_label(logits, half, source=source, outside=outside).flatten().tolist()
    assert found == ([1] * 8 if outside == "nearest" else [0, 0, 1, 1, 1, 1, 0, 0])


def test_along_an_axis_of_slices_the_nearest_is_taken():
    thick = np.diag([3.0, 1.0, 1.0, 1.0])
    thick[0, 3] = 1.0
    logits = torch.zeros(2, 2, 1, 2)
    logits[1, 0], logits[1, 1] = 5, -1  # between them the foreground would reach far over
    source = Geometry((6, 1, 2), np.eye(4))
    taken = restore_label(logits, thick, source=source, slice_axis=0)
    mixed = restore_label(logits, thick, source=source)
    assert taken[0, :, 0, 0].tolist() == [1, 1, 1, 0, 0, 0]
    assert mixed[0, :, 0, 0].tolist() == [1, 1, 1, 1, 0, 0]


def test_of_two_slices_as_near_that_of_nnunet_is_taken():
    step = 106 / 19  # the middle of the tenth of 19 slices lies between 52 and 53 of 106
    fine = np.diag([1 / step, 1.0, 1.0, 1.0])
    fine[0, 3] = 0.5 / step - 0.5
    logits = torch.ones(2, 106, 1, 1)
    logits[1, 53:] = -1
    logits[0] = 0
    found = restore_label(logits, fine, source=Geometry((19, 1, 1), np.eye(4)), slice_axis=0)
    assert found.flatten().tolist() == [1] * 10 + [0] * 9


def test_the_axis_of_slices_is_read_from_the_image():
    image = MetaTensor(torch.zeros(1, 2, 1, 2), affine=torch.eye(4, dtype=torch.float64))
    image.meta["along"] = -1
    assert RestoreLabeld("pred", slice_axis_key="along")._find_slice_axis(image) is None
    image.meta["along"] = 0
    assert RestoreLabeld("pred", slice_axis_key="along")._find_slice_axis(image) == 0


def test_an_unknown_way_to_fill_the_outside_is_refused():
    with pytest.raises(ValueError, match="outside must be one of nearest, background"):
        RestoreLabeld("pred", outside="zero")
