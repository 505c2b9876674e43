"""Gateway verbs: the verbs below `medseg gateway`.

What a verb needs is imported when it runs, so that `medseg --help` answers at once.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medseg.base.console_streams import require_output
from medseg.cli.errors import DONE, SOME_FAILED, one_line_errors
from medseg.cli.output import Json, say, say_error_as_json, say_json, say_where_possible
from medseg.cli.paths import PathOption
from medseg.cli.usage import PlainCommand, PlainSubgroup

if TYPE_CHECKING:
    from medseg.gateway.settings import Settings
    from medseg.gateway.state import Job, StateFile

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


def _parse_number(text: str | int) -> int:
    """The number of a series.

    Raises:
        typer.BadParameter: it is none.
    """
    if re.fullmatch(r"[0-9]{1,18}", str(text)) is None:
        raise typer.BadParameter(
            f"{text!r} is not the number of a series, such as 7: see medseg gateway status"
        )
    return int(text)


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
        from medseg.gateway.check import check_ports
        from medseg.gateway.gateway import open_gateway
        from medseg.gateway.wording import naming_settings

        if not once:
            check_ports(settings)
        with naming_settings():
            segment = load_for_service(
                settings.bundle, outputs=settings.outputs, keys=settings.keys
            )
        with _ending_at_a_signal(), open_gateway(settings, segment) as gateway:
            if not once:
                if not json:
                    say(f"{segment.made_by} waits for series; Ctrl-C stops it")
                gateway.run()
                return
            done = gateway.run_once()
        if json:
            say_json({"series": [_describe(job) for job in done]})
        else:
            states = [job.state.value for job in done]
            stated = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
            say(f"processed {len(done)} series{': ' * bool(done)}{stated}")
    is_done = all(job.state.value in ("stored", "left out") for job in done)
    raise typer.Exit(DONE if is_done else SOME_FAILED)


@gateway_app.command("status", cls=PlainCommand)
def status(
    config: Config = _TOML,
    everything: Annotated[
        bool, typer.Option("--all", help="Show the series that are stored, too, with their UIDs.")
    ] = False,
    json: Json = False,
) -> None:
    """Show how many series are in each state, and each that is not stored, with the reason.

    Example: [cyan]medseg gateway status --config gateway.toml --all[/]
    """
    require_output()
    with one_line_errors(also=say_error_as_json(json)), _open_state(_read(config)) as state:
        from medseg.gateway.state import State

        counts = {kind.value: number for kind, number in state.count().items()}
        jobs = [job for job in state.list_jobs() if everything or job.state is not State.STORED]
        if json:
            say_json({"counts": counts, "series": [_describe(job) for job in jobs]})
            return
        say(", ".join(f"{number} {kind}" for kind, number in counts.items()))
        for job in jobs:
            reason = f": {job.reason}" if job.reason else ""
            say(f"series {job.number} ({job.series_uid}), {job.state.value}{reason}")


@gateway_app.command("retry", cls=PlainCommand)
def retry(
    numbers: Annotated[
        list[int] | None,
        typer.Argument(
            metavar="SERIES...",
            help="Numbers of series. Default: all that failed.",
            parser=_parse_number,
        ),
    ] = None,
    config: Config = _TOML,
    json: Json = False,
) -> None:
    """Let series that failed or were given up be tried again at once.

    Example: [cyan]medseg gateway retry 7 12 --config gateway.toml[/]
    """
    require_output()
    with one_line_errors(also=say_error_as_json(json)), _open_state(_read(config)) as state:
        jobs = state.repeat(numbers or None)
        if missing := set(numbers or ()) - {job.number for job in jobs}:
            stated = ", ".join(map(str, sorted(missing)))
            raise ValueError(
                f"there is no failed or dead series {stated}: see medseg gateway status"
            )
        if json:
            say_json({"series": [job.number for job in jobs]})
        else:
            say(f"tried again: {', '.join(job.name for job in jobs) or 'nothing'}")


@gateway_app.command("check", cls=PlainCommand)
def check(config: Config = _TOML, json: Json = False) -> None:
    """Try what the gateway needs: settings, disk, server, credentials, bundle; one line each.

    Example: [cyan]medseg gateway check --config gateway.toml[/]
    """
    require_output()
    with one_line_errors(also=say_error_as_json(json)):
        settings = _read(config)
        from medseg.gateway.check import check_gateway

        def load() -> str:
            """Load the bundle; its name and version."""
            from medseg.bundles.segment_series import SegmentSeries

            made = SegmentSeries(settings.bundle, outputs=settings.outputs, **settings.keys)
            return made.made_by

        found = []
        for finding in check_gateway(settings, load):
            found.append(finding)
            if not json:
                mark = "-- " if finding.waits else "ok " if finding.ok else "bad"
                say(f"{mark} {finding.topic:<9} {finding.text}")
        sound = all(finding.ok for finding in found)
        if json:
            say_json({"ok": sound, "findings": [asdict(finding) for finding in found]})
    raise typer.Exit(DONE if sound else SOME_FAILED)


@contextmanager
def _open_state(settings: Settings) -> Iterator[StateFile]:
    """The state of a gateway that has run."""
    from medseg.gateway.state import open_state
    from medseg.gateway.work_folder import STATE

    file = settings.work_dir / STATE
    if not file.is_file():
        raise FileNotFoundError(f"no gateway has run in {settings.work_dir}: start one first")
    with open_state(file) as state:
        yield state


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
