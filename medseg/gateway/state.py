"""State: what became of each series, in a file that survives a kill and a power cut."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any

from medseg.gateway.failures import UnavailableError

FROM_SERVER, FROM_LISTENER = "server", "listener"
"""Where the images of a series come from."""

_MIGRATIONS = (
    """
    CREATE TABLE series (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        series_uid TEXT NOT NULL,
        study_uid TEXT NOT NULL,
        bundle TEXT NOT NULL,
        source TEXT NOT NULL,
        state TEXT NOT NULL,
        instances INTEGER NOT NULL,
        changed_at REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        next_try REAL NOT NULL DEFAULT 0,
        reason TEXT NOT NULL DEFAULT '',
        found_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        UNIQUE (series_uid, bundle)
    );
    CREATE INDEX by_state ON series (state, next_try);
    """,
)
"""What makes each version of the file from the one before; PRAGMA user_version counts them."""

_PATIENCE_S = 30.0  # for another process that writes


class State(str, Enum):
    """How far a series has come.

    From FOUND over FETCHING, SEGMENTING and STORING to STORED. FAILED is tried again, DEAD not
    before a person says so. LEFT_OUT has no image to segment, as a localizer.
    """

    FOUND = "found"
    FETCHING = "fetching"
    SEGMENTING = "segmenting"
    STORING = "storing"
    STORED = "stored"
    FAILED = "failed"
    DEAD = "dead"
    LEFT_OUT = "left out"


BEGUN = (State.FETCHING, State.SEGMENTING)
"""A process that was killed leaves a series so: it is done again from the start."""

ENDED = (State.STORED, State.DEAD, State.LEFT_OUT)
"""What is looked at again only if its images change."""

WAITING = (State.FOUND, State.FAILED, State.STORING)
"""What is still to be done."""


@dataclass(frozen=True)
class Job:
    """A series that is to be segmented by a bundle, and what became of it.

    Attributes:
        number: by which logs name it, since a UID may lead to a patient.
        instances: images that the server had, or that came, when it was last looked at.
        changed_at: when that number changed last, in seconds since 1970.
        attempts: failures so far.
        next_try: not before this time.
        reason: why it failed or is dead; or what is to be known of it.
    """

    number: int
    series_uid: str
    study_uid: str
    bundle: str
    source: str
    state: State
    instances: int
    changed_at: float
    attempts: int
    next_try: float
    reason: str
    found_at: float
    updated_at: float

    @property
    def name(self) -> str:
        """For logs."""
        return f"series {self.number}"


_COLUMNS = tuple(each.name for each in fields(Job))


class StateFile:
    """The file, for one thread; each thread and each process opens its own.

    Args:
        path: made if absent.

    Raises:
        ValueError: it was written by a newer medseg, or it is no such file.
        UnavailableError: it cannot be written; also in each method.

    Example:
        >>> with closing(StateFile(folder / "state.sqlite")) as state:  # doctest: +SKIP
        ...     state.count()
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        try:
            self._connection = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise _explain(self.path, error) from error
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._migrate()
        except sqlite3.DatabaseError as error:
            self._connection.close()
            if isinstance(error, sqlite3.OperationalError):
                raise _explain(self.path, error) from error
            raise ValueError(
                f"{self.path} is no state of a gateway ({error}): move it away, and results that "
                "the server already has are recognised and not made again"
            ) from error
        except ValueError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def note(
        self, series_uid: str, study_uid: str, bundle: str, *, source: str, instances: int
    ) -> Job:
        """Remember a series, or that the number of its images is another now.

        Only a series that is not begun changes, see `Job.changed_at`; one that is dead or left out
        and has more or fewer images now is found anew. Of one that is stored only the number
        changes.
        """
        now = time.time()
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO series (series_uid, study_uid, bundle, source, state, instances, "
                "changed_at, found_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (series_uid, bundle) DO UPDATE SET "
                "attempts = CASE WHEN state IN ('dead', 'left out') THEN 0 ELSE attempts END, "
                "next_try = CASE WHEN state IN ('dead', 'left out') THEN 0 ELSE next_try END, "
                "state = CASE WHEN state IN ('dead', 'left out') THEN 'found' ELSE state END, "
                "instances = excluded.instances, changed_at = excluded.changed_at, "
                "updated_at = excluded.updated_at "
                "WHERE state IN ('found', 'failed', 'dead', 'left out', 'stored') "
                "AND source = excluded.source AND instances != excluded.instances",
                (series_uid, study_uid, bundle, source, State.FOUND.value, instances, *[now] * 3),
            )
        found = self.find(series_uid, bundle)
        if found is None:
            raise RuntimeError(f"{self.path} has lost a row")
        return found

    def find(self, series_uid: str, bundle: str) -> Job | None:
        """The row of a series and a bundle."""
        where = "WHERE series_uid = ? AND bundle = ?"
        return next(iter(self._select(where, series_uid, bundle)), None)

    def list_jobs(self, *states: State) -> list[Job]:
        """The rows in these states, or all, in the order in which they were found."""
        if not states:
            return self._select("ORDER BY number")
        marks = ", ".join("?" * len(states))
        return self._select(f"WHERE state IN ({marks}) ORDER BY number", *(s.value for s in states))

    def change(self, job: Job, state: State, *, reason: str = "") -> Job:
        """Put a series into another state; one that is stored has no more attempts to count."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE series SET state = ?, reason = ?, updated_at = ? WHERE number = ?",
                (state.value, reason, time.time(), job.number),
            )
        return self._find_again(job)

    def postpone(self, job: Job, reason: str, *, seconds: float, counts: bool, state: State) -> Job:
        """Let a series be tried again after some seconds; `counts`: this was one more attempt."""
        now = time.time()
        with self._writing() as connection:
            connection.execute(
                "UPDATE series SET state = ?, reason = ?, next_try = ?, attempts = attempts + ?, "
                "updated_at = ? WHERE number = ?",
                (state.value, reason, now + seconds, int(counts), now, job.number),
            )
        return self._find_again(job)

    def repeat(self, numbers: list[int] | None = None) -> list[Job]:
        """Let dead and failed series be tried again at once, all or those with these numbers."""
        jobs = [
            job
            for job in self.list_jobs(State.DEAD, State.FAILED)
            if numbers is None or job.number in numbers
        ]
        with self._writing() as connection:
            connection.executemany(
                "UPDATE series SET state = 'found', attempts = 0, next_try = 0, reason = '', "
                "updated_at = ? WHERE number = ?",
                [(time.time(), job.number) for job in jobs],
            )
        return jobs

    def recover(self) -> list[Job]:
        """Let series that a killed process had begun start again; gives them."""
        jobs = self.list_jobs(*BEGUN)
        if not jobs:
            return []
        with self._writing() as connection:
            connection.executemany(
                "UPDATE series SET state = 'found' WHERE number = ?", [(j.number,) for j in jobs]
            )
        return jobs

    def retire_others(self, bundle: str) -> None:
        """Forget series that wait for another bundle or version; they are found again for this one.

        What is stored or dead, and results that are to be stored, remain.
        """
        with self._writing() as connection:
            connection.execute(
                "DELETE FROM series WHERE bundle != ? "
                "AND state IN ('found', 'failed', 'fetching', 'segmenting')",
                (bundle,),
            )

    def wait_for_senders(self) -> None:
        """Let series that were being sent while nobody listened be as if an image just came."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE series SET changed_at = ? WHERE source = ? AND state = 'found'",
                (time.time(), FROM_LISTENER),
            )

    def count(self) -> dict[State, int]:
        """How many series are in each state."""
        rows = self._connection.execute("SELECT state, count(*) FROM series GROUP BY state")
        found = {State(state): number for state, number in rows}
        return {state: found.get(state, 0) for state in State}

    def _find_again(self, job: Job) -> Job:
        (found,) = self._select("WHERE number = ?", job.number)
        return found

    def _select(self, where: str, *values: Any) -> list[Job]:
        rows = self._connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM series {where}", values)
        return [_make_job(row) for row in rows]

    def _migrate(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(_MIGRATIONS):
            raise ValueError(f"{self.path} was written by a newer medseg: use that one")
        for number, script in list(enumerate(_MIGRATIONS, 1))[version:]:
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;"
            )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction, which is on the disk when the block has ended, or was never."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise _explain(self.path, error) from error


def open_state(path: str | os.PathLike) -> closing[StateFile]:
    """A state file that is closed when the block ends.

    Example:
        >>> with open_state("gateway/state.sqlite") as state:  # doctest: +SKIP
        ...     state.count()
    """
    return closing(StateFile(path))


def _make_job(row: Sequence[Any]) -> Job:
    values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    return Job(**{**values, "state": State(values["state"])})


def _explain(path: Path, error: sqlite3.OperationalError) -> UnavailableError:
    return UnavailableError(
        f"{path} cannot be used ({error}): make room on that disk, or correct its rights"
    )
