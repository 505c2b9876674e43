"""Tests of medseg.plausibility.lungs: the share of lung tells a chest from an abdomen."""

import numpy as np
import pytest
from plausibility.scans import make_scan

from medseg.plausibility import measure_lung_share
from medseg.plausibility.lungs import measure_lung_profile


@pytest.mark.parametrize(("lungs", "share"), [(0, 0.0), (20, 0.0), (35, 0.0), (40, 256 / 576)])
def test_the_share_of_lung_is_that_of_the_slices_that_show_least(lungs, share):
    assert measure_lung_share(make_scan(lungs)[0]) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("air", [-1000, -940, -850, -700])
def test_air_around_the_body_is_no_lung_whatever_its_value(air):
    hu = make_scan()[0]
    assert measure_lung_share(np.where(hu < -500, air, hu)) == 0


def test_each_slice_has_a_share_of_its_own_and_air_of_the_gut_is_no_lung():
    slices = np.full((12, 12, 4), 40.0)
    slices[3:9, 3:7, 1] = -800  # 24 of 144
    slices[3:9, 3:7, 2] = -990  # as in the gut
    slices[..., 3] = -800  # reaches the border: no body at all
    assert measure_lung_profile(slices) == [0, 24 / 144, 0, 0]


def test_of_a_large_scan_every_second_row_and_column_is_looked_at_or_fewer():
    hu = np.full((128, 128, 1), 40)
    hu[1:-1:2, 2:-2] = -800  # in the other rows
    assert measure_lung_share(hu) == 0
    assert measure_lung_share(hu[:127]) == pytest.approx(63 * 124 / (127 * 128))
