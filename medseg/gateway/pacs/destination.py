"""Destination: where results go, each once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from medseg.gateway.failures import AttemptError
from medseg.gateway.pacs.server import DicomwebServer
from medseg.gateway.results import ResultUids


class Destination(Protocol):
    """A PACS that takes results."""

    def ask(self) -> None:
        """See whether it answers."""

    def has_all(self, study_uid: str, uids: Mapping[str, ResultUids]) -> bool:
        """Whether it is known to have all these objects."""

    def deliver(
        self, study_uid: str, uids: Mapping[str, ResultUids], paths: Mapping[str, Path]
    ) -> None:
        """Let it have the objects, by kind; those that it has already stay as they are there."""


class ServerDestination:
    """A DICOMweb server, which is asked before something is stored, and afterwards.

    Args:
        server: takes the results by STOW-RS.
    """

    def __init__(self, server: DicomwebServer) -> None:
        self.server = server

    def ask(self) -> None:
        """See whether it answers."""
        self.server.ask()

    def has_all(self, study_uid: str, uids: Mapping[str, ResultUids]) -> bool:
        """Whether the server has all these objects."""
        return not self._find_missing(study_uid, uids)

    def deliver(
        self, study_uid: str, uids: Mapping[str, ResultUids], paths: Mapping[str, Path]
    ) -> None:
        """Store what the server has not.

        Raises:
            GatewayError: see `DicomwebServer.store`; or the server says that it has stored an
                object, and does not have it.
        """
        missing = self._find_missing(study_uid, uids)
        if not missing:
            return
        self.server.store([paths[kind] for kind in missing])
        if lost := self._find_missing(study_uid, uids):
            raise AttemptError(f"the server does not have what it was given: {', '.join(lost)}")

    def _find_missing(self, study_uid: str, uids: Mapping[str, ResultUids]) -> list[str]:
        return [
            kind
            for kind, uid in uids.items()
            if uid.instance not in self.server.list_instances(study_uid, uid.series)
        ]
