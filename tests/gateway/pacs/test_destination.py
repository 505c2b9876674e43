"""Tests of medseg.gateway.pacs.destination: a server gets what it has not, and is asked."""

from __future__ import annotations

import pytest
from gateway.made_series import BUNDLE, FakeSegment, encode, make_study

from medseg.gateway.failures import AttemptError
from medseg.gateway.pacs.destination import ServerDestination
from medseg.gateway.pacs.server import DicomwebServer
from medseg.gateway.results import list_result_uids, rename

FIRST = make_study()[0]
UIDS = list_result_uids(FIRST.SeriesInstanceUID, BUNDLE, ["seg", "sr"])


@pytest.fixture
def destination(settings):
    return ServerDestination(DicomwebServer(settings.server, None))


@pytest.fixture
def paths(tmp_path):
    (tmp_path / "images").mkdir()
    for number, each in enumerate(make_study()):
        (tmp_path / "images" / f"{number}.dcm").write_bytes(encode(each))
    made = FakeSegment()(tmp_path / "images", tmp_path)
    rename(made, UIDS)
    return made


def count_posts(pacs):
    return sum(method == "POST" for method, _ in pacs.asked)


def test_results_are_stored_once(destination, pacs, paths):
    assert not destination.has_all(FIRST.StudyInstanceUID, UIDS)
    for _ in range(2):
        destination.deliver(FIRST.StudyInstanceUID, UIDS, paths)
    assert destination.has_all(FIRST.StudyInstanceUID, UIDS)
    assert set(pacs.stored) == {uid.instance for uid in UIDS.values()}
    assert count_posts(pacs) == 1


def test_only_what_is_missing_is_stored(destination, pacs, paths):
    destination.deliver(FIRST.StudyInstanceUID, UIDS, paths)
    lost = pacs.stored.pop(UIDS["sr"].instance)
    destination.deliver(FIRST.StudyInstanceUID, UIDS, paths)
    assert list(pacs.stored) == [UIDS["seg"].instance, lost.SOPInstanceUID]


def test_a_server_that_only_says_that_it_has_stored_is_not_believed(
    destination, pacs, paths, monkeypatch
):
    monkeypatch.setattr(destination.server, "store", lambda _: None)
    with pytest.raises(AttemptError, match="does not have what it was given: seg, sr"):
        destination.deliver(FIRST.StudyInstanceUID, UIDS, paths)
