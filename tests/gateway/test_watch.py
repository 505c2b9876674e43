"""Tests of medseg.gateway.watch: what matches is written down, and is done when it is complete."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gateway.made_series import BUNDLE, encode, make_study

from medseg.gateway.settings import Listener, Rule
from medseg.gateway.state import FROM_LISTENER, State
from medseg.gateway.watch import find_next_time, find_time, list_due, look, look_at_sent


@pytest.fixture
def look_once(processor):
    def look_at_it(**changes):
        stated = replace(processor.settings, **changes)
        return look(stated, server=processor.server, state=processor.state, bundle=BUNDLE)

    return look_at_it


def test_series_that_match_are_written_down(look_once, processor, pacs):
    pacs.add(make_study(2))
    assert look_once() == 2
    assert look_once(rules=(Rule(("CT",), description=("arterial",)),)) == 0
    found = processor.state.list_jobs()
    assert [(job.state, job.instances) for job in found] == [(State.FOUND, 5)] * 2


@pytest.mark.parametrize("hides_numbers", [False, True])
def test_a_series_that_grows_is_young_again(look_once, processor, pacs, hides_numbers):
    pacs.hides_numbers = hides_numbers
    pacs.images.clear()
    pacs.add(make_study(slices=3))
    look_once()
    (young,) = processor.state.list_jobs()
    pacs.add(make_study())
    look_once()
    (grown,) = processor.state.list_jobs()
    assert (young.instances, grown.instances) == (3, 5)
    assert grown.changed_at > young.changed_at
    look_once()
    assert processor.state.list_jobs() == [grown]


def test_a_series_that_is_listed_twice_is_given_up_with_the_reason(look_once, processor, pacs):
    pacs.lists_twice = True
    for _ in range(3):
        look_once()
    (job,) = processor.state.list_jobs()
    assert (job.state, job.instances, job.attempts) == (State.DEAD, 10, 1)
    assert job.reason.startswith("the server holds its images under several patients or studies")
    pacs.lists_twice = False
    look_once()
    (mended,) = processor.state.list_jobs()
    assert (mended.state, mended.instances) == (State.FOUND, 5)


def test_own_results_are_not_taken_up(look_once, processor, pacs):
    look_once(rules=(Rule(("*",)),))
    (job,) = processor.state.list_jobs()
    processor.process(job)
    assert len(pacs.stored) == 2
    assert look_once(rules=(Rule(("*",)),)) == 1
    assert len(processor.state.list_jobs()) == 1


def test_what_is_stored_or_dead_is_not_asked_for_again(look_once, processor, pacs):
    pacs.hides_numbers = True
    look_once()
    (job,) = processor.state.list_jobs()
    processor.state.change(job, State.DEAD)
    pacs.asked.clear()
    look_once()
    assert len(pacs.asked) == 1


def test_only_complete_series_are_due(processor, job, settings):
    slow = replace(settings, watch=replace(settings.watch, stable_seconds=60))
    assert list_due(slow, processor.state, bundle=BUNDLE) == []
    assert find_next_time(slow, processor.state, bundle=BUNDLE) == job.changed_at + 60
    quick = replace(settings, watch=replace(settings.watch, stable_seconds=0))
    assert list_due(quick, processor.state, bundle=BUNDLE) == [job]
    assert list_due(quick, processor.state, bundle="another 1") == []


def test_what_failed_waits_for_its_time(processor, job, settings):
    processor.state.postpone(job, "", seconds=60, counts=True, state=State.FAILED)
    assert list_due(settings, processor.state, bundle=BUNDLE) == []
    assert find_next_time(settings, processor.state, bundle=BUNDLE) is None
    processor.state.repeat()
    assert find_next_time(settings, processor.state, bundle=BUNDLE) is not None


def test_what_was_sent_has_the_patience_of_the_listener(processor, job, settings):
    listener = Listener(port=104, accept_from=("A",), stable_seconds=7)
    stated = replace(settings, listener=listener)
    sent = replace(job, source=FROM_LISTENER)
    assert find_time(stated, sent) == job.changed_at + 7
    assert find_time(stated, job) == job.changed_at + settings.watch.stable_seconds
    assert find_time(stated, replace(sent, state=State.STORING)) == 0


def test_old_studies_are_not_asked_for(look_once, processor, pacs):
    watch = replace(processor.settings.watch, max_age_days=3)
    look_once(watch=watch)
    assert "StudyDate=20" in pacs.asked[-1][1]


@pytest.fixture
def send(processor):
    """Put images where the listener would."""

    def put(images):
        folder = processor.work.sent(images[0].SeriesInstanceUID)
        folder.mkdir(parents=True, exist_ok=True)
        for each in images:
            (folder / f"{each.InstanceNumber}.dcm").write_bytes(encode(each))

    return put


def look_for_sent(processor):
    look_at_sent(processor.work, state=processor.state, bundle=BUNDLE)
    (job,) = processor.state.list_jobs()
    return job


def test_what_was_sent_is_written_down_though_the_state_was_lost(processor, send):
    send(make_study(slices=3))
    young = look_for_sent(processor)
    assert (young.source, young.instances, young.state) == (FROM_LISTENER, 3, State.FOUND)
    send(make_study())
    grown = look_for_sent(processor)
    assert (grown.instances, grown.changed_at > young.changed_at) == (5, True)
    assert look_for_sent(processor) == grown


def test_what_comes_after_the_result_is_said_and_not_kept(processor, send, caplog):
    send(make_study(slices=3))
    processor.state.change(look_for_sent(processor), State.STORED)
    send(make_study())
    assert look_for_sent(processor).state is State.STORED
    assert "series 1: it has 5 images now" in caplog.text
    assert processor.work.list_sent() == []


def test_a_stored_series_that_has_grown_on_the_server_is_said_once(
    look_once, processor, pacs, caplog
):
    look_once()
    (job,) = processor.state.list_jobs()
    processor.process(job)
    pacs.images[job.series_uid].append(make_study(2)[0])
    look_once()
    look_once()
    assert caplog.text.count("it has 6 images now") == 1
