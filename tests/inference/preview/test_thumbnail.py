"""Tests of medseg.inference.preview.thumbnail: a small picture shows where the structure is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from medseg.geometry import Geometry
from medseg.inference.preview.thumbnail import PIXELS, draw_thumbnail


def draw(mask, affine, value=0.0):
    image = np.full(mask.shape, value)
    file = draw_thumbnail(image, mask, Geometry(mask.shape, affine), limits=(-1.0, 1.0))
    assert len(file) < 8000
    with Image.open(io.BytesIO(file)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_patients_right_is_on_the_left_whatever_the_axes(sign):
    mask = np.zeros((40, 40, 30), np.uint8)
    mask[30:38, 18:22, 8:12] = 1  # to the right where the first axis points there
    shown = draw(mask, np.diag([sign, 1.0, 1.0, 1.0]))
    columns = np.nonzero(shown.max(axis=-1) - shown.min(axis=-1) > 40)[1]
    assert (columns.mean() < PIXELS / 2) == (sign > 0)


def test_the_longer_side_has_its_length_in_millimetres():
    mask = np.zeros((20, 40, 10), np.uint8)
    assert draw(mask, np.diag([4.0, 1.0, 5.0, 1.0])).shape[:2] == (PIXELS // 2, PIXELS)


def test_a_case_without_a_structure_has_its_middle_slice():
    assert abs(draw(np.zeros((9, 9, 9), np.uint8), np.eye(4)).mean() - 127) < 3


def test_the_slice_with_the_most_labels_can_be_drawn_at_another_size():
    mask = np.zeros((40, 40, 20), np.uint8)
    mask[10:30, 10:30, 2:14] = 1
    mask[5:9, 5:9, 16] = 2
    mask[5:9, 30:34, 16] = 3
    options = {"limits": (-1.0, 1.0), "pixels": 80, "shows_most_labels": True}
    file = draw_thumbnail(np.zeros(mask.shape), mask, Geometry(mask.shape, np.eye(4)), **options)
    with Image.open(io.BytesIO(file)) as picture:
        shown = np.asarray(picture.convert("RGB")).astype(int)
    assert shown.shape[:2] == (80, 80)
    coloured = shown.max(axis=-1) - shown.min(axis=-1) > 40
    assert 0.01 < coloured.mean() < 0.05  # two small structures of 1 % each, and not the large one
