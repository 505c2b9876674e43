"""Listener: a C-STORE service, for images that are sent and not fetched."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, _config, evt
from pynetdicom.sop_class import Verification

from medseg.base.console_streams import log_from
from medseg.base.files import whole
from medseg.export.uids import is_valid_uid
from medseg.gateway.failures import GatewayError
from medseg.gateway.pacs.listed_series import ListedSeries, describe_listed
from medseg.gateway.pacs.tls import make_listener_context
from medseg.gateway.rules import is_wanted
from medseg.gateway.settings import Listener, Settings
from medseg.gateway.state import FROM_LISTENER, open_state
from medseg.gateway.work_folder import WorkFolder

logger = logging.getLogger(__name__)

TAKEN, NO_ROOM, NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000
"""Statuses of C-STORE (PS3.4 table B.2-1)."""

SYNTAXES = [syntax for syntax in ALL_TRANSFER_SYNTAXES if syntax != DeflatedExplicitVRLittleEndian]
"""A deflated image could be of any size when it is inflated, and scanners send none."""

_LONGEST_UID = 64
_MEASURED_S = 2.0  # for so long a measurement of the disk holds


class ImageListener:
    """Takes images that match the rules, and keeps each until its series is stored.

    An image is acknowledged when it lies on the disk as a whole, and not before, so that a sender
    that gets no answer sends it again and nothing is lost. One that matches no rule is acknowledged
    and not kept: the gateway is no archive.

    Args:
        settings: with `listener` and the rules.
        work: where the images lie.
        bundle: the bundle and its version that is to segment them.
    """

    def __init__(self, settings: Settings, work: WorkFolder, *, bundle: str) -> None:
        self.settings = settings
        self.work = work
        self.bundle = bundle
        self._one_by_one = threading.Lock()
        self._measured_at = -_MEASURED_S

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take images while the block runs.

        Raises:
            OSError: the port cannot be listened on.
        ValueError: its certificate cannot be used.
        """
        listener = self.settings.listener
        if listener is None:
            yield
            return
        with hush():
            server = self._start(listener)
            logger.info("images are taken at port %d", listener.port)
            try:
                yield
            finally:
                server.shutdown()

    def _start(self, listener: Listener) -> Any:
        entity = AE(ae_title=listener.ae_title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(listener.accept_from)
        for name in ("acse_timeout", "dimse_timeout", "network_timeout"):
            setattr(entity, name, listener.timeout_seconds)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, SYNTAXES)
        entity.add_supported_context(Verification)
        place, context = (listener.host, listener.port), make_listener_context(listener)
        try:
            return entity.start_server(
                place,
                block=False,
                evt_handlers=[(evt.EVT_C_STORE, self._answer)],
                ssl_context=context,
            )
        except OSError as error:
            raise OSError(
                f"nothing can listen on {listener.host} port {listener.port} ({error.strerror}): "
                "choose another listener.port or listener.host"
            ) from error

    def _answer(self, event: evt.Event) -> int:
        """The status of a C-STORE request; runs in a thread of the sender's connection."""
        try:
            with self._one_by_one:
                return self.take(event.encoded_dataset())
        except (GatewayError, OSError) as error:
            logger.error("an image was not taken: %s", error)
            return NO_ROOM
        except Exception as error:  # whatever was sent, the next image may be good
            logger.error("an image was not taken: it cannot be read (%s)", type(error).__name__)
            return NOT_UNDERSTOOD

    def take(self, content: bytes) -> int:
        """Keep an image.

        Args:
            content: its file.

        Returns:
            The status of C-STORE: `TAKEN` when it is on the disk or not wanted, or
            `NOT_UNDERSTOOD` where it lacks what it needs.

        Raises:
            UnavailableError: there is no room for it.
            OSError: it cannot be written.
        """
        header = dcmread(BytesIO(content), stop_before_pixels=True)
        image, series = str(header.get("SOPInstanceUID", "")), describe_listed(header)
        if not all(map(_is_short, (image, series.series_uid, series.study_uid))):
            logger.error("an image was not taken: it has no UIDs")
            return NOT_UNDERSTOOD
        if not is_wanted(series, self.settings.rules):
            logger.debug("an image that matches no rule was not kept")
            return TAKEN
        self._check_room()
        folder = self._find_folder(series)
        if folder is None:
            return TAKEN
        path = folder / f"{hashlib.sha256(image.encode()).hexdigest()[:32]}.dcm"
        if not path.exists():
            with whole(path) as partial:
                partial.write_bytes(content)
            _reach_disk(folder)
        return TAKEN

    def _find_folder(self, series: ListedSeries) -> Path | None:
        """Where images of a series go; None where the server has it anyway."""
        with open_state(self.work.state_file) as state:
            job = state.find(series.series_uid, self.bundle)
            if job is None:
                job = state.note(
                    *(series.series_uid, series.study_uid, self.bundle),
                    source=FROM_LISTENER,
                    instances=0,
                )
        return self.work.sent(series.series_uid) if job.source == FROM_LISTENER else None

    def _check_room(self) -> None:
        now = time.monotonic()
        if now - self._measured_at >= _MEASURED_S:
            self.work.check_room()
            self._measured_at = now


@contextmanager
def hush() -> Iterator[None]:
    """Keep pynetdicom from logging addresses, titles and UIDs."""
    _config.LOG_HANDLER_LEVEL = "none"
    with log_from(logging.getLogger("pynetdicom"), logging.CRITICAL):
        yield


def _is_short(uid: str) -> bool:
    """Whether a UID can be asked for, though it may not be what the standard allows."""
    return 0 < len(uid) <= _LONGEST_UID and (is_valid_uid(uid) or UID(uid).isprintable())


def _reach_disk(folder: Path) -> None:
    """Write the names in a folder through to the disk, where the system can."""
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(number)
    finally:
        os.close(number)
