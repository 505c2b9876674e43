"""Refuses, and writes down, whatever a Python process would send to another machine.

Python imports a module of this name at its start, where its folder is on PYTHONPATH.
"""

import os
import sys

_WATCHED = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
}
"""Audit event -> which of its arguments is the address."""


def _is_here(address: object) -> bool:
    """Whether an address is of this machine: a socket file, none at all, or the loopback."""
    host = address[0] if isinstance(address, tuple) else address
    if (
        not isinstance(address, tuple)
        and isinstance(host, (str, bytes))
        and b"/" in os.fsencode(host)
    ):
        return True
    name = os.fsdecode(host) if isinstance(host, (str, bytes)) else host
    return name in (None, "", "localhost", "::1") or str(name).startswith("127.")


def _watch(event: str, arguments: tuple) -> None:
    if event in _WATCHED and not _is_here(address := arguments[_WATCHED[event]]):
        with open(os.environ["NETWORK_GUARD_LOG"], "a") as log:
            log.write(f"{event} {address} by {sys.argv}\n")
        raise OSError(f"{event} {address}: no connection in this test")


sys.addaudithook(_watch)
