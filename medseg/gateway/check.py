"""Check: whether a gateway could do its work, found out before it runs."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from medseg.base.errors import explain_access_fault, find_root_cause
from medseg.base.files import check_folder
from medseg.gateway.gateway import connect, find_destination
from medseg.gateway.health import LOOPBACK
from medseg.gateway.rules import is_wanted, list_modalities
from medseg.gateway.settings import Settings

_GB = 1e9


@dataclass(frozen=True)
class Finding:
    """What was found of one topic.

    Attributes:
        topic: such as "server".
        ok: whether the gateway can work so.
        text: in one line.
    """

    topic: str
    ok: bool
    text: str


def check_gateway(settings: Settings, load: Callable[[], str]) -> Iterator[Finding]:
    """Try all that a gateway needs, one finding each; nothing is fetched or stored.

    Args:
        settings: of the gateway.
        load: loads the bundle with its weights, and gives its name and version.
    """
    yield Finding("settings", True, _describe_settings(settings))
    yield _try("disk", lambda: _check_disk(settings))
    if settings.server is not None:
        yield _try("server", lambda: _check_server(settings))
    if settings.peer is not None:
        yield _try("peer", lambda: _check_peer(settings))
    for topic, host, port in _list_ports(settings):
        yield _try(topic, lambda host=host, port=port: _check_port(host, port))  # type: ignore[misc]
    yield _try("bundle", lambda: f"{load()}, its weights are loaded")


def _try(topic: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(topic, True, check())
    except Exception as error:  # each is a finding, and the others are to be looked at, too
        cause = find_root_cause(error)
        return Finding(topic, False, explain_access_fault(cause) or " ".join(str(cause).split()))


def _describe_settings(settings: Settings) -> str:
    ways = {
        "server": settings.server is not None,
        "listener": settings.listener is not None,
    }
    given = " and ".join(name for name, is_given in ways.items() if is_given)
    goal = "peer" if settings.peer is not None else "server"
    return f"images from the {given}; {', '.join(settings.outputs)} to the {goal}"


def _check_disk(settings: Settings) -> str:
    check_folder(settings.work_dir)
    place = settings.work_dir.absolute()
    there = next(path for path in (place, *place.parents) if path.exists())
    free = shutil.disk_usage(there).free / _GB
    if free < settings.disk.min_free_gb:
        raise OSError(
            f"{free:.1f} GB are free, and disk.min_free_gb is {settings.disk.min_free_gb:g}: "
            "make room"
        )
    return f"{free:.1f} GB are free at {settings.work_dir}; {settings.disk.max_gb:g} GB at most"


def _check_server(settings: Settings) -> str:
    server = connect(settings)
    if server is None:
        raise ValueError("there is no [server]")
    server.ask()
    page = settings.watch.page
    listed = server.list_series(list_modalities(settings.rules), since=None, page=page)
    first = [series for _, series in zip(range(page), listed, strict=False)]
    wanted = sum(is_wanted(series, settings.rules) for series in first)
    return f"it answers and takes the credentials; {wanted} of its first {len(first)} series match"


def _check_peer(settings: Settings) -> str:
    destination = find_destination(settings, None)
    destination.ask()
    return "it answers"


def _list_ports(settings: Settings) -> Iterator[tuple[str, str, int]]:
    if settings.listener is not None:
        yield "listener", settings.listener.host, settings.listener.port
    if settings.health.port is not None:
        yield "health", LOOPBACK, settings.health.port


def _check_port(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            raise OSError(
                f"nothing can listen on {host} port {port} ({error.strerror}): choose another, or "
                "stop the gateway that runs"
            ) from error
    return f"port {port} of {host} is free"
