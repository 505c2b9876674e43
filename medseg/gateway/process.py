"""Process: one series on its way from images to stored results, whatever happens meanwhile."""

from __future__ import annotations

import logging
import math
import random
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from medseg.base.errors import (
    explain_disk_fault,
    explain_memory_fault,
    find_root_cause,
    forget_frames,
    is_documented,
)
from medseg.gateway.failures import (
    AttemptError,
    GatewayError,
    HopelessError,
    NoImageError,
    UnavailableError,
)
from medseg.gateway.pacs.destination import Destination
from medseg.gateway.pacs.server import DicomwebServer
from medseg.gateway.results import (
    ResultUids,
    check_patient,
    check_results,
    find_patient,
    list_result_uids,
    rename,
)
from medseg.gateway.settings import Retry, Settings
from medseg.gateway.state import FROM_LISTENER, Job, State, StateFile
from medseg.gateway.wording import name_settings
from medseg.gateway.work_folder import WorkFolder, list_images
from medseg.ingest import find_series
from medseg.ingest.dicom.selection import COMPANIONS, is_companion

logger = logging.getLogger(__name__)

_UID = re.compile(r"\d+(\.\d+){4,}")
_LONGEST_REASON = 500


class SegmentsSeries(Protocol):
    """Segments the images of a folder, and writes DICOM objects.

    Attributes:
        made_by: the bundle and its version.
    """

    made_by: str

    def __call__(self, folder: Path, out: Path) -> Mapping[str, Path]:
        """Write the results of the one series in `folder` to `out`; by kind, where they are."""


