"""Tests of medseg.transforms.border_weight: w_c + w_0 exp(-(d_1 + d_2)^2 / (2 sigma^2))."""

import math
import time
import tracemalloc

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import ConcatItemsd

from medseg.transforms import BorderWeight, BorderWeightd, compute_border_weight
from medseg.transforms.border_weight import CUT_OFF


def term(distance_sum, w0=10.0, sigma=5.0):
    return w0 * math.exp(-(distance_sum**2) / (2 * sigma**2))


def close(values):
    return pytest.approx(values, rel=1e-6, abs=1e-6)  # float32


def by_definition(ids, *, w0=10.0, sigma=5.0, spacing=None):
    """Every voxel against every voxel of every object."""
    size = np.array(spacing or [1.0] * ids.ndim)
    weights = np.ones(ids.shape)
    objects = [np.argwhere(ids == value) for value in np.unique(ids[ids > 0])]
    for voxel in np.argwhere(ids == 0) if len(objects) > 1 else []:
        nearest = [np.sqrt((((one - voxel) * size) ** 2).sum(1)).min() for one in objects]
        weights[tuple(voxel)] += term(sum(sorted(nearest)[:2]), w0, sigma)
    return weights


def disks(shape, count, radius, seed=0):
    ids = np.zeros(shape, np.int32)
    grid = np.indices(shape)
    for index in range(1, count + 1):
        centre = np.random.default_rng([seed, index]).integers(0, shape)
        offset = grid - centre.reshape(-1, *[1] * len(shape))
        ids[(offset**2).sum(0) <= radius**2] = index
    return ids


def test_two_voxels_on_a_line_as_on_paper():
    # ids at 1 and 3; d1 + d2 is 1 + 3 at the ends, 1 + 1 between, 2 + 4 one further
    expected = [1 + term(4), 1, 1 + term(2), 1, 1 + term(4), 1 + term(6)]
    assert compute_border_weight(np.array([0, 1, 0, 2, 0, 0])).tolist() == close(expected)


def test_the_paper_s_numbers_are_the_defaults():
    # between two objects one pixel apart: 1 + 10 exp(-2^2 / (2 * 5^2))
    assert compute_border_weight(np.array([1, 0, 2]))[1] == close(1 + 10 * math.exp(-4 / 50))


def test_distances_are_added_not_subtracted():
    # half-way between two objects 20 apart d1 - d2 is 0, which would give the most, w_0
    line = np.zeros(21, int)
    line[[0, 20]] = 1, 2
    assert compute_border_weight(line)[10] == close(1 + term(20))


def test_a_drawing_in_2d_as_on_paper():
    # ids in two corners of a 3 x 2 drawing; the other corners are at 1 and 2, at 1 and sqrt(5)
    drawing = np.array([[1, 0], [0, 0], [2, 0]])
    side, middle = 1 + term(1 + math.sqrt(5)), 1 + term(2 * math.sqrt(2))
    expected = [[1, side], [1 + term(2), middle], [1, side]]
    assert compute_border_weight(drawing).tolist() == [close(row) for row in expected]


def test_a_drawing_in_3d_as_on_paper():
    # ids in opposite corners of a cube: three corners at 1 and sqrt(2), three the other way round
    cube = np.zeros((2, 2, 2), int)
    cube[0, 0, 0], cube[1, 1, 1] = 1, 2
    expected = np.full((2, 2, 2), 1 + term(1 + math.sqrt(2)))
    expected[0, 0, 0] = expected[1, 1, 1] = 1
    np.testing.assert_allclose(compute_border_weight(cube), expected, rtol=1e-6)


def test_the_third_object_does_not_count():
    # voxel 1 is at 1 and 1 of ids 1 and 2, voxel 3 at 1 and 1 of ids 2 and 3
    weights = compute_border_weight(np.array([1, 0, 2, 0, 3]))
    assert weights.tolist() == close([1, 1 + term(2), 1, 1 + term(2), 1])


def test_spacing_measures_in_its_own_unit():
    # 3 along the first axis, 0.5 along the second
    column, row = np.array([[1], [0], [2]]), np.array([[1, 0, 2]])
    assert compute_border_weight(column, spacing=[3, 0.5])[1, 0] == close(1 + term(6))
    assert compute_border_weight(row, spacing=[3, 0.5])[0, 1] == close(1 + term(1))
    scaled = compute_border_weight(column, spacing=[3, 3], sigma=15)
    np.testing.assert_allclose(scaled, compute_border_weight(column), rtol=1e-6)


