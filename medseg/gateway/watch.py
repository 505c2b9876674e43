"""Watch: look what a server has, and write down the series that match the rules."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from pydicom import dcmread

from medseg.gateway.pacs.listed_series import ListedSeries, describe_listed
from medseg.gateway.pacs.server import DicomwebServer
from medseg.gateway.rules import is_wanted, list_modalities
from medseg.gateway.settings import Settings
from medseg.gateway.state import ENDED, FROM_LISTENER, FROM_SERVER, WAITING, Job, State, StateFile
from medseg.gateway.work_folder import WorkFolder, list_images

logger = logging.getLogger(__name__)

DOUBLED = (
    "the server holds its images under several patients or studies: put them right there, so that "
    "the series has one"
)
"""Why a series that is listed twice is given up."""


def look(settings: Settings, *, server: DicomwebServer, state: StateFile, bundle: str) -> int:
    """Look once at what a server has.

    Args:
        settings: with the rules.
        server: is asked for series.
        state: gets those that match.
        bundle: the bundle and its version that is to segment them.

    Returns:
        How many series match.

    Raises:
        GatewayError: the server does not answer as it should.
    """
    days = settings.watch.max_age_days
    since = None if days is None else f"{datetime.now() - timedelta(days=days):%Y%m%d}"
    wanted = 0
    modalities = list_modalities(settings.rules)
    for series in server.list_series(modalities, since=since, page=settings.watch.page):
        if not is_wanted(series, settings.rules):
            continue
        wanted += 1
        known = state.find(series.series_uid, bundle)
        number = series.instances
        if number is None and known is not None and known.state in ENDED:
            continue
        if series.is_doubled:
            _give_up(series, state, bundle=bundle, number=number or 0)
            continue
        if number is None:
            number = len(server.list_instances(series.study_uid, series.series_uid))
        _note(series, known, state, source=FROM_SERVER, bundle=bundle, number=number)
    return wanted


def _give_up(series: ListedSeries, state: StateFile, *, bundle: str, number: int) -> None:
    """Give a series up whose images the server holds under several patients or studies."""
    job = state.note(
        series.series_uid, series.study_uid, bundle, source=FROM_SERVER, instances=number
    )
    if job.state in WAITING:
        logger.error("%s: given up: %s", job.name, DOUBLED)
        state.postpone(job, DOUBLED, seconds=0, counts=True, state=State.DEAD)


def look_at_sent(work: WorkFolder, *, state: StateFile, bundle: str) -> None:
    """Look once at what was sent, also before a lost state, or by a sender that went on."""
    for folder in work.list_sent():
        images = list_images(folder)
        if not images:
            continue
        series = describe_listed(dcmread(images[0], stop_before_pixels=True))
        known = state.find(series.series_uid, bundle)
        _note(series, known, state, source=FROM_LISTENER, bundle=bundle, number=len(images))
        if known is not None and known.state is State.STORED:
            work.forget_sent(known)


def _note(
    series: ListedSeries,
    known: Job | None,
    state: StateFile,
    *,
    source: str,
    bundle: str,
    number: int,
) -> None:
    """Write down a series that is new, or has another number of images than it had."""
    if known is not None and (known.instances == number or known.source != source):
        return
    job = state.note(series.series_uid, series.study_uid, bundle, source=source, instances=number)
    if job.state is State.STORED:
        logger.warning(
            "%s: it has %d images now, its result was made of fewer or more", job.name, number
        )


def list_due(settings: Settings, state: StateFile, *, bundle: str) -> list[Job]:
    """The series whose turn it is: complete, and not put off."""
    now = time.time()
    return [job for job in _list_waiting(state, bundle) if find_time(settings, job) <= now]


def find_next_time(settings: Settings, state: StateFile, *, bundle: str) -> float | None:
    """When the next of the series that have not failed is complete; None without one."""
    times = [
        find_time(settings, job) for job in _list_waiting(state, bundle) if job.state is State.FOUND
    ]
    return min(times, default=None)


def find_time(settings: Settings, job: Job) -> float:
    """When the turn of a series comes, in seconds since 1970."""
    if job.state is State.STORING:
        return job.next_try
    listener = settings.listener
    is_sent = job.source == FROM_LISTENER and listener is not None
    pause = listener.stable_seconds if is_sent and listener else settings.watch.stable_seconds
    return max(job.next_try, job.changed_at + pause)


def _list_waiting(state: StateFile, bundle: str) -> list[Job]:
    """What is still to be done; results are stored whichever bundle made them."""
    return [
        job
        for job in state.list_jobs(*WAITING)
        if job.bundle == bundle or job.state is State.STORING
    ]
