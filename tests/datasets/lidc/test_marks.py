"""Tests of medseg.datasets.lidc.marks."""

import numpy as np
import pytest

from medseg.datasets.lidc.annotations_xml import Contour, Kind, Mark
from medseg.datasets.lidc.marks import Stack, locate_marks, summarize
from medseg.geometry import Geometry

_SQUARE = ((1, 1), (4, 1), (4, 4), (1, 4))  # encloses 2 x 2 pixels
_STACK = Stack(Geometry((8, 9, 4), np.diag([-1.0, -1.0, 2.0, 1.0])), {"a": 1, "b": 3})  # z 0 to 6


def _mark(*contours, kind=Kind.NODULE, off_scale=()):
    return Mark(2, "7", kind, (), tuple(off_scale), tuple(contours))


def _contour(points=_SQUARE, *, uid="", z=None, inclusion=True):
    return Contour(tuple(points), uid, z, inclusion)


def _voxels(*contours):
    regions, faults = locate_marks([_mark(*contours)], _STACK)
    assert not faults
    (region,) = regions
    return set(
        zip(*map(np.ndarray.tolist, np.unravel_index(region.voxels, (8, 9, 4))), strict=True)
    )


def test_a_contour_is_in_the_slice_of_its_uid_whatever_its_z():
    assert _voxels(_contour(uid="b", z=0.0)) == {(x, y, 3) for x in (2, 3) for y in (2, 3)}


@pytest.mark.parametrize("uid", ["", "unknown"])
@pytest.mark.parametrize("z", [4.0, 3.5, 4.5])
def test_a_contour_without_a_known_uid_is_in_the_slice_at_its_z(uid, z):
    assert {k for _, _, k in _voxels(_contour(uid=uid, z=z))} == {2}


@pytest.mark.parametrize("contour", [_contour(z=3.4), _contour(z=9.0), _contour(uid="c")])
def test_a_contour_of_no_slice_is_left_out(contour):
    regions, faults = locate_marks([_mark(contour, _contour(uid="a"))], _STACK)
    assert regions[0].voxels.size == 4
    assert [fault.code for fault in faults] == ["unknown-slice"]


def test_exclusions_cut_holes_and_their_outline_stays():
    outer = ((0, 0), (7, 0), (7, 7), (0, 7))
    hole = ((2, 3), (3, 2), (4, 3), (3, 4))
    found = _voxels(_contour(outer, uid="a"), _contour(hole, uid="a", inclusion=False))
    assert found == {(x, y, 1) for x in range(1, 7) for y in range(1, 7)} - {(3, 3, 1)}


def test_an_exclusion_cuts_its_own_slice_only_and_before_or_after_makes_no_difference():
    hole = _contour(((1, 2), (2, 1), (3, 2), (2, 3)), uid="a", inclusion=False)
    one = _voxels(hole, _contour(uid="a"), _contour(uid="b"))
    assert one == _voxels(_contour(uid="b"), _contour(uid="a"), hole)
    assert len(one) == 7


def test_inclusions_of_a_slice_add_up_where_they_touch_and_overlap():
    beside = ((3, 1), (6, 1), (6, 4), (3, 4))
    found = _voxels(_contour(uid="a"), _contour(beside, uid="a"))
    assert found == {(x, y, 1) for x in (2, 3, 4, 5) for y in (2, 3)}


@pytest.mark.parametrize("point", [(-1, 2), (8, 2), (2, -1), (2, 9), (10**30, 2)])
def test_a_contour_with_a_point_outside_the_image_is_left_out(point):
    regions, faults = locate_marks([_mark(_contour((*_SQUARE, point), uid="a"))], _STACK)
    assert not regions
    assert [fault.code for fault in faults] == ["outside-image", "empty-mark"]


@pytest.mark.parametrize("points", [(), ((2, 2),), ((2, 2), (5, 2)), ((2, 2), (3, 2), (3, 3))])
def test_an_outline_around_nothing_is_reported_and_the_rest_goes_on(points):
    regions, faults = locate_marks([_mark(_contour(points, uid="a"), _contour(uid="b"))], _STACK)
    assert regions[0].voxels.size == 4
    assert [fault.code for fault in faults] == ["zero-area"]


@pytest.mark.parametrize("kind", [Kind.SMALL, Kind.NON_NODULE])
def test_a_point_is_the_voxel_it_is_in(kind):
    regions, faults = locate_marks([_mark(_contour(((5, 6),), z=6.0), kind=kind)], _STACK)
    assert not faults
    assert regions[0].voxels.tolist() == [np.ravel_multi_index((5, 6, 3), (8, 9, 4))]


def test_faults_are_summed_up_by_code_with_number_and_first_place():
    marks = [_mark(_contour(z=99.0), _contour(z=98.0), off_scale=[("margin", 9)])]
    _, faults = locate_marks(marks, _STACK)
    assert summarize(faults) == [
        ("empty-mark", "1 x, first: nodule 7 of reader 2"),
        ("off-scale", "1 x, first: nodule 7 of reader 2, margin 9"),
        ("unknown-slice", "2 x, first: nodule 7 of reader 2, z 99.0 mm"),
    ]
