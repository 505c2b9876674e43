"""Tests of medseg.inference.tiles.windows: where windows lie, and what a network sees in them."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from monai.data.utils import dense_patch_slices

from medseg.inference.tiles.windows import (
    Axis,
    Layout,
    Span,
    Window,
    blend_axis,
    crop_axis,
    crop_whole_windows,
    fetch,
)


def round_up(value, step):
    return -(-value // step) * step


def drawn(edge, *, number):
    """Axes of random sizes, windows, halos and steps, each with what it was made from."""
    generator = np.random.default_rng(0)
    for _ in range(number):
        step = int(generator.choice([1, 2, 4, 8, 16]))
        size, halo = int(generator.integers(1, 400)), int(generator.integers(0, 40))
        window = 2 * round_up(halo, step) + step + int(generator.integers(0, 100))
        axis = crop_axis(size, window=window, halo=halo, step=step, edge=edge)
        yield axis, size, window, halo, step


@pytest.mark.parametrize("edge", ["mirror", "network"])
def test_every_voxel_of_an_axis_is_given_once_and_in_order(edge):
    for axis, size, *_ in drawn(edge, number=500):
        given = [n for span in axis.spans for n in range(span.first, span.stop)]
        assert given == list(range(size))


@pytest.mark.parametrize("edge", ["mirror", "network"])
def test_a_voxel_is_given_with_a_halo_around_it_save_at_the_edge_of_the_network(edge):
    several = 0
    for axis, size, _, halo, _ in drawn(edge, number=500):
        several += len(axis.spans) > 1
        for span in axis.spans:
            if edge == "mirror" or span.first > 0:
                assert span.first - span.start >= halo
            if edge == "mirror" or span.stop < size:
                assert span.start + axis.size - span.stop >= halo
    assert several > 100


@pytest.mark.parametrize("edge", ["mirror", "network"])
def test_windows_are_whole_steps_long_and_apart_and_no_larger_than_asked(edge):
    for axis, _, window, _, step in drawn(edge, number=500):
        assert axis.size <= window
        assert axis.size % step == 0
        assert all((b.start - a.start) % step == 0 for a, b in pairwise(axis.spans))


@pytest.mark.parametrize("edge", ["mirror", "network"])
def test_windows_are_the_fewest_and_the_smallest_of_their_number(edge):
    for axis, size, window, halo, step in drawn(edge, number=500):
        around = round_up(halo, step)
        whole = round_up(size + 2 * around * (edge == "mirror"), step)
        largest, count = window // step * step, len(axis.spans)
        if count == 1:
            assert axis.size == whole <= largest
            continue
        assert (count - 1) * (largest - 2 * around) + 2 * around < whole  # one less is too few
        assert count * (axis.size - step - 2 * around) + 2 * around < whole  # a step less, too


def test_a_line_of_100_voxels_is_cut_in_the_middle_of_what_two_windows_share():
    axis = crop_axis(100, window=64, halo=8, step=4, edge="network")
    # 100 - 16 voxels in two halves of 42, up to 44, and a halo on each side
    assert axis.size == 60
    assert axis.spans == (Span(0, 0, 50), Span(40, 50, 100))


def test_a_mirrored_line_has_its_halo_outside_the_image():
    axis = crop_axis(10, window=8, halo=1, step=1, edge="mirror")
    assert axis == Axis(7, (Span(-1, 0, 5), Span(4, 5, 10)))


def test_windows_without_a_voxel_between_their_halos_are_refused():
    assert len(crop_axis(100, window=20, halo=8, step=4, edge="network").spans) == 21
    with pytest.raises(ValueError, match=r"a window of 19 voxels.* enlarge roi_size to 20 or more"):
        crop_axis(100, window=19, halo=8, step=4, edge="network")


@pytest.mark.parametrize("halo", [0, 2, 5])
@pytest.mark.parametrize("size", [7, 16, 17, 50, 101])
def test_whole_windows_give_each_voxel_once_with_a_halo_around_it(size, halo):
    axis = crop_whole_windows(size, window=16, halo=halo)
    assert axis.size == 16
    given = [place for span in axis.spans for place in range(span.first, span.stop)]
    assert given == list(range(size))
    for near, far in pairwise(axis.spans):
        assert near.start + 16 - near.stop >= halo
        assert far.first - far.start >= halo
    assert len(axis.spans) == max(math.ceil((size - 2 * halo) / (16 - 2 * halo)), 1)


def test_an_image_smaller_than_a_whole_window_is_in_its_middle():
    assert crop_whole_windows(10, window=16, halo=4).spans == (Span(start=-3, first=0, stop=10),)


def test_whole_windows_without_a_voxel_between_their_halos_are_refused():
    assert len(crop_whole_windows(100, window=17, halo=8).spans) == 84
    with pytest.raises(ValueError, match="enlarge roi_size to 17 or more"):
        crop_whole_windows(100, window=16, halo=8)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.6, 0.99])
def test_blended_windows_lie_where_monai_puts_them(overlap):
    generator = np.random.default_rng(0)
    for _ in range(100):
        window = int(generator.integers(1, 40))
        size = window + int(generator.integers(0, 100))
        interval = window if size == window else max(int(window * (1 - overlap)), 1)
        expected = [place.start for (place,) in dense_patch_slices((size,), (window,), (interval,))]
        spans = blend_axis(size, window=window, overlap=overlap).spans
        assert [span.start for span in spans] == expected
        assert all((span.first, span.stop) == (span.start, span.start + window) for span in spans)


@pytest.mark.parametrize(("size", "start"), [(3, -2), (4, -1), (7, 0), (1, -3)])
def test_an_image_smaller_than_a_blended_window_is_in_its_middle(size, start):
    assert blend_axis(size, window=max(7, size), overlap=0.5).spans == (Span(start, 0, size),)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 20])
@pytest.mark.parametrize(("before", "after"), [(1, 1), (4, 0), (3, 9), (30, 30)])
def test_a_mirrored_window_equals_numpy_however_short_the_image(size, before, after):
    image = torch.randn(2, 3, size)
    axis = Axis(before + size + after, (Span(-before, 0, size),))
    window = Window(axis.spans)
    seen = fetch(image, window, Layout((axis,), fill="mirror"))
    expected = np.pad(image.numpy(), [(0, 0), (0, 0), (before, after)], mode="reflect")
    assert np.array_equal(seen.numpy(), expected)


@pytest.mark.parametrize(("fill", "mode"), [("edge", "edge"), ("zero", "constant")])
def test_a_window_over_two_edges_equals_numpy(fill, mode):
    image = torch.randn(1, 1, 4, 5)
    axes = (Axis(6, (Span(-2, 0, 4),)), Axis(7, (Span(0, 0, 5),)))
    seen = fetch(image, Window((axes[0].spans[0], axes[1].spans[0])), Layout(axes, fill=fill))
    expected = np.pad(image.numpy(), [(0, 0), (0, 0), (2, 0), (0, 2)], mode=mode)
    assert np.array_equal(seen.numpy(), expected)


def test_a_window_inside_is_a_view():
    image = torch.zeros(1, 1, 8, 8)
    axis = Axis(4, (Span(2, 2, 6),))
    layout = Layout((axis, axis), fill="mirror")
    fetch(image, layout.list_windows()[0], layout).fill_(1)
    assert image.sum() == 16


def test_windows_come_in_order_along_the_axis_of_most_windows():
    axes = [blend_axis(n, window=4, overlap=0.5) for n in (4, 20, 8)]
    layout = Layout(tuple(axes), fill="zero")
    assert layout.slowest == 1
    assert layout.count == 1 * 9 * 3 == len(layout.list_windows())
    starts = [window.spans[1].start for window in layout.list_windows()]
    assert starts == sorted(starts)
    places = {tuple(span.start for span in window.spans) for window in layout.list_windows()}
    assert places == {(0, i, k) for i in range(0, 17, 2) for k in (0, 2, 4)}


def test_what_a_window_gives_is_told_from_the_image_and_from_its_own_start():
    window = Window((Span(-1, 0, 5), Span(4, 5, 10)))
    assert window.given == (slice(0, 5), slice(5, 10))
    assert window.inner == (slice(1, 6), slice(1, 6))


def test_windows_that_are_moved_give_other_voxels_of_the_same_size():
    assert Axis(7, (Span(-1, 0, 5),)).shift(3) == Axis(7, (Span(2, 3, 8),))


@pytest.mark.parametrize(
    ("size", "window", "starts"),
    [
        (11, 4, [0, 2, 4, 5, 7]),
        (8, 8, [0]),
        (16, 8, [0, 4, 8]),
        (17, 8, [0, 3, 6, 9]),
        (3, 1, [0, 1, 2]),
    ],
)
def test_even_windows_overlap_alike_and_reach_both_ends(size, window, starts):
    axis = blend_axis(size, window=window, overlap=0.5, even=True)
    assert [span.start for span in axis.spans] == starts


def test_an_image_smaller_than_an_even_window_lies_in_its_middle():
    assert blend_axis(5, window=8, overlap=0.5, even=True).spans == (Span(-1, 0, 5),)
