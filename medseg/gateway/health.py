"""Health: what monitoring asks, on a port of this machine alone."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from medseg import __version__
from medseg.gateway.failures import GatewayError
from medseg.gateway.state import WAITING, StateFile, open_state

logger = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Condition:
    """How a gateway is.

    Attributes:
        bundle: that it runs, with its version.
        trouble: why nothing works for now; empty where it does.
        looked_at: when the server last answered, in seconds since 1970; 0 for never.
        disk_bytes: of its folder.
    """

    bundle: str
    trouble: str
    looked_at: float
    disk_bytes: int


@contextmanager
def serving_health(
    port: int | None, state_file: Path, ask: Callable[[], Condition]
) -> Iterator[None]:
    """Serve `/health` and `/metrics` on a port of this machine while the block runs.

    `/health` is a JSON document, with status 200 where all works and 503 where nothing does for
    now. `/metrics` has the text format of Prometheus. Neither says anything of a patient.

    Args:
        port: None serves nothing.
        state_file: is read at each request.
        ask: tells how the gateway is.

    Raises:
        OSError: the port is taken.
    """
    if port is None:
        yield
        return
    handler = type("Handler", (_Handler,), {"state_file": state_file, "ask": staticmethod(ask)})
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError as error:
        raise OSError(
            f"nothing can listen on {LOOPBACK} port {port} ({error.strerror}): choose another "
            "health.port"
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    logger.info("health and metrics: http://%s:%d/health and /metrics", LOOPBACK, port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def format_metrics(condition: Condition, state: StateFile, *, now: float) -> str:
    """The metrics in the text format of Prometheus, version 0.0.4.

    Args:
        condition: of the gateway.
        state: of all series.
        now: in seconds since 1970.
    """
    waiting = [job.found_at for job in state.list_jobs(*WAITING)]
    counts = {f'{{state="{kind.value}"}}': float(number) for kind, number in state.count().items()}
    about = f'{{version="{_escape(__version__)}",bundle="{_escape(condition.bundle)}"}}'
    metrics: list[tuple[str, str, dict[str, float]]] = [
        ("info", "Version of medseg and the bundle.", {about: 1}),
        ("up", "1 where all works, 0 where nothing does for now.", {"": not condition.trouble}),
        ("series", "Series by state.", counts),
        (
            "last_look_timestamp_seconds",
            "When the server last answered.",
            {"": condition.looked_at},
        ),
        (
            "oldest_waiting_seconds",
            "Age of the series that has waited longest.",
            {"": now - min(waiting, default=now)},
        ),
        ("disk_bytes", "Bytes in the folder of the gateway.", {"": condition.disk_bytes}),
    ]
    lines = []
    for name, meaning, values in metrics:
        full = f"medseg_gateway_{name}"
        lines += [f"# HELP {full} {meaning}", f"# TYPE {full} gauge"]
        lines += [f"{full}{labels} {float(value):.15g}" for labels, value in values.items()]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """A text as the value of a label."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class _Handler(BaseHTTPRequestHandler):
    state_file: Path
    ask: Callable[[], Condition]
    server_version = "medseg"
    sys_version = ""
    timeout = _TIMEOUT_S

    def do_GET(self) -> None:
        """Answer a request."""
        condition = self.ask()
        try:
            with open_state(self.state_file) as state:
                if self.path == "/health":
                    self._send_health(condition, state)
                elif self.path == "/metrics":
                    text = format_metrics(condition, state, now=time.time())
                    self._send(200, text, "text/plain; version=0.0.4; charset=utf-8")
                else:
                    self._send(404, "ask for /health or /metrics\n", "text/plain")
        except GatewayError as error:
            self._send(503, json.dumps({"status": "failing", "reason": str(error)}) + "\n")

    def log_message(self, *_: object) -> None:
        """Log no requests."""

    def _send_health(self, condition: Condition, state: StateFile) -> None:
        document = {
            "status": "failing" if condition.trouble else "ok",
            "reason": condition.trouble or None,
            "bundle": condition.bundle,
            "series": {kind.value: number for kind, number in state.count().items()},
        }
        self._send(503 if condition.trouble else 200, json.dumps(document) + "\n")

    def _send(self, status: int, text: str, kind: str = "application/json") -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
