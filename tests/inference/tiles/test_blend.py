"""Tests of medseg.inference.tiles.blend: weighted means of windows, held in a slab."""

import torch

from medseg.inference.tiles.blend import Blender
from medseg.inference.tiles.canvas import LabelCanvas, LogitsCanvas
from medseg.networks.class_guide import ABSENT


class Recorder:
    """A canvas that keeps where it was given what, along the first axis."""

    def __init__(self):
        self.boxes, self.values = [], []

    def put(self, box, logits):
        self.boxes.append((box[0].start, box[0].stop))
        self.values.append(logits.clone())

    def get_result(self):
        return torch.cat(self.values, 2)


def blender(canvas, *, size, weight, axis=0):
    return Blender(canvas, size=size, axis=axis, weight=weight, regions=False)


def add(to, first, values):
    values = torch.as_tensor(values, dtype=torch.float32).reshape(1, 1, -1)
    length = values.shape[-1]
    to.add((slice(first, first + length),), (slice(0, length),), values)


def test_two_windows_give_their_weighted_mean_where_they_overlap():
    blended = blender(Recorder(), size=(6,), weight=torch.tensor([1.0, 3, 3, 1]))
    add(blended, 0, [4, 4, 4, 4])
    add(blended, 2, [8, 8, 8, 8])
    # (3 x 4 + 1 x 8) / 4 and (1 x 4 + 3 x 8) / 4
    assert blended.finish().flatten().tolist() == [4, 4, 5, 7, 8, 8]


def test_a_voxel_is_handed_on_once_and_as_soon_as_no_window_comes_to_it():
    canvas = Recorder()
    blended = blender(canvas, size=(8,), weight=torch.ones(4))
    seen = []
    for first in (0, 2, 4):
        add(blended, first, [first] * 4)
        seen.append(list(canvas.boxes))
    planes = [(n, n + 1) for n in range(8)]
    assert seen == [[], planes[:2], planes[:4]]
    assert blended.finish().flatten().tolist() == [0, 0, 1, 1, 3, 3, 4, 4]
    assert canvas.boxes == planes


def test_what_is_held_is_as_long_as_a_window_however_long_the_image():
    held = []
    for length in (20, 2000):
        blended = blender(Recorder(), size=(length, 5), weight=torch.ones(4, 5))
        for first in range(0, length - 3, 2):
            values = torch.ones(1, 3, 4, 5)
            blended.add((slice(first, first + 4), slice(0, 5)), (slice(0, 4), slice(0, 5)), values)
        held.append((blended._sums.shape, blended._weights.shape))
    assert held == [((4, 1, 3, 5), (4, 5))] * 2


def test_voxels_that_no_window_covers_are_background():
    canvas = LogitsCanvas((12,), regions=False, device=torch.device("cpu"))
    blended = blender(canvas, size=(12,), weight=torch.ones(2))
    for first in (2, 9):  # further apart than a window is long
        blended.add((slice(first, first + 2),), (slice(0, 2),), torch.ones(1, 2, 2))
    answer = blended.finish()
    covered = [2, 3, 9, 10]
    assert (answer[0, :, covered] == 1).all()
    others = [n for n in range(12) if n not in covered]
    assert answer[0, 0, others].tolist() == [0] * 8
    assert answer[0, 1, others].tolist() == [ABSENT] * 8


def test_a_gap_beside_a_window_is_background_too():
    canvas = Recorder()
    blended = Blender(canvas, size=(2, 4), axis=0, weight=torch.ones(2, 2), regions=False)
    blended.add((slice(0, 2), slice(2, 4)), (slice(0, 2), slice(0, 2)), torch.ones(1, 2, 2, 2))
    answer = blended.finish()
    assert answer[0, 0].tolist() == [[0, 0, 1, 1]] * 2
    assert answer[0, 1].tolist() == [[ABSENT, ABSENT, 1, 1]] * 2


def test_small_weights_beside_a_gap_count_in_full():
    blended = Blender(
        Recorder(), size=(2, 4), axis=0, weight=torch.full((2, 2), 1e-6), regions=False
    )
    blended.add((slice(0, 2), slice(2, 4)), (slice(0, 2), slice(0, 2)), torch.ones(1, 2, 2, 2))
    assert blended.finish()[0, 0].tolist() == [[0, 0, 1, 1]] * 2


def test_without_a_window_all_is_background():
    canvas = LabelCanvas((1, 5), regions=False, device=torch.device("cpu"))
    assert blender(canvas, size=(5,), weight=torch.ones(2)).finish().tolist() == [[[0] * 5]]


def test_the_axis_of_the_order_may_be_any():
    generator = torch.Generator().manual_seed(0)
    logits = torch.rand(1, 2, 3, 4, generator=generator)
    weight = torch.rand(3, 4, generator=generator) + 0.1
    answers = []
    for axis in (0, 1):
        size = (3, 4 + 2) if axis else (3 + 2, 4)
        canvas = LogitsCanvas(size, regions=False, device=torch.device("cpu"))
        blended = blender(canvas, size=size, weight=weight, axis=axis)
        for first in (0, 2):
            place = [slice(0, 3), slice(0, 4)]
            place[axis] = slice(first, first + (3, 4)[axis])
            blended.add(tuple(place), (slice(0, 3), slice(0, 4)), logits)
        answers.append(blended.finish())
    assert torch.allclose(answers[0][..., :2, :], logits[..., :2, :])
    assert torch.allclose(answers[1][..., :2], logits[..., :2])
    shared = (weight[2] * logits[..., 2, :] + weight[0] * logits[..., 0, :]) / (
        weight[2] + weight[0]
    )
    assert torch.allclose(answers[0][..., 2, :], shared)


def test_sums_are_float32_whatever_the_network_computes_in():
    blended = blender(Recorder(), size=(2,), weight=torch.ones(2))
    for _ in range(3):
        values = torch.full((1, 1, 2), 1.0078125, dtype=torch.bfloat16)  # 1 + 2 ** -7
        blended.add((slice(0, 2),), (slice(0, 2),), values)
    answer = blended.finish()
    assert answer.dtype == torch.float32
    assert answer.flatten().tolist() == [1.0078125] * 2  # 3.0234375 is no bfloat16