@pytest.mark.parametrize("ids", [[0, 0, 0], [0, 1, 1], [7, 7, 7], [1, 0, 1]])
def test_fewer_than_two_objects_have_no_border(ids):
    assert compute_border_weight(np.array(ids)).tolist() == [1, 1, 1]


def test_objects_that_touch_have_no_border_inside():
    # ids 1 1 2: the background is at 1 of id 2 and at 2 of id 1
    assert compute_border_weight(np.array([1, 1, 2, 0])).tolist() == close([1, 1, 1, 1 + term(3)])


def test_ids_are_names_whatever_their_size_type_and_order():
    plain = compute_border_weight(np.array([1, 0, 2, 0, 3]))
    for ids, dtype in (([9, 0, 4, 0, 7], np.uint8), ([2**40, 0, 5, 0, 2**50], np.float64)):
        assert np.array_equal(compute_border_weight(np.array(ids, dtype)), plain)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((40, 33), None), ((40, 33), (0.7, 2.0)), ((14, 12, 9), None), ((14, 12, 9), (1.0, 0.5, 3.0))],
)
def test_the_map_is_the_definition_in_any_dimension(shape, spacing, seed):
    ids = disks(shape, count=5, radius=2, seed=seed)
    expected = by_definition(ids, spacing=spacing)
    np.testing.assert_allclose(compute_border_weight(ids, spacing=spacing), expected, rtol=1e-6)


@pytest.mark.parametrize(("w0", "sigma"), [(10.0, 1.0), (1000.0, 2.0), (1e-9, 5.0), (0.0, 5.0)])
def test_what_the_cut_off_leaves_out_is_below_it(w0, sigma):
    ids = disks((60, 60), count=4, radius=2)
    got = compute_border_weight(
        ids, w0=w0, sigma=sigma, class_weights=[0, 0]
    )  # no w_c to round the term
    expected = by_definition(ids, w0=w0, sigma=sigma) - 1
    assert np.abs(got - expected).max() < CUT_OFF + 1e-6 * w0
    assert (got <= expected + 1e-6 * w0).all()


def test_2d_equals_a_one_slice_3d():
    ids = disks((30, 30), count=4, radius=3)
    volume = compute_border_weight(ids[:, :, None], spacing=(1, 1, 5))
    assert np.array_equal(volume[:, :, 0], compute_border_weight(ids))


def test_balanced_weights_are_one_on_average():
    # of 4 voxels 3 are background and 1 is an object: 4 / (2 * 3) and 4 / (2 * 1)
    weights = compute_border_weight(np.array([0, 0, 0, 1]), class_weights="balanced")
    assert weights.tolist() == close([2 / 3, 2 / 3, 2 / 3, 2])
    assert weights.mean() == close(1)


@pytest.mark.parametrize("ids", [[0, 0], [1, 1]])
def test_balanced_weights_of_one_class_alone_are_one(ids):
    assert compute_border_weight(np.array(ids), class_weights="balanced").tolist() == [1, 1]


def test_numbers_as_class_weights_are_of_background_and_objects():
    weights = compute_border_weight(np.array([1, 0, 2]), class_weights=[0.5, 3])
    assert weights.tolist() == close([3, 0.5 + term(2), 3])


def test_components_join_over_corners_and_are_objects():
    # pieces of a mask: the diagonal is one object, the far voxel another
    mask = np.array([[[1, 0, 0, 0], [0, 1, 0, 1]]])
    ids = np.array([[1, 0, 0, 0], [0, 1, 0, 2]])
    assert np.array_equal(BorderWeight(components=True)(mask)[0], compute_border_weight(ids))
    assert BorderWeight()(mask).max() == 1  # as ids it is one object


def test_components_do_not_look_at_the_class():
    mask = np.array([[[1, 2, 0, 3]]])
    ids = np.array([1, 1, 0, 2])
    assert np.array_equal(BorderWeight(components=True)(mask)[0, 0], compute_border_weight(ids))


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, MetaTensor])
def test_the_transform_keeps_kind_and_shape(kind):
    label = kind(np.array([[[1, 0, 2]]], np.int16))
    weights = BorderWeight()(label)
    assert type(weights) is type(label)
    assert str(weights.dtype).endswith("float32")
    assert weights.shape == label.shape
    assert weights[0, 0, 1].item() == close(1 + term(2))


