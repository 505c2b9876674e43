"""Settings: what a gateway.toml may say, with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OUTPUTS = ("seg", "sr", "rtstruct")
"""What can be stored: Segmentation, Structured Report, RT Structure Set."""


@dataclass(frozen=True)
class Server:
    """A DICOMweb server, `[server]`.

    Attributes:
        url: of its DICOMweb services, such as "https://pacs.example.org/dicom-web".
        user: for basic authentication, with one of the two passwords.
        password_env: name of the environment variable that has the password.
        password_file: file whose first line is the password.
        token_env: name of the environment variable that has a bearer token.
        token_file: file whose first line is a bearer token.
        ca_file: certificates (PEM) that the server's is signed with; None means the usual ones.
        client_certificate: of this machine (PEM), for a server that asks for one.
        client_key: its private key (PEM), where that is a file of its own.
        timeout_seconds: after so long without a byte from the server a request has failed.
        allow_plain_http: whether credentials and images may go to another machine unencrypted.
    """

    url: str
    user: str | None = None
    password_env: str | None = None
    password_file: Path | None = None
    token_env: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    timeout_seconds: float = 60.0
    allow_plain_http: bool = False


@dataclass(frozen=True)
class Rule:
    """Which series are segmented, `[[rules]]`: those that match every line of one rule.

    Each line is a pattern or several, with * and ?, in which case does not count; one of several
    must match. What a header does not state is an empty text.

    Attributes:
        modality: "CT", "MR", ...
        body_part: Body Part Examined.
        description: Series Description.
        institution: Institution Name.
    """

    modality: tuple[str, ...]
    body_part: tuple[str, ...] = ("*",)
    description: tuple[str, ...] = ("*",)
    institution: tuple[str, ...] = ("*",)


@dataclass(frozen=True)
class Watch:
    """How a server is watched, `[watch]`.

    Attributes:
        poll_seconds: between two looks.
        stable_seconds: a series is complete when its number of images has not changed for so long.
        max_age_days: studies with an older date are not looked at; None looks at all.
        page: so many series are asked for at once.
    """

    poll_seconds: float = 30.0
    stable_seconds: float = 60.0
    max_age_days: int | None = None
    page: int = 200


@dataclass(frozen=True)
class Retry:
    """How often what failed is tried again, `[retry]`.

    Attributes:
        first_seconds: before the second try; each further pause is twice as long.
        longest_seconds: no pause is longer.
        max_attempts: a series that failed so often goes to the dead letters. An unreachable server,
            refused credentials and a full disk are no attempts of a series.
    """

    first_seconds: float = 30.0
    longest_seconds: float = 3600.0
    max_attempts: int = 8


@dataclass(frozen=True)
class Disk:
    """How much disk the gateway takes, `[disk]`.

    Attributes:
        max_gb: of all that it keeps in its folder, in units of 1e9 bytes.
        min_free_gb: is left free for others.
    """

    max_gb: float = 20.0
    min_free_gb: float = 1.0


@dataclass(frozen=True)
class Health:
    """A port of this machine alone for monitoring, `[health]`.

    Attributes:
        port: of 127.0.0.1; None serves nothing.
    """

    port: int | None = None


@dataclass(frozen=True)
class Listener:
    """A C-STORE service that images are sent to, `[listener]`.

    Attributes:
        port: that it listens on.
        host: address of this machine that it listens on; "127.0.0.1" is reached from here alone.
        ae_title: by which others must call it.
        accept_from: titles of the machines that may send.
        stable_seconds: a series is complete when none of its images came for so long.
        timeout_seconds: after so long without a message a sender is let go.
        certificate: of this machine (PEM); with it, only encrypted connections (TLS) are taken.
        key: its private key (PEM), where that is a file of its own.
        ca_file: certificates (PEM) of which one must have signed that of a sender; None asks
            senders for none.
    """

    port: int
    accept_from: tuple[str, ...]
    host: str = "127.0.0.1"
    ae_title: str = "MEDSEG"
    stable_seconds: float = 60.0
    timeout_seconds: float = 60.0
    certificate: Path | None = None
    key: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True)
class Peer:
    """Where results go by C-STORE, `[peer]`; without it they go to the server.

    Attributes:
        host: name or address.
        port: of its C-STORE service.
        ae_title: of that service.
        own_ae_title: by which the gateway introduces itself.
        timeout_seconds: after so long without an answer a result has failed.
        tls: whether results go encrypted.
        ca_file: certificates (PEM) that the peer's is signed with; None means the usual ones.
        client_certificate: of this machine (PEM), for a peer that asks for one.
        client_key: its private key (PEM), where that is a file of its own.
    """

    host: str
    port: int
    ae_title: str
    own_ae_title: str = "MEDSEG"
    timeout_seconds: float = 60.0
    tls: bool = False
    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None


@dataclass(frozen=True)
class Settings:
    """All of a gateway.toml.

    Attributes:
        bundle: name or folder of the bundle that segments.
        work_dir: folder of the gateway: its state, and what is fetched and not yet stored.
        rules: which series are segmented.
        outputs: which of `OUTPUTS` are stored.
        keys: of the bundle's inference.json, as `medseg segment` takes them.
    """

    bundle: str
    work_dir: Path
    rules: tuple[Rule, ...]
    server: Server | None = None
    outputs: tuple[str, ...] = ("seg", "sr")
    watch: Watch = Watch()
    retry: Retry = Retry()
    disk: Disk = Disk()
    health: Health = Health()
    listener: Listener | None = None
    peer: Peer | None = None
    keys: Mapping[str, Any] = field(default_factory=dict)
