"""Peer: results go by C-STORE, to a PACS without DICOMweb."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydicom import Dataset, dcmread
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification

from medseg.gateway.failures import AttemptError, HopelessError, UnavailableError
from medseg.gateway.pacs.listener import hush
from medseg.gateway.pacs.tls import make_peer_context
from medseg.gateway.results import ResultUids
from medseg.gateway.settings import Peer

_ALREADY_THERE = 0x0111
_WARNINGS = range(0xB000, 0xC000)
_OUT_OF_RESOURCES = range(0xA700, 0xA800)
_NEVER = (0x0122, *range(0xA900, 0xAA00), *range(0xC000, 0xD000))


class PeerDestination:
    """A PACS that takes results by C-STORE.

    It cannot be asked what it has. So results may be sent again after a kill; they have the same
    UIDs then, by which a PACS knows that it has them.

    Args:
        peer: its address and titles.

    Raises:
        ValueError: a certificate of the settings cannot be used.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        context = make_peer_context(peer)
        self._tls_args = None if context is None else (context, peer.host)

    def ask(self) -> None:
        """See whether it answers (C-ECHO).

        Raises:
            UnavailableError: it does not.
        """
        entity = self._make_entity()
        entity.add_requested_context(Verification)
        with self._connected(entity) as association:
            if association.send_c_echo().get("Status") != 0x0000:
                raise UnavailableError(f"{self._name()} does not answer: see whether it runs")

    def has_all(self, study_uid: str, uids: Mapping[str, ResultUids]) -> bool:
        """Never, since it is not asked."""
        return False

    def deliver(
        self, study_uid: str, uids: Mapping[str, ResultUids], paths: Mapping[str, Path]
    ) -> None:
        """Send the objects.

        Raises:
            UnavailableError: it cannot be reached, or has no room.
            AttemptError: it took one and did not say so.
            HopelessError: it will never take one.
        """
        objects = {kind: dcmread(paths[kind]) for kind in uids}
        entity = self._make_entity()
        for found in objects.values():
            entity.add_requested_context(found.SOPClassUID, found.file_meta.TransferSyntaxUID)
        with self._connected(entity) as association:
            for kind, found in objects.items():
                self._send(association, kind, found)

    def _send(self, association: Association, kind: str, found: Dataset) -> None:
        try:
            answer = association.send_c_store(found)
        except ValueError as error:  # no presentation context was accepted
            raise HopelessError(f"{self._name()} takes no {kind} of this kind") from error
        except RuntimeError as error:
            raise UnavailableError(f"{self._name()} broke the connection off") from error
        status = answer.get("Status")
        if status in (0x0000, _ALREADY_THERE) or (status is not None and status in _WARNINGS):
            return
        if status is None:
            raise AttemptError(f"{self._name()} did not answer: storing the {kind}")
        if status in _OUT_OF_RESOURCES:
            raise UnavailableError(f"{self._name()} has no room (0x{status:04X}): make room there")
        kind_of_error = HopelessError if status in _NEVER else AttemptError
        raise kind_of_error(f"{self._name()} did not take the {kind} (0x{status:04X})")

    def _make_entity(self) -> AE:
        entity = AE(ae_title=self.peer.own_ae_title)
        for name in ("acse_timeout", "dimse_timeout", "network_timeout", "connection_timeout"):
            setattr(entity, name, self.peer.timeout_seconds)
        return entity

    @contextmanager
    def _connected(self, entity: AE) -> Iterator[Association]:
        peer = self.peer
        with hush():
            association = entity.associate(
                peer.host, peer.port, ae_title=peer.ae_title, tls_args=self._tls_args
            )
            if not association.is_established:
                was_rejected = association.is_rejected
                raise UnavailableError(
                    f"{self._name()} refuses the connection: correct peer.ae_title and "
                    "peer.own_ae_title, or let it know this machine"
                    if was_rejected
                    else f"{self._name()} cannot be reached: see whether it runs{self._doubt()}"
                )
            try:
                yield association
            finally:
                association.release()

    def _doubt(self) -> str:
        """What else can be wrong: of a handshake that failed, no more than that is known."""
        if self._tls_args is None:
            return ", and whether it takes connections without TLS"
        return ", whether it takes TLS, and whether peer.ca_file has signed its certificate"

    def _name(self) -> str:
        return f"the peer {self.peer.ae_title}"
