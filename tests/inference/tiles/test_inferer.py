"""Tests of medseg.inference.tiles.inferer."""

import logging
from collections import Counter

import numpy as np
import pytest
import torch
from inference.tiles.small_networks import apply, settled, small
from monai.data import MetaTensor
from monai.inferers import SliceInferer, sliding_window_inference
from torch import nn

from medseg.base.errors import is_documented
from medseg.inference import OverlapTileInferer
from medseg.inference.tiles import sweep
from medseg.inference.tiles.inferer import CancelledError
from medseg.networks import TOPOLOGIES, NestedUNet
from medseg.networks.analysis.receptive_field import measure_receptive_field
from medseg.transforms.classes import make_label_map


class Count(nn.Module):
    """Gives back its input, and keeps the shapes that it was called with."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def forward(self, x):
        self.shapes.append(tuple(x.shape))
        return x


@pytest.mark.parametrize("size", [(20,), (7, 13), (5, 6, 9), (1, 4)])
@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("edge", ["mirror", "network"])
@pytest.mark.parametrize("halo", [0, 1])
def test_every_voxel_is_predicted_once_and_comes_back_to_its_place(size, batch_size, edge, halo):
    image = torch.randn(2, 3, *size)
    inferer = OverlapTileInferer(4, halo=halo, edge=edge, batch_size=batch_size)
    assert torch.equal(inferer(image, Count()), image)


def test_windows_are_no_larger_than_roi_size_and_their_halos_need():
    network = Count()
    apply(network, torch.zeros(1, 1, 8, 12), roi_size=(8, 8), halo=(2, 1))
    assert set(network.shapes) == {(1, 1, 8, 8)}
    assert len(network.shapes) == 4  # 8 / (8 - 4) by 12 / (8 - 2)


def test_the_context_at_the_border_is_the_mirror_image():
    class First(nn.Module):
        def forward(self, x):
            return x.roll(1, -1)  # each voxel takes its left neighbour

    image = torch.arange(6.0).reshape(1, 1, 6)
    answer = apply(First(), image, roi_size=5, halo=1)
    assert answer.flatten().tolist() == [1, 0, 1, 2, 3, 4]  # left of 0 is 1


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("norm", [None, "batch"])
def test_windows_equal_the_whole_image_where_the_halo_covers_the_receptive_field(
    topology, dims, norm
):
    """With the edge left to the network, to the answer for the whole image at once."""
    network = small(dims, topology=topology, norm=norm, pad_input=True)
    network = settled(network, dims) if norm else network
    image = torch.randn(1, 1, *(90, 61, 5)[:dims])
    roi = (64, 64, 64)[:dims]
    tiled = apply(network, image, roi_size=roi, edge="network")
    assert OverlapTileInferer(roi, edge="network").tiling.make_layout(image, network).count > 1
    with torch.no_grad():
        assert torch.allclose(tiled, network(image), atol=1e-5)


def test_windows_cut_along_all_three_axes_equal_the_whole_image():
    network = settled(small(3, norm="batch", pad_input=True), 3)
    image = torch.randn(1, 1, 64, 60, 58)
    inferer = OverlapTileInferer(56, edge="network", batch_size=3)
    axes = inferer.tiling.make_layout(image, network).axes
    assert all(len(axis.spans) > 1 for axis in axes)
    with torch.no_grad():
        assert torch.allclose(inferer(image, network), network(image), atol=1e-5)


@pytest.mark.parametrize("edge", ["network", "mirror"])
def test_windows_equal_the_whole_image_with_kernels_and_strides_of_their_own_per_axis(edge):
    kernels, strides = [(3, 3, 1), (3, 1, 3), 3], [(2, 2, 1), (2, 1, 3)]
    network = small(3, kernel_size=kernels, strides=strides, pad_input=True, norm=None)
    image = torch.randn(1, 1, 72, 30, 21)
    inferer = OverlapTileInferer((56, 32, 32), edge=edge)
    assert inferer.tiling.make_layout(image, network).count > 1
    inner = tuple(slice(h, -h) for h in (24, 12, 6)) if edge == "mirror" else ()
    place = (..., *inner)
    with torch.no_grad():
        assert torch.allclose(inferer(image, network)[place], network(image)[place], atol=1e-5)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("dims", [2, 3])
def test_windows_equal_the_mirrored_whole_image_where_the_halo_covers_the_receptive_field(
    topology, dims
):
    network = small(dims, topology=topology)
    image = torch.randn(1, 1, *(48, 40, 4)[:dims])
    halo = (28, 28, 4)[:dims]
    assert all(
        h >= f
        for h, f in zip(
            halo[:2], measure_receptive_field(network, 1, stride=[4] * dims), strict=False
        )
    )
    pad = [(0, 0), (0, 0), *((h, h) for h in halo)]
    whole = torch.from_numpy(np.pad(image.numpy(), pad, mode="reflect"))
    with torch.no_grad():
        inside = network(whole)[(..., *(slice(h, -h) for h in halo))]
    tiled = apply(network, image, roi_size=(80, 80, 64)[:dims], halo=halo)
    assert (
        OverlapTileInferer((80, 80, 64)[:dims], halo=halo).tiling.make_layout(image, network).count
        > 1
    )
    assert torch.allclose(tiled, inside, atol=1e-5)


def test_an_unpadded_network_with_mirrored_input_equals_the_whole_image_too():
    network = small(2, topology="unet", padding="valid", pad_input=True)
    image = torch.randn(1, 1, 120, 60)
    tiled = apply(network, image, roi_size=108, edge="network")
    with torch.no_grad():
        assert torch.allclose(tiled, network(image), atol=1e-5)


def test_a_halo_below_the_receptive_field_differs_from_the_whole_image():
    network = small(2)
    image = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        tiled = apply(network, image, roi_size=32, halo=4, edge="network")
        assert not torch.allclose(tiled, network(image), atol=1e-6)


def test_instance_norm_makes_the_answer_depend_on_the_windows():
    network = small(2, norm="instance")
    image = torch.randn(1, 1, 96, 96) * torch.linspace(0.1, 3, 96)
    with torch.no_grad():
        tiled = apply(network, image, roi_size=64, edge="network")
        assert (tiled - network(image)).abs().max() > 1e-2


@pytest.mark.parametrize("size", [(21, 18), (12, 15, 9), (3, 40), (16, 8, 8)])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.7])
@pytest.mark.parametrize(("weights", "batch_size"), [("gaussian", 1), ("constant", 3)])
def test_blending_equals_sliding_window_inference_of_monai(size, overlap, weights, batch_size):
    network = small(len(size), norm="instance")
    image = torch.randn(2, 1, *size)
    expected = sliding_window_inference(
        image, [8] * len(size), batch_size, network, overlap=overlap, mode=weights
    )
    answer = apply(
        network,
        image,
        roi_size=8,
        mode="blend",
        overlap=overlap,
        weights=weights,
        batch_size=batch_size,
    )
    assert torch.allclose(answer, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_a_2d_network_goes_over_a_volume_slice_by_slice(axis):
    network = small(2)
    image = torch.randn(1, 1, 12, 16, 8)
    options = {"roi_size": 16, "halo": 0, "edge": "network", "batch_size": 5}
    answer = apply(network, image, slices=axis, **options)
    with torch.no_grad():
        expected = torch.stack(
            [network(plane) for plane in image.unbind(axis % 3 + 2)], axis % 3 + 2
        )
    assert torch.allclose(answer, expected, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_blending_slices_equals_the_slice_inferer_of_monai(axis):
    network = small(2)
    image = torch.randn(1, 1, 12, 16, 8)
    expected = SliceInferer(roi_size=(8, 8), spatial_dim=axis, overlap=0.5)(image, network)
    answer = apply(
        network, image, roi_size=8, mode="blend", weights="constant", overlap=0.5, slices=axis
    )
    assert torch.allclose(answer, expected, atol=1e-5)


def test_slices_go_through_the_network_in_batches():
    network = Count()
    apply(network, torch.zeros(1, 2, 8, 8, 10), roi_size=8, halo=0, slices=2, batch_size=4)
    assert Counter(network.shapes) == {(4, 2, 8, 8): 2, (2, 2, 8, 8): 1}


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_meta_data_stay_with_the_answer(output):
    image = MetaTensor(torch.rand(1, 1, 8, 8), affine=torch.diag(torch.tensor([2.0, 3, 4, 1])))
    answer = apply(nn.Conv2d(1, 2, 1), image, roi_size=8, halo=0, output=output)
    assert isinstance(answer, MetaTensor)
    assert torch.equal(answer.affine, image.affine)
    assert answer.dtype == (torch.float32 if output == "logits" else torch.uint8)


@pytest.mark.parametrize("mode", ["crop", "blend"])
@pytest.mark.parametrize("classes", [{"a": [1]}, {"a": [1], "b": [2]}, {"a": [1, 2], "b": [2]}])
def test_labels_are_those_of_the_logits(mode, classes):
    channels = {"crop": 1, "blend": 1}  # of the image
    torch.manual_seed(0)
    out = len(classes) + (list(classes.values()) == [[1], [2]])
    network = nn.Conv2d(channels[mode], out, 3, padding=1).eval()
    image = torch.randn(2, 1, 20, 30)
    options = {"roi_size": 8, "halo": 1, "mode": mode, "overlap": 0.5, "classes": classes}
    logits = apply(network, image, **options)
    labels = apply(network, image, output="labels", **options)
    regions = list(classes.values()) == [[1, 2], [2]]
    expected = torch.stack([make_label_map(each, regions=regions) for each in logits])
    assert labels.dtype == torch.uint8
    assert torch.equal(labels, expected)
    assert len(labels.unique()) == len(classes) + 1


@pytest.mark.parametrize("mode", ["crop", "blend"])
def test_probabilities_are_written_as_float16_for_the_whole_image(tmp_path, mode):
    network = small(2)
    image = torch.randn(1, 1, 20, 30)
    options = {"roi_size": 16, "halo": 4, "mode": mode}
    path = tmp_path / "a" / "p.npy"
    labels = apply(network, image, output="labels", probabilities=lambda _: path, **options)
    written = np.load(path)
    logits = apply(network, image, **options)[0]
    assert written.dtype == np.float16
    assert np.abs(written - logits.softmax(0).numpy()).max() < 1e-3
    assert torch.equal(labels[0], make_label_map(logits))


def test_a_run_that_fails_leaves_no_probabilities(tmp_path):
    image = torch.zeros(1, 1, 4, 30)
    image[..., -1, -1] = torch.nan
    with pytest.raises(ValueError, match="values of the image in the window around"):
        apply(
            nn.Conv2d(1, 2, 1),
            image,
            roi_size=4,
            halo=0,
            edge="network",
            probabilities=lambda _: tmp_path / "p.npy",
        )
    assert list(tmp_path.iterdir()) == []


def test_windows_without_a_value_above_the_number_are_passed_over():
    network = Count()
    image = torch.zeros(1, 1, 8, 64)
    image[..., 40:44] = 2
    answer = apply(
        network, image, roi_size=8, halo=0, skip=0.5, mode="blend", overlap=0, classes={"a": [1]}
    )
    assert len(network.shapes) == 1
    assert (answer[..., 40:44] == 2).all()
    assert (answer[..., :40] == -1e4).all()


@pytest.mark.parametrize("edge", ["mirror", "network"])
def test_windows_cover_the_box_of_what_is_above_the_number(edge):
    network = Count()
    image = torch.zeros(1, 1, 8, 64)
    image[..., 3:5, 40] = 2
    image[..., 3:5, 50] = 2
    answer = apply(network, image, roi_size=64, halo=2, skip=0.5, edge=edge)
    assert network.shapes == [(1, 1, 6, 15)]  # 2 x 11 and a halo on each side
    assert (answer[..., 3:5, 40] == 2).all()
    assert (answer[..., 3:5, 50] == 2).all()
    assert answer[0, 0, 0, 0] == -1e4


def test_the_box_changes_nothing_within_the_receptive_field_of_what_is_there():
    network = small(2)
    image = torch.zeros(1, 1, 160, 128)
    image[..., 70:90, 60:75] = torch.rand(20, 15) + 0.1
    whole = apply(network, image, roi_size=256, edge="network")
    boxed = apply(network, image, roi_size=256, edge="network", skip=0.0)
    assert torch.allclose(boxed[..., 70:90, 60:75], whole[..., 70:90, 60:75], atol=1e-5)


def test_a_function_says_which_windows_are_passed_over():
    network = Count()
    image = torch.arange(16.0).reshape(1, 1, 16)
    answer = apply(
        network, image, roi_size=4, halo=0, skip=lambda w: float(w.mean()) < 8, output="labels"
    )
    assert len(network.shapes) == 2
    assert answer.flatten().tolist() == [0] * 8 + [1] * 8


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_an_image_of_nothing_is_background(output):
    network = nn.Conv2d(1, 3, 1).eval()
    answer = apply(network, torch.zeros(1, 1, 8, 8), roi_size=8, halo=0, skip=1.0, output=output)
    label = answer if output == "labels" else make_label_map(answer[0])[None]
    if output == "logits":
        answer[..., 0, 0] = 0  # the window that told the number of classes
        label = make_label_map(answer[0, :, 1:, 1:])[None]
    assert not label.any()


def test_flips_give_the_mean_over_their_combinations():
    network = small(2)
    image = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        expected = sum(network(image.flip(dims)).flip(dims) for dims in ([], [2], [3], [2, 3])) / 4
    answer = apply(network, image, roi_size=16, halo=0, edge="network", flips=(0, 1))
    assert torch.allclose(answer, expected, atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"roi_size": 16, "halo": 4},
        {"roi_size": 16, "halo": 4, "edge": "network", "batch_size": 3},
        {"roi_size": 16, "mode": "blend", "overlap": 0.5},
        {"roi_size": 16, "halo": 4, "skip": 0.0},
    ],
    ids=["mirror", "network", "blend", "skip"],
)
@pytest.mark.parametrize("slices", [None, 0])
def test_each_window_is_flipped_whatever_the_windows(options, slices):
    dims = 2 if slices is None else 3
    network = small(2)
    image = torch.zeros(2, 1, *[3, 40, 30][-dims:])
    image[..., 5:30, 7:20] = torch.randn(25, 13)

    def mean(x):
        return sum(network(x.flip(d)).flip(d) for d in ([], [2], [3], [2, 3])) / 4

    expected = apply(mean, image, slices=slices, stride=4, **options)
    answer = apply(network, image, slices=slices, flips=(-2, -1), **options)
    torch.testing.assert_close(answer, expected, atol=1e-6, rtol=0)
    assert not torch.allclose(answer, apply(network, image, slices=slices, **options), atol=1e-3)


def test_flips_of_axes_from_the_end_leave_the_channels_as_they_are():
    network = nn.Conv2d(2, 3, 3, padding=1).eval()
    image = torch.randn(1, 2, 16, 12)
    options = {"roi_size": 16, "halo": 0, "edge": "network"}
    expected = apply(network, image, flips=(0, 1), **options)
    assert torch.equal(apply(network, image, flips=(-1, -2, 1), **options), expected)
    with pytest.raises(
        ValueError, match="flips must be axes of the image, 0 to 1, got 2: leave it"
    ):
        apply(network, image, flips=(2,), **options)


def test_a_level_is_that_of_the_pruned_network():
    network = small(2, deep_supervision=True)
    image = torch.randn(1, 1, 40, 40)
    answer = apply(network, image, roi_size=64, edge="network", level=1)
    with torch.no_grad():
        assert torch.allclose(answer, network.prune(1).eval()(image), atol=1e-6)
        assert not torch.allclose(answer, network(image), atol=1e-3)


def test_a_network_is_pruned_once(monkeypatch):
    network = NestedUNet(2, 1, 2, channels=(4, 4, 8), deep_supervision=True).eval()
    pruned = []
    prune = NestedUNet.prune
    monkeypatch.setattr(NestedUNet, "prune", lambda *a: pruned.append(a) or prune(*a))
    inferer = OverlapTileInferer(16, halo=0, level=1)
    inferer.plan(torch.zeros(1, 1, 16, 16), network)
    for _ in range(2):
        inferer(torch.zeros(1, 1, 16, 16), network)
    assert len(pruned) == 1


@pytest.mark.parametrize("ask", [OverlapTileInferer.__call__, OverlapTileInferer.plan])
def test_an_image_that_is_no_tensor_is_refused(ask):
    with pytest.raises(TypeError, match=r"got ndarray: pass torch.as_tensor\(image\)$"):
        ask(OverlapTileInferer(16, halo=0), np.zeros((1, 1, 16, 16), np.float32), small(2))


@pytest.mark.parametrize(
    ("dims", "shape", "options", "told"),
    [
        (2, (1, 1, 8, 8, 8), {}, "the network is 2D, the windows are 3D: pass slices, the axis"),
        (3, (1, 1, 8, 8), {}, "the network is 3D, the windows are 2D: pass an image of as many"),
        (3, (1, 1, 8, 8, 8), {"slices": 0}, "is 3D, the windows are 2D: pass slices=None"),
        (2, (8, 8), {}, r"images must be \(B, C, \*spatial\), got shape \(8, 8\): add the axes"),
    ],
)
def test_an_image_of_other_axes_than_the_network_is_refused(dims, shape, options, told):
    with pytest.raises(ValueError, match=told):
        apply(small(dims), torch.zeros(shape), roi_size=8, halo=0, **options)


def test_an_array_is_refused():
    with pytest.raises(TypeError, match=r"got ndarray: pass torch.as_tensor\(image\)"):
        apply(small(2), np.zeros((1, 1, 8, 8)), roi_size=8, halo=0)


def test_a_level_is_in_eval():
    network = settled(small(2, deep_supervision=True, norm="batch"), 2)
    image = torch.randn(1, 1, 16, 16)
    answer = apply(network.train(), image, roi_size=16, halo=0, edge="network", level=1)
    with torch.no_grad():
        assert torch.allclose(answer, network.eval().prune(1)(image), atol=1e-6)


@pytest.mark.parametrize("value", [0, 1])
def test_a_box_of_next_to_nothing_has_statistics_to_be_taken_of(value):
    network = small(2, norm="instance")
    image = torch.zeros(1, 1, 32, 32)
    image[..., 31, 31] = value
    answer = apply(network, image, roi_size=32, halo=0, edge="network", skip=0.0)
    assert (answer[:, 1:, :24] == -1e4).all()
    assert (answer[:, 1:, 24:, 24:] > -1e4).all() == bool(value)


def test_a_level_needs_a_network_that_can_be_pruned():
    with pytest.raises(ValueError, match="level 1 needs a network that can be pruned, got Count"):
        apply(Count(), torch.zeros(1, 1, 4), roi_size=4, halo=0, level=1)


def test_the_caller_can_stop_it_with_the_error_that_ends_a_run_of_cases():
    assert CancelledError is sweep.CancelledError
    asked = []
    network = Count()
    with pytest.raises(CancelledError, match="stopped after 2 of 4 windows") as error:
        apply(
            network,
            torch.zeros(1, 1, 16),
            roi_size=4,
            halo=0,
            cancelled=lambda: len(asked) == 2 or asked.append(0),
        )
    assert len(network.shapes) == 2
    assert is_documented(error.value)


@pytest.mark.parametrize(
    ("norm", "warned"), [("instance", True), (("group", {"num_groups": 1}), True), ("batch", False)]
)
def test_windows_unlike_the_training_patch_are_warned_of_where_it_matters(norm, warned, caplog):
    network = small(2, norm=norm)
    inferer = OverlapTileInferer(32, halo=0, patch_size=(16, 16))
    with caplog.at_level(logging.WARNING):
        inferer(torch.rand(1, 1, 32, 32), network)
        inferer(torch.rand(1, 1, 32, 32), network)
    named = [("4 times" in line, "32x32" in line) for line in caplog.messages]
    assert named == [(True, True)] * warned


def test_windows_like_the_training_patch_are_not_warned_of(caplog):
    network = small(2, norm="instance")
    with caplog.at_level(logging.WARNING):
        apply(network, torch.rand(1, 1, 32, 32), roi_size=32, halo=0, patch_size=(32, 24))
    assert not caplog.records


@pytest.mark.parametrize(
    ("options", "shape", "match"),
    [
        ({"roi_size": (4, 4)}, (1, 1, 8), "roi_size must have one entry for each axis .1., got"),
        ({"roi_size": 4, "halo": (1, 1)}, (1, 1, 8), "halo must have one entry for each axis"),
        ({"roi_size": 4, "halo": 2}, (1, 1, 8), "enlarge roi_size to 5 or more"),
        (
            {"roi_size": 6, "mode": "blend", "stride": 4},
            (1, 1, 9),
            r"roi_size must be a multiple of the network's stride \[4\] where windows keep it, got "
            r"6: pass \[8\]",
        ),
        ({"roi_size": 4, "halo": 0}, (1, 1, 0), "the image is empty"),
        (
            {"roi_size": 4, "halo": 0, "slices": 2},
            (1, 1, 8, 8),
            "slices must be an axis of the image",
        ),
    ],
)
def test_an_image_that_does_not_fit_is_refused(options, shape, match):
    with pytest.raises(ValueError, match=match):
        apply(Count(), torch.zeros(shape), **options)


@pytest.mark.parametrize("mode", ["crop", "blend"])
def test_a_value_that_is_no_number_is_not_passed_over(mode):
    image = torch.zeros(1, 1, 64, 8)
    image[..., 0, 0], image[..., 60, 4] = 1, torch.nan
    with pytest.raises(ValueError, match="values of the image in the window around"):
        apply(Count(), image, roi_size=8, halo=0, skip=0.5, mode=mode)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_values_that_are_not_finite_are_refused(bad):
    image = torch.zeros(1, 1, 8, 8)
    image[..., 3, 4] = bad
    with pytest.raises(ValueError, match=r"in the window around \[0:8, 0:8\] are not finite"):
        apply(Count(), image, roi_size=8, halo=0)


def test_a_network_of_another_number_of_channels_is_refused():
    with pytest.raises(ValueError, match="the classes need 3 channels, the network gives 1"):
        apply(Count(), torch.zeros(1, 1, 8), roi_size=8, halo=0, classes={"a": [1], "b": [2]})


def test_a_network_that_loses_voxels_is_refused():
    with pytest.raises(ValueError, match="must give logits of the size of its input"):
        apply(nn.Conv2d(1, 1, 3), torch.zeros(1, 1, 8, 8), roi_size=8, halo=0)


def test_a_network_in_training_that_gives_a_list_is_refused():
    network = small(2, deep_supervision=True).train()
    with pytest.raises(TypeError, match=r"one tensor for an image, got list: call eval\(\)"):
        apply(network, torch.zeros(1, 1, 8, 8), roi_size=8, halo=0)


@pytest.mark.parametrize("mode", ["crop", "blend"])
@pytest.mark.parametrize("size", [(1, 1, 1), (1, 40, 3), (2, 2, 2)])
def test_small_and_thin_volumes_are_predicted(mode, size):
    network = small(3, pad_input=True)
    answer = apply(network, torch.randn(1, 1, *size), roi_size=16, halo=4, mode=mode)
    assert answer.shape == (1, 3, *size)
    assert answer.isfinite().all()


def test_a_halo_that_is_to_be_found_needs_layers():
    with pytest.raises(ValueError, match="halo 'auto' needs the layers of a network"):
        apply(lambda x: x, torch.zeros(1, 1, 8), roi_size=8)


def test_probabilities_of_several_images_are_refused_before_any_window(tmp_path):
    inferer = OverlapTileInferer(4, halo=0, probabilities=lambda _: tmp_path / "p.npy")
    with pytest.raises(ValueError, match="one image at a time, got 2: pass them one by one"):
        inferer(torch.zeros(2, 1, 8), None)
    assert list(tmp_path.iterdir()) == []
