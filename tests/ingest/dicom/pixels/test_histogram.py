"""Tests of medseg.ingest.dicom.pixels.histogram: samples are counted in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from medseg.ingest.dicom.pixels.histogram import MOST_LOOKED_AT, count_samples, take_some_rows


def test_a_bomb_of_one_plane_is_counted_in_little_memory():
    """32 MB of samples; a copy in double precision would take 128."""
    plane = np.full((4000, 4000), 40000, np.uint16)
    tracemalloc.start()
    values, counts = count_samples(plane)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (values.tolist(), counts.tolist()) == ([40000], [16_000_000])
    assert peak < 20e6


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
def test_distinct_samples_ascend_with_their_counts(dtype):
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    values, counts = count_samples(np.array([[most, 5], [least, 5]], dtype))
    assert (values.tolist(), counts.tolist()) == ([least, 5, most], [1, 2, 1])
    assert values.dtype == dtype


def test_a_plane_that_is_no_block_of_memory_is_counted_too():
    values, counts = count_samples(np.arange(16, dtype=np.int16).reshape(4, 4)[:, ::2])
    assert (len(values), counts.sum()) == (8, 8)


def test_rows_stand_for_a_large_plane():
    rows = MOST_LOOKED_AT // 1024
    assert take_some_rows(np.zeros((rows, 1024), np.int16)).shape == (rows, 1024)
    assert take_some_rows(np.zeros((rows + 2, 1024), np.int16)).shape == (rows // 2 + 1, 1024)
