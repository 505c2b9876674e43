"""Check: whether a gateway could do its work, found out before it runs."""

from __future__ import annotations

import shutil
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from medseg.base.errors import explain_access_fault, find_root_cause
from medseg.base.files import check_folder
from medseg.base.text import count_noun, shorten_list
from medseg.gateway.gateway import connect, find_destination
from medseg.gateway.health import LOOPBACK
from medseg.gateway.pacs.listed_series import ListedSeries
from medseg.gateway.rules import is_wanted, list_modalities
from medseg.gateway.settings import Settings
from medseg.gateway.wording import naming_settings

_GB = 1e9


@dataclass(frozen=True)
class Finding:
    """What was found of one topic.

    Attributes:
        topic: such as "server".
        ok: whether the gateway can work so.
        text: in one line.
        waits: whether it can work so and has nothing to do yet, which may be a fault of a rule.
    """

    topic: str
    ok: bool
    text: str
    waits: bool = False


def check_gateway(settings: Settings, load: Callable[[], str]) -> Iterator[Finding]:
    """Try all that a gateway needs, one finding each; nothing is fetched or stored.

    Args:
        settings: of the gateway.
        load: loads the bundle with its weights, and gives its name and version.
    """
    yield Finding("settings", True, _describe_settings(settings))
    yield _try("disk", lambda: _check_disk(settings))
    if settings.server is not None:
        yield _check_server(settings)
    if settings.peer is not None:
        yield _try("peer", lambda: _check_peer(settings))
    for topic, host, port in _list_ports(settings):
        yield _try(topic, lambda host=host, port=port: _check_port(host, port))  # type: ignore[misc]
    yield _try("bundle", lambda: _check_bundle(load))


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


def _check_server(settings: Settings) -> Finding:
    """Whether the server answers, and whether anything on it matches the rules."""
    matching = 0

    def ask() -> str:
        nonlocal matching
        matching, text = _ask_server(settings)
        return f"it answers and takes the credentials; {text}"

    found = _try("server", ask)
    return replace(found, waits=found.ok and not matching)


def _ask_server(settings: Settings) -> tuple[int, str]:
    """How many of the first series of the server match, and what to say of them."""
    server = connect(settings)
    if server is None:
        raise ValueError("there is no [server]")
    server.ask()
    page = settings.watch.page

    def list_first(modalities: Sequence[str] | None) -> list[ListedSeries]:
        listed = server.list_series(modalities, since=None, page=page)
        return [series for _, series in zip(range(page), listed, strict=False)]

    first = list_first(list_modalities(settings.rules))
    wanted = sum(is_wanted(series, settings.rules) for series in first)
    if wanted:
        return wanted, f"{wanted} of its first {len(first)} series match"
    there = list_first(None)
    if not there:
        return 0, "it has no series, so that nothing matches the rules yet"
    count = count_noun(len(there), "series", plural="series")
    return 0, f"nothing matches the rules yet; its first {count}: {_count_kinds(there)}"


def _count_kinds(listed: Iterable[ListedSeries]) -> str:
    """How many series there are of each modality and body part; no text that names a patient."""
    kinds = Counter((one.modality or "no modality", one.body_part) for one in listed)
    told = [
        f"{number} {modality}{f' of {part}' if part else ' without body part'}"
        for (modality, part), number in kinds.most_common()
    ]
    return shorten_list(told)


def _check_bundle(load: Callable[[], str]) -> str:
    with naming_settings():
        return f"{load()}, its weights are loaded"


def check_ports(settings: Settings) -> None:
    """Refuse a port that is taken, before a bundle is loaded for nothing.

    Raises:
        OSError: naming the port, and what to do.
    """
    for _, host, port in _list_ports(settings):
        _check_port(host, port)


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
