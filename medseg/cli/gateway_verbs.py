"""Gateway verbs: the verbs below `medseg gateway`.

What a verb needs is imported when it runs, so that `medseg --help` answers at once.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medseg.cli.errors import DONE, SOME_FAILED, one_line_errors
from medseg.cli.output import Json, say, say_error_as_json, say_json, say_where_possible
from medseg.cli.paths import PathOption
from medseg.cli.usage import PlainCommand, PlainSubgroup

if TYPE_CHECKING:
    from medseg.gateway.settings import Settings
    from medseg.gateway.state import Job

_AFTER_STOP = "the series that was being done is done again at the next start"

gateway_app = typer.Typer(
    cls=PlainSubgroup,
    help="Watch a PACS: fetch series, segment them, store the results there.\n\n"
    "Example: [cyan]medseg gateway run --config gateway.toml[/]",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Config = Annotated[Path, PathOption("--config", "-c", help="The settings of the gateway.")]
_TOML = Path("gateway.toml")


@gateway_app.command("run", cls=PlainCommand)
def run(
    config: Config = _TOML,
    once: Annotated[bool, typer.Option("--once", help="Process what is there, then exit.")] = False,
    json: Json = False,
) -> None:
    """Fetch, segment and store the series that match the rules, until stopped.

    Example: [cyan]medseg gateway run --config gateway.toml --once[/]
    """
    with one_line_errors(_AFTER_STOP, also=say_error_as_json(json)):
        settings = _read(config)
        from medseg.bundles.segment_series import load_for_service
        from medseg.gateway.gateway import open_gateway

        segment = load_for_service(settings.bundle, outputs=settings.outputs, keys=settings.keys)
        with _ending_at_a_signal(), open_gateway(settings, segment) as gateway:
            if not once:
                gateway.run()
                return
            done = gateway.run_once()
        if json:
            say_json({"series": [_describe(job) for job in done]})
        else:
            states = [job.state.value for job in done]
            stated = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
            say(f"processed {len(done)} series{': ' * bool(done)}{stated}")
    raise typer.Exit(DONE if all(job.state.value == "stored" for job in done) else SOME_FAILED)


class _StopSignal(BaseException):
    """SIGTERM came; no error of a series, which `except Exception` would take it for."""


@contextmanager
def _ending_at_a_signal() -> Iterator[None]:
    """Within the block, SIGTERM ends the command with one line and status 0."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _StopSignal

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except _StopSignal:
        say_where_possible(f"stopped: {_AFTER_STOP}\n")
        raise typer.Exit(DONE) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _read(config: Path) -> Settings:
    """The settings, where the packages that a gateway needs are installed."""
    if find_spec("dicomweb_client") is None or find_spec("pynetdicom") is None:
        raise ValueError("the gateway needs other packages: pip install 'medseg[gateway]'")
    from medseg.gateway.config import read_settings

    return read_settings(config)


def _describe(job: Job) -> dict[str, Any]:
    """A series for a JSON document."""
    return {
        "number": job.number,
        "series_uid": job.series_uid,
        "study_uid": job.study_uid,
        "bundle": job.bundle,
        "source": job.source,
        "state": job.state.value,
        "instances": job.instances,
        "attempts": job.attempts,
        "next_try": job.next_try or None,
        "reason": job.reason or None,
    }
