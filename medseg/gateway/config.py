"""Config: read a gateway.toml, and refuse what cannot be meant, all faults in one line each."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from medseg.base.text import find_near_word
from medseg.gateway import settings as s

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_SECRETS = ("password", "token", "passwd", "secret", "api_key")
_POSITIVE = (
    *("poll_seconds", "stable_seconds", "first_seconds", "longest_seconds", "timeout_seconds"),
    *("max_gb", "max_attempts", "page", "max_age_days"),
)
_LONGEST_TITLE = 16  # characters of an AE title
_SECTIONS = {
    "server": s.Server,
    "watch": s.Watch,
    "retry": s.Retry,
    "disk": s.Disk,
    "health": s.Health,
    "listener": s.Listener,
    "peer": s.Peer,
}


def read_settings(path: str | os.PathLike) -> s.Settings:
    """Read the settings of a gateway.

    Paths in it start at its own folder. Secrets are not read, see `medseg.gateway.secrets`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no TOML, has a key that is not known, a value that it cannot have, a
            password, or an address that would send one unencrypted to another machine.

    Example:
        >>> read_settings("gateway.toml").bundle  # doctest: +SKIP
        'liver'
    """
    file = Path(path)
    try:
        stated = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no such file: {file}: write one, see docs/how-to/connect-a-pacs.md"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no TOML ({error}): correct it{_hint_quotes(error)}") from error
    try:
        return _make_settings(stated, file.absolute().parent)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file}: {error}") from error


def _hint_quotes(error: ValueError) -> str:
    """What most likely is wrong where a value is none: a text without its quotes."""
    return (
        '; a text needs quotes, such as bundle = "liver"' if "Invalid value" in str(error) else ""
    )


def _make_settings(stated: Mapping[str, Any], folder: Path) -> s.Settings:
    plain = {key: value for key, value in stated.items() if key not in ("rules", *_SECTIONS)}
    made: dict[str, Any] = {}
    for name, kind in _SECTIONS.items():
        if name in stated:
            made[name] = _make(kind, stated[name], name, folder)
    rules = stated.get("rules", [])
    if not isinstance(rules, list) or not rules:
        raise ValueError("there are no rules, so that nothing would be segmented: add [[rules]]")
    made["rules"] = tuple(_make(s.Rule, rule, "rules", folder) for rule in rules)
    found: s.Settings = _make(s.Settings, {**plain, **made}, "", folder)
    _check_together(found)
    return found


def _make(kind: Any, stated: Any, place: str, folder: Path) -> Any:
    """An object of the settings from a table of the file."""
    if not isinstance(stated, Mapping):
        raise ValueError(f"{place} is no table: write [{place}]")
    hints, known = get_type_hints(kind), {each.name: each for each in fields(kind)}
    for key in stated:
        _refuse_secret(key, place)
        if key not in known:
            near = find_near_word(key, known)
            remedy = f"did you mean {near}?" if near else f"known are {', '.join(known)}"
            raise ValueError(f"{_name(place, key)} is no setting: {remedy}")
    for key, each in known.items():
        needed = each.default is MISSING and each.default_factory is MISSING
        if needed and key not in stated:
            raise ValueError(f"{_name(place, key)} is missing: add it")
    return kind(
        **{
            key: _read(value, hints[key], _name(place, key), folder)
            for key, value in stated.items()
        }
    )


def _refuse_secret(key: str, place: str) -> None:
    if key in _SECRETS:
        raise ValueError(
            f"{_name(place, key)} stands in the file, where others may read it: take it out, "
            "change it at the server, and name a variable or a file with password_env, "
            "password_file, token_env or token_file"
        )


def _read(value: Any, hint: Any, name: str, folder: Path) -> Any:
    """A value of the file as the type that the setting has."""
    text = str(hint)
    if hint in _SECTIONS.values() or "medseg.gateway" in text or "Mapping" in text:
        return value
    if "tuple" in text:
        several = [value] if isinstance(value, str) else value
        if not isinstance(several, list) or not all(isinstance(one, str) for one in several):
            raise ValueError(f"{name} is {value!r}: give a text, or a list of texts")
        return tuple(several)
    if "Path" in text and isinstance(value, str) and value:
        return folder / Path(value).expanduser()
    if "bool" in text and isinstance(value, bool):
        return value
    if "str" in text and isinstance(value, str) and value:
        return value
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and ("float" in text or ("int" in text and isinstance(value, int))):
        return _check_number(value, name)
    wanted = {"Path": "a path", "bool": "true or false", "str": "a text", "float": "a number"}
    what = next((words for kind, words in wanted.items() if kind in text), "a whole number")
    raise ValueError(f"{name} is {value!r}: give {what}")


def _check_number(value: float, name: str) -> float:
    key = name.rpartition(".")[2]
    if key == "port" and not 0 < value < 2**16:
        raise ValueError(f"{name} is {value}: a port is 1 to 65535")
    if not 0 <= value < float("inf") or (key in _POSITIVE and value == 0):
        raise ValueError(f"{name} is {value}: give a number above 0")
    return value


def _check_together(found: s.Settings) -> None:
    """Refuse settings that contradict each other."""
    if found.server is None and found.listener is None:
        raise ValueError("there is neither [server] nor [listener]: images come from nowhere")
    if found.server is None and found.peer is None:
        raise ValueError("results go nowhere: add [server] or [peer]")
    for name in found.outputs:
        if name not in s.OUTPUTS:
            raise ValueError(f"outputs names {name!r}: choose from {', '.join(s.OUTPUTS)}")
    if not found.outputs or ("sr" in found.outputs and "seg" not in found.outputs):
        raise ValueError("outputs must hold seg where it holds sr, which refers to it")
    for key in ("output_dir", "input", "existing"):
        if key in found.keys:
            raise ValueError(f"keys.{key} is the gateway's own business: take it out")
    if found.listener is not None:
        _check_listener(found.listener)
    if found.peer is not None:
        _check_peer(found.peer)
    if found.server is not None:
        _check_server(found.server)


def _check_listener(listener: s.Listener) -> None:
    if not listener.accept_from:
        raise ValueError("listener.accept_from is empty: name the machines that may send")
    _check_titles("listener", listener.ae_title, *listener.accept_from)
    if listener.certificate is None and (listener.key or listener.ca_file):
        raise ValueError("listener.certificate is missing: without it nothing is encrypted")


def _check_peer(peer: s.Peer) -> None:
    _check_titles("peer", peer.ae_title, peer.own_ae_title)
    if not peer.tls and (peer.ca_file or peer.client_certificate or peer.client_key):
        raise ValueError("peer has certificates, but not tls = true: add it, or take them out")
    if peer.client_key is not None and peer.client_certificate is None:
        raise ValueError("peer.client_key is without peer.client_certificate: add it")


def _check_titles(place: str, *titles: str) -> None:
    for title in titles:
        if not title.strip() or len(title) > _LONGEST_TITLE or not title.isascii():
            raise ValueError(f"{place} has the AE title {title!r}: give 1 to 16 plain characters")


def _check_server(server: s.Server) -> None:
    try:
        parts = urlsplit(server.url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"server.url is no address ({error}): correct it") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("server.url has a name or password in it: use user and password_env")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise ValueError("server.url is no plain http:// or https:// address: correct it")
    ways = [server.password_env, server.password_file, server.token_env, server.token_file]
    if sum(way is not None for way in ways) > 1:
        raise ValueError(
            "server has several of password_env, password_file, token_env, token_file: keep one of "
            "them"
        )
    has_password = server.password_env is not None or server.password_file is not None
    if has_password != (server.user is not None):
        raise ValueError("server needs user and password_env (or password_file) together")
    if server.client_key is not None and server.client_certificate is None:
        raise ValueError("server.client_key is without server.client_certificate: add it")
    if parts.scheme == "http" and not is_loopback(host) and not server.allow_plain_http:
        raise ValueError(
            f"server.url is http to {host}, so that images, names and passwords can be read on the "
            "way: use https, or set server.allow_plain_http = true where the network is trusted"
        )


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine itself.

    Example:
        >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("10.0.0.1")
        (True, True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key