def test_the_transform_passes_its_options_on():
    options = {"w0": 3.0, "sigma": 2.0, "class_weights": "balanced", "spacing": [2.0, 0.5]}
    ids = disks((20, 20), count=4, radius=2)
    expected = compute_border_weight(ids, **options)
    assert np.array_equal(BorderWeight(**options)(ids[None])[0], expected)
    data = BorderWeightd("label", name="w", **options)({"label": ids[None]})
    assert np.array_equal(data["w"][0], expected)
    mask = BorderWeightd("label", components=True)({"label": (ids > 0)[None]})
    assert mask["border_weight"].max() > 1


def test_the_map_keeps_the_affine_and_leaves_the_label_alone():
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0]))
    label = MetaTensor(torch.tensor([[[1, 0, 2]]]), affine=affine, meta={"case": "a"})
    data = {"label": label, "image": 7}
    out = BorderWeightd("label")(data)
    assert torch.equal(out["border_weight"].affine, affine)
    assert out["border_weight"].meta["case"] == "a"
    assert out["label"] is label
    assert label.tolist() == [[[1, 0, 2]]]
    assert out["image"] == 7
    assert set(data) == {"label", "image"}


def test_concatenated_with_the_label_the_weights_are_the_last_channel():
    label = MetaTensor(torch.tensor([[[1, 0, 2]]], dtype=torch.uint8), meta={"case": "a"})
    data = BorderWeightd("label")({"label": label})
    target = ConcatItemsd(["label", "border_weight"], name="label")(data)["label"]
    assert target.dtype == torch.float32
    assert target[0].tolist() == [[1, 0, 2]]
    assert target[1].flatten().tolist() == close([1, 1 + term(2), 1])
    assert target.meta["case"] == "a"


def test_a_missing_key_is_refused_unless_allowed():
    assert BorderWeightd("label", allow_missing_keys=True)({"image": 1}) == {"image": 1}
    with pytest.raises(KeyError, match="label"):
        BorderWeightd("label")({"image": 1})


def test_two_hundred_nuclei_take_neither_long_nor_a_map_for_each():
    ids = disks((512, 512), count=200, radius=10)
    tracemalloc.start()
    started = time.process_time()
    compute_border_weight(ids)
    seconds = time.process_time() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 2
    assert peak < 200 * ids.size  # a byte for each nucleus and pixel


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"w0": -1.0},
            "w0 must be finite and 0 or more, sigma finite and above 0, got -1.0 and 5.0",
        ),
        ({"w0": math.nan}, "got nan and 5.0: the paper has 10 and 5"),
        ({"sigma": 0}, "got 10.0 and 0: the paper"),
        ({"sigma": math.inf}, "got 10.0 and inf"),
        (
            {"class_weights": "equal"},
            "class_weights must be None, 'balanced' or two .* got 'equal'",
        ),
        ({"class_weights": [1.0]}, r"got \[1.0\]: pass for instance"),
        ({"class_weights": [1.0, -2.0]}, r"that are not negative, got \[1.0, -2.0\]"),
        ({"class_weights": [1.0, math.nan]}, r"finite numbers .* got \[1.0, nan\]"),
        ({"spacing": [1.0]}, r"positive number for each of 2 axes, got \[1.0\]: .* \[1.0, 1.0\]"),
        ({"spacing": [1.0, 0.0]}, r"positive number for each of 2 axes, got \[1.0, 0.0\]"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    label = np.array([[1, 0, 2]])
    with pytest.raises(ValueError, match=message) as caught:
        compute_border_weight(label, **options)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=message):
        BorderWeight(**options)(label[None])


@pytest.mark.parametrize("wrong", [-1.0, 0.5, math.nan, math.inf])
@pytest.mark.parametrize("components", [False, True])
def test_what_is_no_id_is_refused(wrong, components):
    with pytest.raises(ValueError, match=f"whole numbers from 0 on, got {wrong}: map them"):
        BorderWeight(components=components)(np.array([[0.0, wrong, 1.0]]))


def test_a_one_hot_label_is_refused():
    with pytest.raises(ValueError, match=r"label of one channel, got shape \(2, 3\): pass ids"):
        BorderWeight()(np.zeros((2, 3)))


def test_several_labels_for_one_name_are_refused():
    with pytest.raises(ValueError, match=r"weights of one label, got keys \('a', 'b'\): use one"):
        BorderWeightd(["a", "b"])


def test_a_text_for_a_flag_is_refused():
    with pytest.raises(TypeError, match="components must be True or False, got 'true'"):
        BorderWeight(components="true")
