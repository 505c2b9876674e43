"""Tests of medseg.gateway.state: each series has one row, and each step is on the disk."""

from __future__ import annotations

import sqlite3

import pytest

from medseg.gateway.failures import UnavailableError
from medseg.gateway.state import FROM_LISTENER, FROM_SERVER, State, StateFile, open_state


@pytest.fixture
def state(tmp_path):
    with open_state(tmp_path / "state.sqlite") as found:
        yield found


def note(state, series="1.2", *, bundle="liver 1", instances=3, source=FROM_SERVER):
    return state.note(series, "1", bundle, source=source, instances=instances)


def test_a_series_has_one_row_for_each_bundle(state):
    first, again, other = note(state), note(state), note(state, bundle="liver 2")
    assert first == again
    assert other.number != first.number
    assert len(state.list_jobs()) == 2


def test_only_another_number_of_images_makes_it_young_again(state):
    first = note(state)
    assert note(state).changed_at == first.changed_at
    grown = note(state, instances=4)
    assert (grown.instances, grown.changed_at > first.changed_at) == (4, True)


@pytest.mark.parametrize("step", [State.FETCHING, State.SEGMENTING, State.STORING])
def test_a_series_that_has_begun_is_not_changed_by_a_look(state, step):
    job = state.change(note(state), step)
    assert note(state, instances=9) == job


def test_a_dead_series_with_other_images_is_found_anew(state):
    job = state.postpone(note(state), "a gap", seconds=9, counts=True, state=State.DEAD)
    assert note(state) == job
    found = note(state, instances=9)
    assert (found.state, found.attempts, found.next_try) == (State.FOUND, 0, 0)


def test_a_stored_series_stays_stored_whatever_comes(state):
    state.change(note(state), State.STORED)
    grown = note(state, instances=9)
    assert (grown.state, grown.instances) == (State.STORED, 9)


def test_the_listener_and_the_server_do_not_change_each_others_rows(state):
    job = note(state)
    assert note(state, instances=9, source=FROM_LISTENER) == job


def test_what_was_written_is_there_for_the_next_process(state):
    job = state.change(note(state), State.DEAD, reason="slices are missing")
    with open_state(state.path) as other:
        assert other.list_jobs(State.DEAD) == [job]
        assert other.count()[State.DEAD] == 1
    (level,) = state._connection.execute("PRAGMA synchronous").fetchone()
    (mode,) = state._connection.execute("PRAGMA journal_mode").fetchone()
    assert (level, mode) == (2, "wal")  # FULL


def test_what_a_killed_process_had_begun_starts_again(state):
    steps = (State.FETCHING, State.SEGMENTING, State.STORING, State.STORED)
    for number, step in enumerate(steps):
        state.change(note(state, f"1.{number}"), step)
    assert [job.number for job in state.recover()] == [1, 2]
    assert [job.state.value for job in state.list_jobs()] == ["found", "found", "storing", "stored"]


def test_a_postponed_series_has_its_time_reason_and_attempts(state):
    job = state.postpone(note(state), "HTTP 500", seconds=60, counts=True, state=State.FAILED)
    assert (job.state, job.attempts, job.reason) == (State.FAILED, 1, "HTTP 500")
    assert job.next_try == pytest.approx(job.updated_at + 60)
    assert state.postpone(job, "", seconds=0, counts=False, state=State.FOUND).attempts == 1


def test_repeat_starts_dead_and_failed_series_anew(state):
    dead = state.change(note(state, "1.1"), State.DEAD, reason="no")
    failed = state.postpone(note(state, "1.2"), "", seconds=60, counts=True, state=State.FAILED)
    state.change(note(state, "1.3"), State.STORED)
    assert [job.number for job in state.repeat([dead.number, 77])] == [dead.number]
    assert state.find("1.2", "liver 1") == failed
    assert [job.number for job in state.repeat()] == [failed.number]
    assert state.count() == {
        **dict.fromkeys(State, 0),
        State.FOUND: 2,
        State.STORED: 1,
    }
    assert all(job.attempts == 0 and not job.reason for job in state.list_jobs(State.FOUND))


def test_a_file_of_a_newer_version_or_of_something_else_is_refused(tmp_path):
    newer = tmp_path / "newer"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ValueError, match="written by a newer medseg"):
        StateFile(newer)
    (tmp_path / "text").write_text("no database, but a text of some length " * 9)
    with pytest.raises(ValueError, match="is no state of a gateway"):
        StateFile(tmp_path / "text")


def test_a_state_that_cannot_be_opened_is_one_line(tmp_path):
    with pytest.raises(UnavailableError, match="cannot be used"):
        StateFile(tmp_path / "missing" / "state.sqlite")


def test_what_was_being_sent_while_nobody_listened_is_young_again(state):
    sent = note(state, "1.1", source=FROM_LISTENER)
    fetched = note(state, "1.2")
    state.wait_for_senders()
    assert state.find("1.1", "liver 1").changed_at > sent.changed_at
    assert state.find("1.2", "liver 1") == fetched


def test_what_waits_for_another_bundle_is_forgotten_but_for_results_and_letters(state):
    for number, step in enumerate(State):
        state.change(note(state, f"1.{number}"), step)
    note(state, "1.9", bundle="liver 2")
    state.retire_others("liver 2")
    assert [(job.bundle, job.state.value) for job in state.list_jobs()] == [
        ("liver 1", "storing"),
        ("liver 1", "stored"),
        ("liver 1", "dead"),
        ("liver 1", "left out"),
        ("liver 2", "found"),
    ]
