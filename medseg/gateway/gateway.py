"""Gateway: look, process, wait, and look again, until it is told to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from medseg.base.lock import hold_within
from medseg.base.text import shorten_list
from medseg.gateway.failures import GatewayError, UnavailableError
from medseg.gateway.health import Condition, serving_health
from medseg.gateway.pacs.destination import Destination, ServerDestination
from medseg.gateway.pacs.server import DicomwebServer
from medseg.gateway.process import Processor, SegmentsSeries, choose_pause
from medseg.gateway.secrets import read_secret
from medseg.gateway.settings import Settings
from medseg.gateway.state import Job, State, open_state
from medseg.gateway.watch import find_next_time, list_due, look, look_at_sent
from medseg.gateway.work_folder import LOCK, WorkFolder

logger = logging.getLogger(__name__)

_SHORTEST_WAIT_S = 0.2
_LONGEST_PAUSE_S = 300.0
"""After so long a server that was away is asked again at the latest."""


class Gateway:
    """Runs a `Processor` over what a server has, or is sent.

    Args:
        settings: of the gateway.
        processor: carries one series.
        wait: until so many seconds are over; by default `time.sleep`.

    Raises:
        GatewayError: in `run_once`, the server cannot be used.
        RuntimeError: another gateway has the same folder.
    """

    def __init__(
        self,
        settings: Settings,
        processor: Processor,
        *,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self.processor = processor
        self.bundle = processor.segment.made_by
        self.wait = wait
        self.trouble = ""
        """Why nothing works for now; empty where it does."""
        self.looked_at = 0.0
        """When the server last answered, in seconds since 1970."""
        self._said: set[str] = set()
        self._fails_to_look = False

    def run_once(self) -> list[Job]:
        """Process all that there is once, waiting for series that are still growing.

        Returns:
            The series that were processed, as they are now.
        """
        with self._alone():
            done: dict[int, Job] = {}
            while True:
                self._look()
                for job in self._list_due():
                    done[job.number] = self.processor.process(job)
                following = find_next_time(self.settings, self.processor.state, bundle=self.bundle)
                if following is None:
                    return list(done.values())
                self._wait_until(following)

    def run(self) -> None:
        """Do so for ever; a fault of the server is one line, and another when it is over."""
        with self._alone(), self._serving():
            failures = 0
            while True:
                try:
                    self._work_once()
                except GatewayError as error:
                    self._note_trouble(str(error))
                    failures += 1
                    self.wait(choose_pause(self.settings.retry, failures, most=_LONGEST_PAUSE_S))
                    continue
                self._note_trouble("")
                failures = 0
                self._wait_until(time.time() + self.settings.watch.poll_seconds)

    def _work_once(self) -> None:
        try:
            self._look()
        except GatewayError:
            self._fails_to_look = True
            raise
        if self._fails_to_look:
            self._fails_to_look = False
            self._note_trouble("")  # now, since what is due may take hours
        for job in self._list_due():
            self.processor.process(job)

    def _look(self) -> None:
        server, state = self.processor.server, self.processor.state
        state.recover()  # what a full disk kept from being written down
        look_at_sent(self.processor.work, state=state, bundle=self.bundle)
        if server is not None:
            look(self.settings, server=server, state=state, bundle=self.bundle)
        self.looked_at = time.time()

    def _list_due(self) -> list[Job]:
        return list_due(self.settings, self.processor.state, bundle=self.bundle)

    def _wait_until(self, moment: float) -> None:
        self.wait(max(moment - time.time(), _SHORTEST_WAIT_S))

    def _note_trouble(self, trouble: str) -> None:
        """Say what is wrong once, and not at each look, and say when it is over."""
        if trouble and trouble not in self._said:
            logger.error("%s; it is tried again", trouble)
            self._said.add(trouble)
        elif not trouble and self._said:
            logger.info("all works again")
            self._said.clear()
        self.trouble = trouble

    def describe(self) -> Condition:
        """How it is, for monitoring."""
        return Condition(
            bundle=self.bundle,
            trouble=self.trouble,
            looked_at=self.looked_at,
            disk_bytes=self.processor.work.measure(),
        )

    @contextmanager
    def _serving(self) -> Iterator[None]:
        """Take images, and answer what monitoring asks, while the block runs."""
        work, port = self.processor.work, self.settings.health.port
        listener = make_listener(self.settings, work, bundle=self.bundle)
        with listener, serving_health(port, work.state_file, self.describe):
            self.processor.state.wait_for_senders()
            yield

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder, and put in order what a killed gateway left."""
        processor = self.processor
        with hold_within(processor.work.root / LOCK) as mine:
            if not mine:
                raise UnavailableError(
                    f"another gateway runs in {processor.work.root}: stop it, or give this one a "
                    "work_dir of its own"
                )
            processor.state.retire_others(self.bundle)
            again = processor.state.recover()
            processor.work.remove_leftovers(processor.state.list_jobs(State.STORING))
            if again:
                logger.info("done again, since a gateway was stopped: %s", _list_names(again))
            yield


def _list_names(jobs: list[Job]) -> str:
    return shorten_list([job.name for job in jobs])


@contextmanager
def open_gateway(settings: Settings, segment: SegmentsSeries) -> Iterator[Gateway]:
    """A gateway with all that it needs; what it has opened is closed when the block ends.

    Args:
        settings: of the gateway.
        segment: makes the results.

    Raises:
        OSError: its folder cannot be written to, or a file of certificates or of a password is not
            there.
        ValueError: an environment variable with a password is not set, or the state is of a newer
            medseg.
    """
    server = connect(settings)
    work = WorkFolder(settings.work_dir, settings.disk)
    with open_state(work.state_file) as state:
        processor = Processor(
            settings,
            state=state,
            work=work,
            segment=segment,
            server=server,
            destination=find_destination(settings, server),
        )
        yield Gateway(settings, processor)


def find_destination(settings: Settings, server: DicomwebServer | None) -> Destination:
    """Where results go: to the peer that is named, else to the server.

    Raises:
        ValueError: there is neither.
    """
    if settings.peer is not None:
        from medseg.gateway.pacs.peer import PeerDestination

        return PeerDestination(settings.peer)
    if server is None:
        raise ValueError("results go nowhere: add [server] or [peer]")
    return ServerDestination(server)


def make_listener(
    settings: Settings, work: WorkFolder, *, bundle: str
) -> AbstractContextManager[None]:
    """What takes images while a block runs; nothing, where the settings name no listener."""
    if settings.listener is None:
        return nullcontext()
    from medseg.gateway.pacs.listener import ImageListener

    return ImageListener(settings, work, bundle=bundle).listening()


def connect(settings: Settings) -> DicomwebServer | None:
    """The server of the settings, with its password or token; nothing is sent yet."""
    if settings.server is None:
        return None
    return DicomwebServer(settings.server, read_secret(settings.server))
