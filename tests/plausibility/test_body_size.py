"""Tests of medseg.plausibility.body_size: the body in a CT is as large as a patient's."""

import numpy as np
import pytest

from medseg.ingest import load
from medseg.plausibility import describe_edge_doubts, judge_body, measure_body


def trunk(air=True):
    """(64, 48, 4): a body of 50 x 30 voxels with air around it, or the same in the whole image."""
    hu = np.full((64, 48, 4), -1000.0)
    hu[7:57, 9:39] = 40
    return hu if air else hu[7:57, 8:40]


def judged(edge, *, hu=None, is_trunk=True):
    body = measure_body(trunk() if hu is None else hu, [edge, edge, 5.0])
    return judge_body(body, is_trunk=is_trunk)


def test_the_body_is_measured_without_what_surrounds_it():
    """50 x 30 voxels of 6 mm; the bed below it is another piece."""
    hu = trunk()
    hu[:, 44:46] = 0
    assert measure_body(hu, [6.0, 6.0, 5.0]) == (300.0, 540.0, True)
    assert not measure_body(trunk(air=False), [6.0, 6.0, 5.0]).is_whole
    assert measure_body(hu[:20], [6.0, 6.0, 5.0]) is None
    assert measure_body(np.full((40, 40, 2), -1000.0), [1.0, 1.0, 1.0]) == (0.0, 0.0, True)


@pytest.mark.parametrize(
    ("edge", "why"),
    [(18, "900 mm wide, more than 800 mm"), (0.6, "30 mm wide, less than 50 mm")],
)
def test_a_body_three_times_as_large_or_a_tenth_is_of_no_patient(edge, why):
    assert why in judged(edge)[0]


@pytest.mark.parametrize("edge", [14, 1.6])
def test_a_body_twice_as_large_or_a_quarter_is_doubted(edge):
    why, doubt = judged(edge)
    assert why is None
    assert "sizes may be stated wrongly" in doubt


@pytest.mark.parametrize("edge", [2.4, 6, 11])
def test_a_child_and_a_large_patient_pass(edge):
    """120, 300 and 550 mm wide."""
    assert judged(edge) == (None, None)


def test_a_small_body_is_doubted_only_where_a_trunk_is_seen_from_outside():
    assert judged(0.6, hu=trunk(air=False)) == (None, None)
    assert judged(0.6, is_trunk=False) == (None, None)
    assert judged(18, hu=trunk(air=False))[0]  # a part is no larger than the whole


@pytest.mark.parametrize(
    ("edges", "is_trunk", "is_doubted"),
    [
        ((0.7, 0.7, 5), True, False),
        ((6, 6, 6), True, False),
        ((9, 9, 3), True, True),
        ((0.3, 0.3, 0.3), True, True),
        ((0.2, 0.2, 0.2), False, False),
        ((5, 0.7, 0.7), True, False),
    ],
)
def test_voxels_finer_or_coarser_than_scans_have_are_doubted(edges, is_trunk, is_doubted):
    assert bool(describe_edge_doubts(edges, is_trunk=is_trunk)) == is_doubted


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name",
    [
        "liver_ct/ircad_01/image.nii.gz",
        "ct_small/example_ct_sm.nii.gz",
        "lidc/LIDC-IDRI-0314",
        "dicom/dicom_pydicom_misc/CT_small.dcm",
    ],
)
def test_real_scans_have_the_size_of_a_patient_and_no_other(name, data_root):
    hu, grid = load(data_root / name)
    edges = np.array(grid.spacing_mm)
    assert judge_body(measure_body(hu, edges), is_trunk=True) == (None, None)
    assert describe_edge_doubts(edges, is_trunk=True) is None
    if hu.shape[2] > 1:
        assert judge_body(measure_body(hu, 3 * edges), is_trunk=True)[0]
        assert judge_body(measure_body(hu, edges / 10), is_trunk=True)[0]
