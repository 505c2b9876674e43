"""Tests of medseg.gateway.gateway: it goes on whatever happens, and is alone in its folder."""

from __future__ import annotations

import errno
import logging
import os
from dataclasses import replace

import pytest
from gateway.made_series import FakeSegment, make_study

from medseg.gateway import gateway as module
from medseg.gateway.failures import UnavailableError
from medseg.gateway.gateway import Gateway, open_gateway
from medseg.gateway.settings import Server
from medseg.gateway.state import State


class Enough(BaseException):
    """Ends a gateway that would run for ever."""


def run_with(processor, *steps):
    """Run a gateway; at each of its pauses the next step is done, and after the last it ends."""
    waiting = list(steps)

    def wait(seconds):
        if not waiting:
            raise Enough
        waiting.pop(0)()

    gateway = Gateway(processor.settings, processor, wait=wait)
    with pytest.raises(Enough):
        gateway.run()
    return gateway


def test_all_that_is_there_is_processed_once(processor, pacs):
    for number in (2, 3):
        pacs.add(make_study(number))
    gateway = Gateway(processor.settings, processor)
    done = gateway.run_once()
    assert [job.state for job in done] == [State.STORED] * 3
    assert len(pacs.stored) == 6
    assert gateway.run_once() == []


def test_it_waits_for_series_that_still_grow(processor, pacs):
    pacs.images.clear()
    pacs.add(make_study(slices=3))
    asked = []

    def wait(seconds):
        asked.append(seconds)
        pacs.add(make_study())

    slow = replace(processor.settings.watch, stable_seconds=0.3)
    processor.settings = replace(processor.settings, watch=slow)
    gateway = Gateway(processor.settings, processor, wait=wait)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gateway, "wait", lambda s: (wait(s), module.time.sleep(s)))
        (done,) = gateway.run_once()
    assert (done.state, done.instances) == (State.STORED, 5)
    assert asked


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (401, "the server refuses the credentials"),
        (500, "the server failed"),
        ("hang", "did not answer within 0.5 s to a search"),
        ("cut", "broke the connection off: see whether it runs"),
    ],
)
def test_a_fault_of_the_server_is_one_line_and_so_is_its_end(processor, pacs, caplog, fault, line):
    caplog.set_level(logging.INFO)
    pacs.faults["search"] = fault
    gateway = run_with(processor, *[lambda: None] * 3, pacs.faults.clear, *[lambda: None] * 2)
    lines = [r.getMessage() for r in caplog.records if r.name == "medseg.gateway.gateway"]
    assert len(lines) == 2
    assert line in lines[0]
    assert lines[1] == "all works again"
    assert len(pacs.stored) == 2
    assert gateway.trouble == ""
    assert gateway.looked_at > 0


def test_a_state_that_cannot_be_written_stops_nothing_for_good(
    processor, pacs, monkeypatch, caplog
):
    def refuse(*_, **__):
        raise UnavailableError("state.sqlite cannot be used (database or disk is full): make room")

    patch = pytest.MonkeyPatch()
    whole = processor.work.write_images

    def fill(*arguments):
        patch.setattr(processor.state, "change", refuse)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    processor.work.write_images = fill

    def make_room():
        patch.undo()
        processor.work.write_images = whole

    run_with(processor, *[lambda: None] * 2, make_room, *[lambda: None] * 3)
    assert [job.state for job in processor.state.list_jobs()] == [State.STORED]
    assert caplog.text.count("database or disk is full") == 1


def test_the_other_series_are_not_tried_while_nothing_works(processor, pacs):
    pacs.add(make_study(2))
    pacs.faults["fetch"] = 503
    run_with(processor, lambda: None)
    fetches = [path for method, path in pacs.asked if "/instances" not in path and "?" not in path]
    assert len(fetches) <= 2  # one at each look, and not one for each series
    assert all(job.attempts == 0 for job in processor.state.list_jobs())


def test_one_that_is_hopeless_does_not_stop_the_others(processor, pacs):
    pacs.add(make_study(2))
    broken = make_study(3)
    del broken[2]
    pacs.add(broken)
    done = Gateway(processor.settings, processor).run_once()
    assert [job.state for job in done] == [State.STORED, State.STORED, State.DEAD]


def test_a_stopped_one_goes_on_and_says_so(processor, job, pacs, caplog):
    caplog.set_level(logging.INFO)
    processor.state.change(job, State.SEGMENTING)
    processor.work.write_images(job, [("1.1", b"half")])
    (done,) = Gateway(processor.settings, processor).run_once()
    assert done.state is State.STORED
    assert "done again, since a gateway was stopped: series 1" in caplog.text


def test_another_one_in_the_same_folder_is_refused(processor, monkeypatch):
    monkeypatch.setattr("medseg.base.lock._take", lambda lock: False)
    with pytest.raises(UnavailableError, match="another gateway runs in"):
        Gateway(processor.settings, processor).run_once()


def test_a_gateway_is_made_from_its_settings(settings, pacs, monkeypatch):
    with open_gateway(settings, FakeSegment()) as gateway:
        (done,) = gateway.run_once()
    assert done.state is State.STORED
    monkeypatch.delenv("NO_SUCH", raising=False)
    stated = replace(settings, server=Server(pacs.url, user="me", password_env="NO_SUCH"))
    with pytest.raises(ValueError, match="NO_SUCH is not set"), open_gateway(stated, FakeSegment()):
        pass


def test_results_of_another_version_are_stored_and_the_new_one_makes_its_own(processor, job, pacs):
    pacs.faults["store"] = 500
    processor.process(job)
    pacs.faults.clear()
    processor.segment.made_by = "thresholds 0.2.0"
    done = Gateway(processor.settings, processor).run_once()
    assert [(each.bundle, each.state) for each in done] == [
        ("thresholds 0.1.0", State.STORED),
        ("thresholds 0.2.0", State.STORED),
    ]
    assert len(pacs.stored) == 4


def test_pauses_grow_while_the_server_is_away_and_start_anew_after_that(processor, pacs):
    retry = replace(processor.settings.retry, first_seconds=8, longest_seconds=1000)
    processor.settings = replace(processor.settings, retry=retry)
    pauses = []
    gateway = Gateway(processor.settings, processor, wait=pauses.append)

    def wait(seconds):
        pauses.append(seconds)
        if len(pauses) == 8:
            pacs.faults.clear()
        if len(pauses) == 9:
            raise Enough

    gateway.wait = wait
    pacs.faults["search"] = 401
    with pytest.raises(Enough):
        gateway.run()
    for pause, middle in zip(pauses, (8, 16, 32, 64, 128, 256, 300, 300), strict=False):
        assert 0.75 * middle <= pause <= 1.25 * middle
    assert pauses[8] < 1
