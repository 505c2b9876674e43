"""Tests of medseg.report.radiomics: the digital phantom of the IBSI, on its published values."""

import importlib.util

import numpy as np
import pytest

from medseg.geometry import Geometry
from medseg.labels import make_table
from medseg.report import radiomics
from medseg.report.radiomics import measure_radiomics

needs_mirp = pytest.mark.skipif(
    importlib.util.find_spec("mirp") is None, reason="the extra radiomics is not installed"
)

OUT = 9  # outside the region of interest
PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [OUT, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, OUT, OUT], [1, 1, 1, 1, 1], [1, 1, OUT, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, OUT, OUT], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ]
).transpose(2, 1, 0)
"""Arrays of the reference manual are (slice, row, column); voxels have 2 mm."""

IBSI = {
    **{"morph_volume": 556, "morph_vol_approx": 592, "morph_area_mesh": 388, "morph_av": 0.698},
    **{"morph_comp_1": 0.0411, "morph_comp_2": 0.599, "morph_sphericity": 0.843},
    **{"morph_com": 0.672, "morph_diam": 13.1, "morph_pca_maj_axis": 11.4},
    **{"morph_pca_min_axis": 9.31, "morph_pca_least_axis": 8.54, "morph_pca_elongation": 0.816},
    **{"morph_pca_flatness": 0.749, "morph_moran_i": 0.0397, "morph_geary_c": 0.974},
    **{"stat_mean": 2.15, "stat_var": 3.05, "stat_skew": 1.08, "stat_kurt": -0.355},
    **{"stat_median": 1, "stat_min": 1, "stat_p10": 1, "stat_p90": 4, "stat_max": 6},
    **{"stat_iqr": 3, "stat_range": 5, "stat_mad": 1.55, "stat_rmad": 1.11, "stat_medad": 1.15},
    **{"stat_cov": 0.812, "stat_qcod": 0.6, "stat_energy": 567, "stat_rms": 2.77},
}
"""Consensus values of the digital phantom, with the digits that are published."""


@pytest.fixture(scope="module")
def phantom():
    mask = (PHANTOM != OUT).astype(np.uint8)
    geometry = Geometry(mask.shape, np.diag([2.0, 2.0, 2.0, 1.0]))
    found = measure_radiomics(
        mask, geometry, PHANTOM.astype(float), make_table(["a", "b"]), is_ct=True, bin_width=0
    )
    return {one.name: one.features for one in found}


def test_the_phantom_has_the_voxels_and_the_mean_of_the_manual():
    within = PHANTOM[PHANTOM != OUT]
    assert (len(within), round(within.mean(), 2)) == (74, 2.15)


@needs_mirp
@pytest.mark.parametrize("name", IBSI)
def test_a_feature_has_the_consensus_value_of_the_ibsi(phantom, name):
    assert float(f"{phantom['a'][name]:.3g}") == pytest.approx(IBSI[name], abs=1e-9)


@needs_mirp
def test_a_structure_without_voxels_has_no_features(phantom):
    assert phantom["b"] == {}


@needs_mirp
def test_nothing_of_files_or_headers_is_among_the_features(phantom):
    assert {name.split("_")[0] for name in phantom["a"]} == set(radiomics.FAMILIES)
    assert len(phantom["a"]) > 150


@needs_mirp
def test_a_grid_that_is_sheared_and_another_shape_are_refused():
    mask = np.ones((4, 4, 4), np.uint8)
    sheared = np.eye(4)
    sheared[0, 1] = 0.5
    with pytest.raises(ValueError, match="right angles"):
        measure_radiomics(mask, Geometry(mask.shape, sheared), mask, make_table(["a"]))
    with pytest.raises(ValueError, match="give those of one image"):
        measure_radiomics(mask, Geometry(mask.shape, np.eye(4)), mask[1:], make_table(["a"]))


def test_without_the_package_the_remedy_is_the_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    mask = np.ones((4, 4, 4), np.uint8)
    with pytest.raises(ImportError, match=r"pip install 'medseg\[radiomics\]'"):
        measure_radiomics(mask, Geometry(mask.shape, np.eye(4)), mask, make_table(["a"]))
