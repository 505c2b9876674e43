"""Tests of medseg.gateway.results: UIDs are of series and bundle, and wrong objects are found."""

from __future__ import annotations

import pytest
from gateway.made_series import BUNDLE, FakeSegment, encode, make_study
from pydicom import dcmread

from medseg.export.uids import is_valid_uid
from medseg.gateway.failures import HopelessError
from medseg.gateway.results import check_results, list_result_uids, rename

FIRST = make_study()[0]
PLACE = {"study_uid": FIRST.StudyInstanceUID, "series_uid": FIRST.SeriesInstanceUID}
UIDS = list_result_uids(FIRST.SeriesInstanceUID, BUNDLE, ["seg", "sr"])


@pytest.fixture
def made(tmp_path):
    """Paths of the objects of a series, by kind."""
    (tmp_path / "images").mkdir()
    for number, each in enumerate(make_study()):
        (tmp_path / "images" / f"{number}.dcm").write_bytes(encode(each))
    return FakeSegment()(tmp_path / "images", tmp_path)


def test_each_object_of_each_series_and_bundle_has_uids_of_its_own():
    found = [
        uid
        for series in ("1.2", "1.3")
        for bundle in ("liver 1", "liver 2")
        for uids in list_result_uids(series, bundle, ["seg", "sr"]).values()
        for uid in (uids.series, uids.instance)
    ]
    assert len(set(found)) == len(found) == 16
    assert all(map(is_valid_uid, found))


def test_objects_get_their_uids_also_where_one_refers_to_another(made):
    rename(made, UIDS)
    for kind, path in made.items():
        found = dcmread(path)
        assert found.SOPInstanceUID == UIDS[kind].instance
        assert found.file_meta.MediaStorageSOPInstanceUID == UIDS[kind].instance
        assert found.SeriesInstanceUID == UIDS[kind].series
        assert found.StudyInstanceUID == FIRST.StudyInstanceUID
    assert dcmread(made["sr"]).ReferencedSOPInstanceUID == UIDS["seg"].instance
    check_results(made, UIDS, **PLACE)


def test_two_computations_have_the_same_uids(made, tmp_path):
    rename(made, UIDS)
    first = [dcmread(path).SOPInstanceUID for path in made.values()]
    again = FakeSegment()(tmp_path / "images", tmp_path)
    rename(again, UIDS)
    assert [dcmread(path).SOPInstanceUID for path in again.values()] == first


def test_what_does_not_belong_to_its_series_is_not_stored(made):
    with pytest.raises(HopelessError, match="other UIDs"):
        check_results(made, UIDS, **PLACE)
    rename(made, UIDS)
    with pytest.raises(HopelessError, match="of another study"):
        check_results(made, UIDS, **{**PLACE, "study_uid": "1.2.9"})
    with pytest.raises(HopelessError, match="does not refer to the series"):
        check_results(made, UIDS, **{**PLACE, "series_uid": "1.2.9"})
    made["sr"].unlink()
    with pytest.raises(HopelessError, match="has no sr"):
        check_results(made, UIDS, **PLACE)
