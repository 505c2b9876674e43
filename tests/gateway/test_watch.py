"""Tests of medseg.gateway.watch: what matches is written down, and is done when it is complete."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gateway.made_series import BUNDLE, make_study

from medseg.gateway.settings import Listener, Rule
from medseg.gateway.state import FROM_LISTENER, State
from medseg.gateway.watch import find_next_time, find_time, list_due, look


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
