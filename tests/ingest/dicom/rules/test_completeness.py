"""Tests of medseg.ingest.dicom.rules.completeness: what the header counts is there, or it is
said."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import make_enhanced, make_series, ramp, write_series
from pydicom import Dataset

from medseg.ingest import Reason, Verdict, find_series, load
from medseg.ingest.dicom.rules.completeness import Counts, describe_missing_images

FRAMES = 3


def concatenation(*, numbers=True, total=True, offsets=True):
    """Twelve slices in four parts of three frames."""
    slices = make_series(ramp((12, 6, 4)), uid="1.2.3")
    parts = [make_enhanced(slices[k : k + FRAMES]) for k in range(0, 12, FRAMES)]
    for k, part in enumerate(parts):
        part.ConcatenationUID = "1.2.9"
        if numbers:
            part.InConcatenationNumber = k + 1
        if total:
            part.InConcatenationTotalNumber = 4
        if offsets:
            part.ConcatenationFrameOffsetNumber = k * FRAMES
    return parts


def verdict_of(slices, folder):
    write_series(folder, slices)
    (series,) = find_series(folder)
    return series


def test_a_whole_concatenation_may_leave_its_numbers_out(tmp_path):
    assert verdict_of(concatenation(numbers=False), tmp_path).verdict is Verdict.ACCEPT


@pytest.mark.parametrize("first", [1, 4])
def test_places_in_a_stack_that_begin_late_are_said(first, tmp_path):
    whole = make_enhanced(make_series(uid="1.2.3"))
    for k, group in enumerate(whole.PerFrameFunctionalGroupsSequence):
        group.FrameContentSequence = [Dataset()]
        group.FrameContentSequence[0].InStackPositionNumber = first + k
    series = verdict_of([whole], tmp_path)
    expected = [] if first == 1 else [Reason.FEWER_IMAGES]
    assert (series.verdict, [code for code, _ in series.notes]) == (Verdict.ACCEPT, expected)
    assert first == 1 or "the first InStackPositionNumber is 4" in series.message


@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize("offsets", [True, False])
def test_a_whole_concatenation_is_one_volume(total, offsets, tmp_path):
    series = verdict_of(concatenation(total=total, offsets=offsets), tmp_path)
    assert series.verdict is Verdict.ACCEPT
    said = "4 parts of a concatenation that does not state how many it has, in series 1.2.3"
    assert [found for _, found in series.notes] == ([] if total else [said])
    expected = ramp((12, 6, 4)).transpose(2, 1, 0) - 1024
    np.testing.assert_array_equal(load(tmp_path)[0], expected)


@pytest.mark.parametrize(
    ("kept", "stated", "words"),
    [
        ((1, 2, 3), {}, "part 1 of 4 of a concatenation missing in series 1.2.3"),
        ((0, 1, 2), {}, "part 4 of 4 of a concatenation missing"),
        ((0, 3), {}, "parts 2, 3 of 4 of a concatenation missing"),
        ((1,), {}, "parts 1, 3, 4 of 4 of a concatenation missing"),
        ((1, 2, 3), {"total": False}, "part 1 of a concatenation missing"),
        ((0, 1, 3), {"total": False}, "part 3 of a concatenation missing"),
        ((2, 3), {"total": False, "offsets": False}, "parts 1, 2 of a concatenation missing"),
        ((1, 2, 3), {"total": False, "numbers": False}, "frames 1 to 3 of a concatenation missing"),
        ((0, 1, 2), {"numbers": False}, "1 of 4 parts of a concatenation missing"),
        ((0,), {"numbers": False}, "3 of 4 parts of a concatenation missing"),
        ((0, 1), {"numbers": False, "offsets": False}, "2 of 4 parts of a concatenation missing"),
        ((0, 3), {"total": False, "numbers": False}, "frames 4 to 9 of a concatenation missing"),
    ],
)
def test_a_part_that_is_missing_is_counted(kept, stated, words, tmp_path):
    parts = concatenation(**stated)
    series = verdict_of([parts[k] for k in kept], tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.MISSING_PARTS)
    assert words in series.message


def _numbers_from_0(parts):
    for k, part in enumerate(parts):
        part.InConcatenationNumber = k


def _offsets_from_1(parts):
    for k, part in enumerate(parts):
        part.ConcatenationFrameOffsetNumber = 1 + k * FRAMES


@pytest.mark.parametrize("change", [_numbers_from_0, _offsets_from_1])
@pytest.mark.parametrize("missing", [None, 0, 2, 3])
def test_counts_that_begin_one_off_are_of_a_whole_where_none_is_missing(change, missing, tmp_path):
    parts = concatenation()
    change(parts)
    if missing is not None:
        del parts[missing]
    series = verdict_of(parts, tmp_path)
    expected = Reason.OK if missing is None else Reason.MISSING_PARTS
    assert series.reason is expected


@pytest.mark.parametrize("kept", [1, 2])
def test_first_parts_whose_total_is_not_stated_are_counted(kept, tmp_path):
    series = verdict_of(concatenation(total=False)[:kept], tmp_path)
    assert series.reason is Reason.FEWER_IMAGES
    assert f"{kept} part" in series.message


@pytest.mark.parametrize(
    ("group", "creator", "element", "vr"),
    [
        (0x0021, "GEMS_RELA_01", 0x4F, "SS"),
        (0x2001, "Philips Imaging DD 001", 0x18, "SL"),
    ],
)
@pytest.mark.parametrize("count", [5, 6])
def test_the_count_of_a_maker_is_compared(group, creator, element, vr, count, tmp_path):
    slices = make_series(uid="1.2.3")
    for s in slices:
        s.private_block(group, creator, create=True).add_new(element, vr, count)
    series = verdict_of(slices, tmp_path)
    assert series.reason is (Reason.FEWER_IMAGES if count > len(slices) else Reason.OK)
    assert series.verdict is Verdict.ACCEPT


def test_resampling_makes_up_no_part(tmp_path):
    write_series(tmp_path, concatenation()[1:])
    (series,) = find_series(tmp_path, resample=True)
    assert series.reason is Reason.MISSING_PARTS


@pytest.mark.parametrize(
    "keyword", ["ImagesInAcquisition", "NumberOfSlices", "NumberOfSeriesRelatedInstances"]
)
def test_a_header_that_counts_more_images_is_said(keyword, tmp_path):
    slices = make_series(uid="1.2.3")
    for s in slices:
        setattr(s, keyword, 7)
    series = verdict_of(slices, tmp_path)
    assert (series.verdict, series.reason) == (Verdict.ACCEPT, Reason.FEWER_IMAGES)
    assert f"{keyword} is 7 and 5 images are there, in series 1.2.3" in series.message


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_count_of_as_many_or_of_less_says_nothing(count, tmp_path):
    slices = make_series()
    for s in slices:
        s.ImagesInAcquisition = count
    assert verdict_of(slices, tmp_path).notes == ()


def test_counts_that_differ_or_are_of_several_acquisitions_say_nothing(tmp_path):
    assert describe_missing_images([Counts(images_in_acquisition=n) for n in (3, 4)]) == ""
    slices = make_series()
    for k, s in enumerate(slices):
        s.ImagesInAcquisition, s.AcquisitionNumber = 7, 1 + k // 3
    assert verdict_of(slices, tmp_path).notes == ()
