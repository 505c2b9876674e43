"""Tests of medseg.gateway.pacs.listener: an image is acknowledged when it is on the disk."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from gateway.made_series import BUNDLE, encode, make_study
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

pytest.importorskip("pynetdicom")

from pynetdicom import AE

from medseg.gateway.pacs import listener as module
from medseg.gateway.pacs.listener import NO_ROOM, NOT_UNDERSTOOD, TAKEN, ImageListener
from medseg.gateway.settings import Disk, Rule
from medseg.gateway.state import FROM_LISTENER, FROM_SERVER, State, open_state
from medseg.gateway.work_folder import WorkFolder


@pytest.fixture
def make_listener(sent_settings):
    def make(**changes):
        stated = replace(sent_settings, **changes)
        work = WorkFolder(stated.work_dir, stated.disk)
        return ImageListener(stated, work, bundle=BUNDLE)

    return make


@pytest.fixture
def listener(make_listener):
    with (found := make_listener()).listening():
        yield found


def connect(listener, *, calling="SCANNER", called="MEDSEG"):
    entity = AE(ae_title=calling)
    entity.connection_timeout = entity.dimse_timeout = 5
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    stated = listener.settings.listener
    return entity.associate(stated.host, stated.port, ae_title=called)


def send(listener, images):
    association = connect(listener)
    assert association.is_established
    statuses = [association.send_c_store(each).get("Status") for each in images]
    association.release()
    return statuses


def read_jobs(listener):
    with open_state(listener.work.state_file) as state:
        return state.list_jobs()


def list_sent(listener) -> list[Path]:
    return sorted(listener.work.sent(make_study()[0].SeriesInstanceUID).glob("*.dcm"))


def test_images_lie_on_the_disk_as_they_were_sent(listener):
    images = make_study()
    assert send(listener, images) == [TAKEN] * 5
    found = {dcmread(path).SOPInstanceUID for path in list_sent(listener)}
    assert found == {each.SOPInstanceUID for each in images}
    (job,) = read_jobs(listener)
    assert (job.source, job.state) == (FROM_LISTENER, State.FOUND)
    assert all(path.read_bytes()[128:132] == b"DICM" for path in list_sent(listener))


def test_an_image_that_is_sent_twice_is_kept_once(listener):
    images = make_study()
    for each in images:
        each.SOPInstanceUID = f"1.2.3.{each.InstanceNumber}"
        each.file_meta.MediaStorageSOPInstanceUID = each.SOPInstanceUID
    assert send(listener, images) + send(listener, images) == [TAKEN] * 10
    assert len(list_sent(listener)) == 5


def test_one_that_cannot_be_written_is_not_acknowledged(listener, monkeypatch, caplog):
    def refuse(*_, **__):
        raise OSError("the disk fails (No space left on device): make room")

    monkeypatch.setattr(module, "whole", refuse)
    assert send(listener, make_study()[:1]) == [NO_ROOM]
    assert list_sent(listener) == []
    assert "an image was not taken: the disk fails" in caplog.text


def test_where_there_is_no_room_nothing_is_taken(make_listener):
    with (found := make_listener(disk=Disk(min_free_gb=1e9))).listening():
        assert send(found, make_study()[:1]) == [NO_ROOM]
    assert list_sent(found) == []


def test_what_matches_no_rule_is_acknowledged_and_not_kept(make_listener):
    with (found := make_listener(rules=(Rule(("MR",)),))).listening():
        assert send(found, make_study()[:1]) == [TAKEN]
    assert list_sent(found) == []


def test_what_the_server_has_is_not_kept_twice(listener):
    first = make_study()[0]
    with open_state(listener.work.state_file) as state:
        uids = (first.SeriesInstanceUID, first.StudyInstanceUID, BUNDLE)
        state.note(*uids, source=FROM_SERVER, instances=5)
    assert listener.take(encode(first)) == TAKEN
    assert list_sent(listener) == []


def test_an_image_without_uids_is_not_understood(listener):
    image = make_study()[0]
    del image.StudyInstanceUID
    assert listener.take(encode(image)) == NOT_UNDERSTOOD
    assert read_jobs(listener) == []


def test_only_named_senders_who_call_it_by_its_name_are_let_in(listener):
    assert connect(listener, calling="STRANGER").is_rejected
    assert connect(listener, called="OTHER").is_rejected


def test_file_names_say_nothing_of_what_was_sent(listener):
    image = make_study()[0]
    image.SOPInstanceUID = "../../evil"
    listener.take(encode(image))
    (path,) = list_sent(listener)
    assert "evil" not in str(path)
    assert image.SeriesInstanceUID not in str(path)


def test_the_log_has_nothing_of_a_patient(listener, caplog):
    caplog.set_level(logging.DEBUG)
    send(listener, make_study())
    for secret in ("1.2.826", "Secret", "secret", "SCANNER"):
        assert secret not in caplog.text


def test_a_port_that_is_taken_is_one_line(listener, make_listener):
    with (
        pytest.raises(OSError, match="nothing can listen on"),
        make_listener().listening(),
    ):
        pass
