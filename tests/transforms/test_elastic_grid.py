"""Tests of medseg.transforms.elastic_grid: Gaussian offsets on a coarse grid, a cubic spline
between."""

import math

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medseg.transforms import RandElasticGrid, RandElasticGridd
from medseg.transforms.elastic_grid import interpolate_displacement


def offsets_of(seed, **options):
    bend = RandElasticGrid(prob=1.0, **options).set_random_state(seed)
    bend.randomize()
    return bend.offsets


def bent(image, offsets, **options):
    """The image bent by offsets that are given instead of drawn."""
    bend = RandElasticGrid(prob=1.0, grid=offsets.shape[1:], **options)
    bend.offsets, bend._do_transform = offsets, True
    return bend(image, randomize=False)


def test_a_quarter_of_the_way_is_as_on_paper():
    # natural spline through (0, y, 0): y (t - (t^3 - t) / 2); through (y, 0, 0): y (1 - t + (t^3 -
    # t) / 4) and, beyond the middle, y ((1 - t)^3 - (1 - t)) / 4, t from 0 to 1 between two points
    t = 0.25
    middle = interpolate_displacement(np.array([[0.0, 8.0, 0.0]]), [9])[0]
    assert middle[[0, 1, 4, 8]] == pytest.approx([0, 8 * (t - (t**3 - t) / 2), 8, 0])
    first = interpolate_displacement(np.array([[8.0, 0.0, 0.0]]), [9])[0]
    beyond = 8 * ((1 - t) ** 3 - (1 - t)) / 4
    assert first[[0, 1, 4, 5, 8]] == pytest.approx([8, 8 * (1 - t + (t**3 - t) / 4), 0, beyond, 0])


def test_in_2d_the_splines_of_both_axes_multiply():
    # the centre alone is displaced, by 8: at t on one axis and u on the other 8 c(t) c(u)
    offsets = np.zeros((2, 3, 3))
    offsets[1, 1, 1] = 8
    field = interpolate_displacement(offsets, (9, 5))
    share = {t: t - (t**3 - t) / 2 for t in (0.25, 0.5, 1)}
    expected = [8 * share[0.25] * share[0.5], 8 * share[0.25], 8 * share[0.5], 8]
    assert field[1][[1, 1, 4, 4], [1, 2, 1, 2]] == pytest.approx(expected)
    assert not field[0].any()


def test_offsets_of_a_plane_give_that_plane():
    rows, columns = np.mgrid[:4, :5]
    plane = 2.0 * rows - 3.0 * columns
    field = interpolate_displacement(np.stack([plane, -plane]), (7, 13))
    expected = 2 * np.linspace(0, 3, 7)[:, None] - 3 * np.linspace(0, 4, 13)
    assert np.allclose(field, [expected, -expected])


def test_the_paper_s_grid_and_sigma_are_the_defaults():
    drawn = np.stack([offsets_of(seed) for seed in range(200)])
    assert drawn.shape == (200, 2, 3, 3)
    assert drawn.std() == pytest.approx(10, rel=0.05)  # 3600 draws: 1.2 % of standard error


def test_the_control_points_are_corners_edges_and_centre_of_the_image():
    offsets = offsets_of(0)
    field = interpolate_displacement(offsets, (65, 33))
    assert np.allclose(field[:, ::32, ::16], offsets)


def test_sigma_is_that_of_each_component_at_each_control_point():
    fields = np.stack(
        [interpolate_displacement(offsets_of(s, sigma_px=4.0), (9, 9)) for s in range(600)]
    )
    at_points = fields[:, :, ::4, ::4]
    assert at_points.std(axis=0) == pytest.approx(4.0, rel=0.15)  # standard error 2.9 %
    assert np.abs(at_points.mean(axis=0)).max() < 0.7  # standard error 0.16


