"""TLS: encrypted C-STORE connections, with certificates on both sides where they are given."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medseg.gateway.settings import Listener, Peer


def make_listener_context(listener: Listener) -> ssl.SSLContext | None:
    """What the listener encrypts with; None where it has no certificate and takes plain DICOM.

    With `ca_file`, only senders that show a certificate signed by one of it are let in.

    Raises:
        ValueError: a file is not there, or is no certificate or key.

    Source: DICOM PS3.15, section B.9, the BCP 195 profile: TLS 1.2 or later.
    """
    if listener.certificate is None:
        return None
    context = _LateHandshake(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with _explained("listener", listener.certificate, listener.key, listener.ca_file):
        context.load_cert_chain(listener.certificate, listener.key)
        if listener.ca_file is not None:
            context.load_verify_locations(listener.ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    return context


def make_peer_context(peer: Peer) -> ssl.SSLContext | None:
    """What results are encrypted with on their way to the peer; None without `tls`.

    The peer must show a certificate for its host, signed by one of `ca_file`, or else by one that
    this machine trusts.

    Raises:
        ValueError: a file is not there, or is no certificate or key.
    """
    if not peer.tls:
        return None
    with _explained("peer", peer.ca_file, peer.client_certificate, peer.client_key):
        context = ssl.create_default_context(cafile=peer.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if peer.client_certificate is not None:
            context.load_cert_chain(peer.client_certificate, peer.client_key)
    return context


class _LateHandshake(ssl.SSLContext):
    """Shakes hands when a connection is first read, which has a thread of its own.

    pynetdicom would do it where it accepts connections, and one that stays silent there would keep
    all others waiting.
    """

    def wrap_socket(self, *arguments: Any, **keys: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*arguments, **{**keys, "do_handshake_on_connect": False})


@contextmanager
def _explained(place: str, *files: Path | None) -> Iterator[None]:
    """Say which file is at fault, in one line."""
    for file in files:
        if file is not None and not file.is_file():
            raise ValueError(f"{place}: no such file: {file}: correct the path")
    try:
        yield
    except (ssl.SSLError, OSError) as error:
        named = ", ".join(str(file) for file in files if file is not None)
        why = getattr(error, "reason", None) or error.strerror or type(error).__name__
        raise ValueError(
            f"{place}: {named} cannot be used for TLS ({why}): give a certificate and its private "
            "key, unencrypted and in PEM form"
        ) from error