class Processor:
    """Carries series through all steps, and writes down after each how far they have come.

    A kill at any moment leaves a series that is done again: from the start, or where its results
    are complete, from storing them. Its results have the same UIDs then, and the destination is
    asked for them first, so that it has them once.

    Args:
        settings: of the gateway.
        state: of all series.
        work: where images and results lie meanwhile.
        segment: makes the results.
        server: where images come from; None where they are only sent.
        destination: where results go.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        state: StateFile,
        work: WorkFolder,
        segment: SegmentsSeries,
        server: DicomwebServer | None,
        destination: Destination,
    ) -> None:
        self.settings = settings
        self.state = state
        self.work = work
        self.segment = segment
        self.server = server
        self.destination = destination

    def process(self, job: Job) -> Job:
        """Carry a series as far as it comes.

        Returns:
            The series as it is now: stored, failed, dead; or found, where it has grown.

        Raises:
            UnavailableError: nothing can be done for now; the series is to go on where it is.
        """
        begun = time.monotonic()
        try:
            done = self._carry(job)
        except UnavailableError as error:
            self._wait(job, str(error))
            raise
        except NoImageError as error:
            done = self._leave_out(job, str(error))
        except Exception as error:  # whatever it is, it must not cost the other series
            unavailable = explain_disk_fault(error)
            if unavailable is not None:
                self._wait(job, unavailable)
                raise UnavailableError(unavailable) from error
            done = self._give_up(job, error)
            forget_frames(error)
        else:
            if done.state is State.STORED:
                said = f" ({done.reason})" if done.reason else ""
                logger.info("%s: stored, %.1f s%s", job.name, time.monotonic() - begun, said)
        return done

    def _carry(self, job: Job) -> Job:
        uids = list_result_uids(job.series_uid, job.bundle, self.settings.outputs)
        results = self.work.results(job)
        paths = {kind: results / f"{kind}.dcm" for kind in uids}
        if job.state is not State.STORING or not self._are_sound(job, paths, uids):
            if self.destination.has_all(job.study_uid, uids):
                return self._finish(job, "the results were there already")
            if job.bundle != self.segment.made_by:
                raise HopelessError(f"its results were lost, and {job.bundle} is not loaded")
            folder = self._get_images(job)
            if folder is None:
                return self.state.change(job, State.FOUND)
            self.state.change(job, State.SEGMENTING)
            self._make_results(job, folder, results)
            if self._has_grown(job):
                return self.state.change(job, State.FOUND)
            self.state.change(job, State.STORING)
        self.destination.deliver(job.study_uid, uids, paths)
        return self._finish(job, "")

    def _are_sound(
        self, job: Job, paths: Mapping[str, Path], uids: Mapping[str, ResultUids]
    ) -> bool:
        """Whether results that lie on the disk can be stored; after a power cut they may not."""
        try:
            check_results(paths, uids, study_uid=job.study_uid, series_uid=job.series_uid)
        except Exception as error:  # whatever a file without its end leads to
            logger.info("%s: its results are made again (%s)", job.name, type(error).__name__)
            return False
        return True

    def _get_images(self, job: Job) -> Path | None:
        """The folder with all images of a series; None where the series still grows."""
        if job.source == FROM_LISTENER:
            number = self.work.take_sent(job)
            if number == 0:
                raise AttemptError("the images that were sent are not there any more")
            return self.work.fetched(job) if number == job.instances else None
        if self.server is None:
            raise HopelessError("it is to be fetched, and the settings have no [server] any more")
        listed = self.server.list_instances(job.study_uid, job.series_uid)
        if not listed:
            raise AttemptError("the server has no images of it")
        if len(listed) != job.instances:
            self.state.note(
                *(job.series_uid, job.study_uid, job.bundle),
                source=job.source,
                instances=len(listed),
            )
            return None
        self.work.check_room()
        self.state.change(job, State.FETCHING)
        got = self.work.write_images(job, self.server.fetch(job.study_uid, job.series_uid))
        if missing := len(listed - got):
            raise AttemptError(f"{missing} of its {len(listed)} images did not come")
        return self.work.fetched(job)

    def _make_results(self, job: Job, folder: Path, results: Path) -> None:
        """Write the results of a series into their folder, which appears whole or not at all."""
        found = find_series(folder)
        for series in found:
            if series.unreadable:
                raise HopelessError(series.message)
        if found and all(map(is_companion, found)):
            raise NoImageError(COMPANIONS[found[0].reason])
        patient = find_patient({header.path for series in found for header in series.slices})
        partial = results.with_name(f"{results.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(results, ignore_errors=True)
        partial.mkdir(parents=True)
        made = self.segment(folder, partial)
        uids = list_result_uids(job.series_uid, job.bundle, self.settings.outputs)
        paths = {}
        for kind in uids:
            paths[kind] = partial / f"{kind}.dcm"
            if kind in made:
                Path(made[kind]).replace(paths[kind])
        rename({kind: path for kind, path in paths.items() if path.is_file()}, uids)
        check_results(paths, uids, study_uid=job.study_uid, series_uid=job.series_uid)
        check_patient(paths, patient)
        partial.rename(results)

    def _has_grown(self, job: Job) -> bool:
        """Whether images were sent while the others were segmented."""
        if job.source != FROM_LISTENER:
            return False
        return len(list_images(self.work.sent(job.series_uid))) != job.instances

    def _finish(self, job: Job, note: str) -> Job:
        done = self.state.change(job, State.STORED, reason=note)
        self.work.forget(job)
        if job.source == FROM_LISTENER:
            if self._has_grown(job):
                logger.warning("%s: images were sent after its results were made", job.name)
            self.work.forget_sent(job)
        return done

    def _leave_out(self, job: Job, kind: str) -> Job:
        """End with a series that has no image to segment; it is no fault."""
        done = self.state.change(job, State.LEFT_OUT, reason=kind)
        self.work.forget(job)
        if job.source == FROM_LISTENER:
            self.work.forget_sent(job)
        logger.info("%s: left out: %s", job.name, kind)
        return done

    def _wait(self, job: Job, reason: str) -> None:
        """Let a series go on at once when things work again; images are fetched again then."""
        state = State.STORING if self._find(job).state is State.STORING else State.FOUND
        if state is State.FOUND:
            self.work.forget(job)  # first, so that a full disk has room for the line below
        self.state.change(job, state, reason=reason)

    def _give_up(self, job: Job, error: BaseException) -> Job:
        """Let a series be tried again later, or never."""
        reason = make_reason(error, self.work.root)
        now = self._find(job)
        attempts = now.attempts + 1
        retry = self.settings.retry
        is_stored_later = now.state is State.STORING and not isinstance(error, HopelessError)
        if not is_stored_later:
            self.work.forget(job)
        if is_hopeless(error) or attempts >= retry.max_attempts:
            logger.error("%s: given up: %s", job.name, reason)
            return self.state.postpone(job, reason, seconds=0, counts=True, state=State.DEAD)
        pause = choose_pause(retry, attempts)
        logger.warning(
            "%s: %s; it is tried again in %.0f s (attempt %d of %d failed)",
            *(job.name, reason, pause, attempts, retry.max_attempts),
        )
        state = State.STORING if is_stored_later else State.FAILED
        return self.state.postpone(job, reason, seconds=pause, counts=True, state=state)

    def _find(self, job: Job) -> Job:
        return self.state.find(job.series_uid, job.bundle) or job


def choose_pause(retry: Retry, failures: int, *, most: float = math.inf) -> float:
    """Seconds before what failed so often is tried again: twice as long each time, and uneven.

    Several gateways that lost the same server do not all come back to it at once so.

    Example:
        >>> 30 <= choose_pause(Retry(first_seconds=20), 2) <= 50
        True
    """
    longest = min(retry.longest_seconds, most)
    doublings = min(failures - 1, 32)
    pause = min(retry.first_seconds * 2**doublings, longest)
    return pause * random.uniform(0.75, 1.25)  # of no result, so that no seed is needed


def is_hopeless(error: BaseException) -> bool:
    """Whether a series that failed so can never be right: its images are refused."""
    if isinstance(error, GatewayError):
        return isinstance(error, HopelessError)
    if explain_memory_fault(error) is not None:
        return False
    cause = find_root_cause(error)
    return is_documented(cause) and isinstance(cause, (ValueError, TypeError))


def make_reason(error: BaseException, root: Path) -> str:
    """Why a series failed, in one line without UIDs and folders, with remedies of gateway.toml."""
    cause = find_root_cause(error)
    text = explain_memory_fault(error) or " ".join(str(cause).split())
    if not (text and (is_documented(cause) or isinstance(cause, GatewayError))):
        text = f"{type(cause).__name__}: {text}"
    text = re.sub(rf"{re.escape(str(root))}/(\S*/)?", "", text)
    text = name_settings(text)
    return _UID.sub("[UID]", text)[:_LONGEST_REASON]