@pytest.mark.parametrize("shape", [(512, 512), (40, 56)])
def test_all_nine_points_act_on_the_image(shape):
    # each component of the fields spans 9 dimensions, and the two together 18
    thinned = (slice(None, None, shape[0] // 8), slice(None, None, shape[1] // 8))
    fields = [
        interpolate_displacement(offsets_of(s), shape)[(slice(None), *thinned)] for s in range(40)
    ]
    fields = np.stack(fields).reshape(40, 2, -1)
    for component in (0, 1):
        values = np.linalg.svd(fields[:, component], compute_uv=False)
        assert np.linalg.matrix_rank(fields[:, component]) == 9
        assert values[8] > 0.1 * values[0]
    assert np.linalg.matrix_rank(fields.reshape(40, -1)) == 18


def test_the_points_of_a_volume_are_3_x_3_x_3():
    fields = [
        interpolate_displacement(offsets_of(s, grid=(3, 3, 3)), (9, 11, 7)) for s in range(40)
    ]
    assert np.linalg.matrix_rank(np.stack(fields)[:, 2].reshape(40, -1)) == 27


def test_a_flat_volume_bends_as_its_slice():
    image, offsets = torch.rand(1, 20, 24), offsets_of(0, sigma_px=2.0)
    flat = np.zeros((3, 3, 3, 2))
    flat[:2] = offsets[..., None]
    volume = bent(image[..., None], flat)
    assert torch.allclose(volume[..., 0], bent(image, offsets), atol=1e-6)


def test_a_voxel_is_read_at_its_place_plus_its_displacement():
    image = torch.arange(48.0).reshape(1, 6, 8)
    offsets = np.zeros((2, 3, 3))
    offsets[0], offsets[1] = 2, -1  # all points alike: a shift of the whole
    result = bent(image, offsets, padding_mode="zeros")
    assert torch.allclose(result[:, :4, 1:], image[:, 2:, :-1], atol=1e-4)
    assert result[:, 4:].abs().max() < 1e-4
    assert result[:, :, 0].abs().max() < 1e-4


def test_beyond_the_edge_is_its_mirror_image():
    image = torch.arange(8.0).reshape(1, 8, 1).expand(1, 8, 8)
    offsets = np.zeros((2, 3, 3))
    offsets[0] = -2
    result = bent(image, offsets)
    assert result[0, :4, 3].tolist() == pytest.approx([1, 0, 0, 1], abs=1e-4)


def test_zero_sigma_is_the_identity():
    data = {"image": torch.rand(3, 30, 41), "label": torch.randint(0, 5, (1, 30, 41))}
    bend = RandElasticGridd(
        ["image", "label"], prob=1.0, sigma_px=0, mode=["bilinear", "nearest"]
    ).set_random_state(0)
    result = bend(data)
    assert torch.allclose(result["image"], data["image"], atol=1e-6)
    assert torch.equal(result["label"].long(), data["label"])


@pytest.mark.parametrize("shape", [(40, 30), (20, 24, 18)])
def test_labels_stay_labels_and_move_with_the_image(shape):
    # an image that is its own label: read at the nearest voxel both are the same
    label = torch.randint(0, 4, (1, *shape)) * 50
    bend = RandElasticGridd(
        ["image", "label", "smooth"],
        prob=1.0,
        grid=[3] * len(shape),
        sigma_px=3,
        mode=["nearest", "nearest", "bilinear"],
    ).set_random_state(1)
    result = bend({"image": label.float(), "label": label, "smooth": label.float()})
    assert set(result["label"].unique().tolist()) == {0, 50, 100, 150}
    assert torch.equal(result["image"], result["label"].float())
    assert not torch.equal(result["label"].long(), label)
    assert len(result["smooth"].unique()) > 4


def test_a_seed_gives_the_same_bend_again_and_the_next_is_another():
    image = torch.rand(1, 32, 32)
    first, again = (RandElasticGridd("a", prob=1.0).set_random_state(5) for _ in range(2))
    once = first({"a": image})["a"]
    assert torch.equal(once, again({"a": image})["a"])
    assert not torch.allclose(once, first({"a": image})["a"])


def test_prob_is_how_often_an_item_is_bent():
    bend = RandElasticGridd("a", prob=0.3).set_random_state(0)
    data = {"a": torch.rand(1, 8, 8), "b": 7}
    results = [bend(data) for _ in range(300)]
    share = np.mean([not torch.equal(result["a"], data["a"]) for result in results])
    assert share == pytest.approx(0.3, abs=0.08)  # three standard errors
    assert all(result["b"] == 7 for result in results)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, MetaTensor])
def test_kind_and_shape_are_kept(kind):
    image = kind(np.random.default_rng(0).random((2, 16, 12), np.float32))
    result = RandElasticGrid(prob=1.0).set_random_state(0)(image)
    assert isinstance(result, type(image))
    assert tuple(result.shape) == (2, 16, 12)
    assert str(result.dtype).endswith("float32")


def test_an_axis_of_one_voxel_takes_the_first_point():
    assert interpolate_displacement(np.array([[5.0, 1.0, 2.0]]), [1]).tolist() == [[5.0]]


def test_a_missing_key_is_refused_unless_allowed():
    with pytest.raises(KeyError, match="label"):
        RandElasticGridd("label", prob=1.0)({"image": 1})
    bend = RandElasticGridd("label", prob=1.0, allow_missing_keys=True)
    assert bend({"image": 1}) == {"image": 1}


@pytest.mark.parametrize("kind", [RandElasticGrid, lambda **o: RandElasticGridd("a", **o)])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prob": 1.5}, "prob must be from 0 to 1, got 1.5: pass"),
        ({"grid": [3, 1]}, r"2 or more points along each axis, got \[3, 1\]: the paper"),
        ({"grid": 3}, "along each axis, got 3: the paper has"),
        ({"grid": [3.0, 3]}, r"got \[3.0, 3\]"),
        ({"sigma_px": -1.0}, "finite and not negative, got -1.0: the paper has 10 pixels"),
        ({"sigma_px": math.nan}, "got nan"),
    ],
)
def test_options_out_of_range_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**options)


def test_an_image_with_other_axes_than_the_grid_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 3\) points .* shape \(4, 5, 6\): pass a number"):
        RandElasticGrid(prob=1.0)(torch.zeros(1, 4, 5, 6))
    with pytest.raises(ValueError, match=r"shape \(2, 3, 3\) do not fit .* \(4, 5, 6\): pass one"):
        interpolate_displacement(np.zeros((2, 3, 3)), (4, 5, 6))


def test_entries_of_two_sizes_are_refused():
    data = {"image": torch.zeros(1, 8, 8), "label": torch.zeros(1, 8, 9)}
    with pytest.raises(ValueError, match=r"image \(8, 8\), label \(8, 9\): crop or resample"):
        RandElasticGridd(["image", "label"], prob=1.0)(data)
