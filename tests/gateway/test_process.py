"""Tests of medseg.gateway.process: a series is stored once, or it is known why it is not."""

from __future__ import annotations

import errno
import logging
import os
from dataclasses import replace

import pydicom
import pytest
from gateway.made_series import BUNDLE, FakeSegment, encode, make_study

from medseg.gateway.failures import AttemptError, HopelessError, UnavailableError
from medseg.gateway.process import is_hopeless, make_reason
from medseg.gateway.results import list_result_uids
from medseg.gateway.settings import Disk
from medseg.gateway.state import FROM_LISTENER, State


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def expected(processor, job):
    uids = list_result_uids(job.series_uid, job.bundle, processor.settings.outputs)
    return {uid.instance for uid in uids.values()}


def list_files(processor):
    return [p for p in processor.work.root.rglob("*.dcm") if p.is_file()]


def test_a_series_is_stored_and_nothing_of_it_stays_on_the_disk(processor, job, pacs):
    done = processor.process(job)
    assert (done.state, done.reason, done.attempts) == (State.STORED, "", 0)
    assert set(pacs.stored) == expected(processor, job)
    assert list_files(processor) == []


@pytest.mark.parametrize("lost_answer", [False, True])
@pytest.mark.parametrize("moment", ["fetch", "segment", "rename", "deliver", "finish"])
def test_killed_at_any_step_it_is_stored_once(
    processor, job, pacs, moment, lost_answer, monkeypatch
):
    def kill(*_, **__):
        raise Killed

    places = {
        "fetch": (processor.server, "fetch"),
        "segment": (FakeSegment, "__call__"),
        "rename": (processor, "_make_results"),
        "deliver": (processor.destination, "deliver"),
        "finish": (processor, "_finish"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*places[moment], kill)
        with pytest.raises(Killed):
            processor.process(job)
    if lost_answer:
        processor.state.recover()
        processor.work.remove_leftovers(processor.state.list_jobs(State.STORING))
    again = processor.state.find(job.series_uid, job.bundle)
    assert again.state not in (State.STORED, State.DEAD)
    assert processor.process(again).state is State.STORED
    assert set(pacs.stored) == expected(processor, job)
    assert list_files(processor) == []


def test_complete_results_are_not_computed_again(processor, job, pacs):
    pacs.faults["store"] = 500
    waiting = processor.process(job)
    assert (waiting.state, waiting.attempts) == (State.STORING, 1)
    pacs.faults.clear()
    assert processor.process(waiting).state is State.STORED
    assert processor.segment.calls == 1


def test_results_that_a_power_cut_damaged_are_made_again(processor, job, pacs):
    pacs.faults["store"] = 500
    waiting = processor.process(job)
    (processor.work.results(job) / "sr.dcm").write_bytes(b"\0" * 200)
    pacs.faults.clear()
    assert processor.process(waiting).state is State.STORED
    assert processor.segment.calls == 2
    assert set(pacs.stored) == expected(processor, job)


def test_what_the_server_has_already_is_not_made_again(processor, job, pacs):
    processor.process(job)
    pacs.asked.clear()
    done = processor.process(processor.state.change(job, State.FOUND))
    assert (done.state, done.reason) == (State.STORED, "the results were there already")
    assert processor.segment.calls == 1
    assert all(method == "GET" for method, _ in pacs.asked)


@pytest.mark.parametrize("kind", ["fetch", "search"])
@pytest.mark.parametrize("fault", [500, "hang", "text"])
def test_what_fails_is_tried_again_and_given_up_at_last(processor, job, pacs, kind, fault):
    pacs.faults[kind] = fault
    states = []
    for _ in range(3):
        job = processor.process(job)
        states.append(job.state)
    assert states == [State.FAILED, State.FAILED, State.DEAD]
    assert job.attempts == 3
    assert "\n" not in job.reason
    assert list_files(processor) == []


def test_pauses_get_longer_and_have_an_end(make_processor, settings, pacs):
    retry = replace(settings.retry, first_seconds=10, longest_seconds=35, max_attempts=9)
    processor = make_processor(retry=retry)
    first = make_study()[0]
    uids = (first.SeriesInstanceUID, first.StudyInstanceUID, BUNDLE)
    job = processor.state.note(*uids, source="server", instances=5)
    pacs.faults["fetch"] = 500
    pauses = []
    for _ in range(4):
        job = processor.process(job)
        pauses.append(job.next_try - job.updated_at)
    for pause, middle in zip(pauses, (10, 20, 35, 35), strict=True):
        assert 0.75 * middle <= pause <= 1.25 * middle


@pytest.mark.parametrize("fault", [401, 503, "cut"])
@pytest.mark.parametrize("kind", ["search", "fetch", "store"])
def test_a_server_that_is_not_there_costs_no_attempt(processor, job, pacs, kind, fault):
    pacs.faults[kind] = fault
    for _ in range(5):
        with pytest.raises(UnavailableError):
            processor.process(processor.state.find(job.series_uid, job.bundle))
    pacs.faults.clear()
    waiting = processor.state.find(job.series_uid, job.bundle)
    assert (waiting.attempts, waiting.state is State.STORING) == (0, kind == "store")
    assert processor.process(waiting).state is State.STORED
    assert processor.segment.calls == 1


def test_a_full_disk_costs_no_attempt(processor, job, monkeypatch):
    def fill(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(processor.work, "write_images", fill)
        with pytest.raises(UnavailableError, match="No space left on device"):
            processor.process(job)
    waiting = processor.state.find(job.series_uid, job.bundle)
    assert (waiting.attempts, waiting.state) == (0, State.FOUND)
    assert processor.process(waiting).state is State.STORED


def test_no_room_is_noticed_before_anything_is_fetched(make_processor, pacs):
    processor = make_processor(disk=Disk(min_free_gb=1e9))
    first = make_study()[0]
    uids = (first.SeriesInstanceUID, first.StudyInstanceUID, BUNDLE)
    job = processor.state.note(*uids, source="server", instances=5)
    with pytest.raises(UnavailableError, match="min_free_gb"):
        processor.process(job)
    assert list_files(processor) == []


def test_a_series_that_still_grows_is_left_until_it_is_complete(processor, job, pacs):
    pacs.add([*make_study(), *make_study(1)[:1]])
    (images,) = pacs.images.values()
    images[-1].SOPInstanceUID = "1.2.3"
    waiting = processor.process(job)
    assert (waiting.state, waiting.instances) == (State.FOUND, 6)
    assert waiting.changed_at > job.changed_at
    assert processor.segment.calls == 0


def test_a_series_that_comes_by_half_is_tried_again(processor, job, pacs, monkeypatch):
    whole = processor.server.fetch
    monkeypatch.setattr(processor.server, "fetch", lambda *uids: list(whole(*uids))[:3])
    failed = processor.process(job)
    assert (failed.state, failed.reason) == (State.FAILED, "2 of its 5 images did not come")


def test_a_series_that_is_gone_is_tried_again(processor, job, pacs):
    pacs.images.clear()
    assert processor.process(job).reason == "the server has no images of it"


def spoil_rows(file):
    """Damage the header of a file behind its Series Instance UID: Rows of one byte."""
    rows = b"\x28\x00\x10\x00US\x02\x00"
    return file.replace(rows, rows[:-2] + b"\x01\x00")


def test_a_localizer_is_left_out_and_no_dead_letter(processor, job, pacs):
    (images,) = pacs.images.values()
    for image in images:
        image.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    done = processor.process(job)
    assert (done.state, done.reason, done.attempts) == (State.LEFT_OUT, "localizer", 0)
    assert not processor.work.fetched(done).exists()
    assert (
        processor.state.note(
            *(job.series_uid, job.study_uid, job.bundle),
            source=job.source,
            instances=job.instances + 1,
        ).state
        is State.FOUND
    )


@pytest.mark.parametrize("damage", ["gap", "rows"])
def test_a_series_that_cannot_be_right_goes_to_the_dead_letters_at_once(
    processor, job, pacs, damage, monkeypatch
):
    whole = processor.server.fetch
    if damage == "gap":
        (images,) = pacs.images.values()
        images[3].ImagePositionPatient[2] += 40
    else:
        spoilt = lambda *uids: ((uid, spoil_rows(file)) for uid, file in whole(*uids))  # noqa: E731
        monkeypatch.setattr(processor.server, "fetch", spoilt)
    done = processor.process(job)
    assert (done.state, done.attempts) == (State.DEAD, 1)
    assert done.reason
    assert job.series_uid not in done.reason
    assert str(processor.work.root) not in done.reason
    assert pacs.stored == {}
    assert list_files(processor) == []


@pytest.mark.parametrize("patient", ["x" * 65, "a\\b", "a\nb"])
def test_a_result_that_would_lack_its_patient_goes_to_the_dead_letters(
    processor, job, pacs, patient
):
    (images,) = pacs.images.values()
    with pydicom.config.disable_value_validation():
        for image in images:
            image.PatientID = patient
        done = processor.process(job)
    assert (done.state, done.attempts) == (State.DEAD, 1)
    assert done.reason.startswith("PatientID of the images is not allowed in DICOM")
    assert patient not in done.reason
    assert (pacs.stored, processor.segment.calls) == ({}, 0)


@pytest.mark.parametrize("patient", ["x" * 64, "", None])
def test_a_patient_is_stored_as_the_images_have_it(processor, job, pacs, patient, monkeypatch):
    (images,) = pacs.images.values()
    for image in images:
        image.PatientID = patient or ""
        if patient is None:
            del image.PatientID
    assert processor.process(job).state is State.STORED


@pytest.fixture
def write_as(monkeypatch):
    """Let the results have another PatientID than a bundle would give them."""
    plain = FakeSegment.__call__

    def set_patient(patient):
        def exchange(self, folder, out):
            made = plain(self, folder, out)
            for path in made.values():
                found = pydicom.dcmread(path)
                found.PatientID = patient
                found.save_as(path)
            return made

        monkeypatch.setattr(FakeSegment, "__call__", exchange)

    return set_patient


def test_a_result_of_another_patient_is_not_stored(processor, job, pacs, write_as):
    write_as("another")
    done = processor.process(job)
    assert (done.state, pacs.stored) == (State.DEAD, {})
    assert "another PatientID" in done.reason


@pytest.mark.parametrize(
    ("written", "state"), [("  0017", "STORED"), ("  0017  ", "STORED"), ("0017", "DEAD")]
)
def test_blanks_before_a_patient_count_and_padding_at_its_end_does_not(
    processor, job, pacs, write_as, written, state
):
    (images,) = pacs.images.values()
    for image in images:
        image.PatientID = "  0017 "
    write_as(written)
    assert processor.process(job).state is State[state]


@pytest.mark.parametrize("empty", [0, 3])
@pytest.mark.parametrize(("written", "state"), [("4711", "STORED"), ("", "DEAD")])
def test_the_patient_of_some_images_is_that_of_all(
    processor, job, pacs, write_as, empty, written, state
):
    (images,) = pacs.images.values()
    for image in images:
        image.PatientID = "4711"
    images[empty].PatientID = ""
    write_as(written)
    assert processor.process(job).state is State[state]


@pytest.mark.parametrize(
    ("patient", "reason"), [(" 4711", "the images state 2 PatientIDs"), ("x" * 65, "not allowed")]
)
def test_images_of_which_one_has_another_patient_go_to_the_dead_letters(
    processor, job, pacs, write_as, patient, reason
):
    (images,) = pacs.images.values()
    with pydicom.config.disable_value_validation():
        for image in images:
            image.PatientID = "4711"
        images[3].PatientID = patient
        write_as("4711")
        done = processor.process(job)
    assert (done.state, pacs.stored) == (State.DEAD, {})
    assert reason in done.reason
    assert "4711" not in done.reason


def test_an_error_that_nobody_thought_of_costs_only_its_series(processor, job):
    processor.segment.fails = ZeroDivisionError("1.2.840.10008.5.1 by zero")
    done = processor.process(job)
    assert (done.state, done.reason) == (State.FAILED, "ZeroDivisionError: [UID] by zero")


def test_the_log_names_series_by_number_alone(processor, job, pacs, caplog):
    caplog.set_level(logging.DEBUG)
    pacs.faults["fetch"] = 500
    processor.process(job)
    pacs.faults.clear()
    processor.process(job)
    assert f"series {job.number}: stored" in caplog.text
    assert "(attempt 1 of 3 failed)" in caplog.text
    for secret in (job.series_uid, job.study_uid, "secret", "Secret"):
        assert secret not in caplog.text


def test_a_refusal_of_medseg_is_hopeless_and_a_lack_of_memory_is_not():
    def catch(error):
        try:
            raise error
        except type(error) as caught:
            return caught

    assert is_hopeless(catch(HopelessError("no")))
    assert not is_hopeless(catch(AttemptError("no")))
    assert not is_hopeless(MemoryError())
    assert not is_hopeless(catch(ValueError("of another package")))


def test_a_reason_has_neither_folders_nor_uids(tmp_path):
    error = HopelessError(f"image_00001.dcm of {tmp_path}/fetched/3 (1.2.840.1.5) is damaged")
    with pytest.raises(HopelessError) as raised:
        raise error
    assert make_reason(raised.value, tmp_path) == "image_00001.dcm of 3 ([UID]) is damaged"


def test_a_reason_names_the_line_of_the_settings_that_mends_it(tmp_path):
    with pytest.raises(HopelessError) as raised:
        raise HopelessError("slices are missing: pass --resample True to interpolate")
    reason = make_reason(raised.value, tmp_path)
    assert reason == "slices are missing: pass resample = true in [keys] to interpolate"


def test_images_reach_the_segmentation_byte_for_byte(processor, job, pacs, monkeypatch):
    seen = []
    inner = FakeSegment.__call__

    def look(self, folder, out):
        seen.extend(path.read_bytes() for path in sorted(folder.iterdir()))
        return inner(self, folder, out)

    monkeypatch.setattr(FakeSegment, "__call__", look)
    processor.process(job)
    (images,) = pacs.images.values()
    assert seen == [encode(each) for each in images]


@pytest.fixture
def sent_job(processor):
    """The series, as it was sent and not fetched."""
    images = make_study()
    first = images[0]
    folder = processor.work.sent(first.SeriesInstanceUID)
    folder.mkdir(parents=True)
    for each in images:
        (folder / f"{each.InstanceNumber}.dcm").write_bytes(encode(each))
    uids = (first.SeriesInstanceUID, first.StudyInstanceUID, processor.segment.made_by)
    return processor.state.note(*uids, source=FROM_LISTENER, instances=len(images))


def test_what_was_sent_is_stored_and_then_removed(processor, sent_job, pacs):
    pacs.images.clear()
    assert processor.process(sent_job).state is State.STORED
    assert set(pacs.stored) == expected(processor, sent_job)
    assert list_files(processor) == []


def test_what_was_sent_stays_until_it_is_stored(processor, sent_job, pacs):
    pacs.faults["store"] = 500
    processor.process(sent_job)
    processor.segment.fails = HopelessError("no")
    processor.state.change(sent_job, State.FOUND)
    dead = processor.process(processor.state.find(sent_job.series_uid, sent_job.bundle))
    assert dead.state is State.DEAD
    assert len(list(processor.work.sent(sent_job.series_uid).iterdir())) == 5


def test_images_that_are_sent_during_the_segmentation_are_not_left_out(
    processor, sent_job, pacs, monkeypatch
):
    inner, late = FakeSegment.__call__, processor.work.sent(sent_job.series_uid) / "late.dcm"

    def segment(self, folder, out):
        late.write_bytes(b"one more")
        return inner(self, folder, out)

    monkeypatch.setattr(FakeSegment, "__call__", segment)
    assert processor.process(sent_job).state is State.FOUND
    assert pacs.stored == {}
    assert late.exists()


def test_lost_results_of_a_bundle_that_is_not_loaded_are_given_up(processor, job, pacs):
    waiting = processor.state.change(job, State.STORING)
    processor.segment.made_by = "thresholds 0.2.0"
    done = processor.process(waiting)
    assert (done.state, pacs.stored) == (State.DEAD, {})
    assert done.reason == "its results were lost, and thresholds 0.1.0 is not loaded"
