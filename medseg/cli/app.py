"""App: the `medseg` command, its verbs in the order of its help.

Every verb imports what it needs when it runs, so that `medseg --help` answers at once.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from inspect import cleandoc
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

import medseg
from medseg.base.console_streams import (
    OutputError,
    go_on_without_readers,
    require_output,
)
from medseg.base.interrupts import remember_interrupts
from medseg.base.text import escape_unprintable, log_printable_text
from medseg.bundles.tracking import hide_mlflow
from medseg.cli.bundles import bundles_app
from medseg.cli.crossval_verb import crossval
from medseg.cli.data_verbs import download, inspect, phantom, prepare
from medseg.cli.errors import DONE, SOME_FAILED
from medseg.cli.gateway_verbs import gateway_app
from medseg.cli.new_verb import new
from medseg.cli.output import Json, say, say_json, say_where_possible
from medseg.cli.report_verb import report
from medseg.cli.usage import BAD_ARGUMENTS, PlainCommand, PlainGroup
from medseg.cli.workflow_verbs import evaluate, export, prune, segment, train

_HELP = {"-h", "--help"}

app = typer.Typer(
    name="medseg",
    cls=PlainGroup,
    help="Segment medical images with the UNet++ family: DICOM or NIfTI in, masks out.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": sorted(_HELP)},
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        require_output()
        say(f"medseg {medseg.__version__}")
        raise typer.Exit(DONE)


@app.callback()
def start(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options of medseg itself, such as --version; typer calls this before each verb."""


def doctor(json: Json = False) -> None:
    """Show what this machine has: versions, devices, memory, decoders, one line each.

    Example: [cyan]medseg doctor[/]
    """
    from medseg.cli.doctor import check_machine

    require_output()
    console = Console(emoji=False)
    lines = list(check_machine())
    sound = all(finding.ok for finding in lines)
    if json:
        say_json({"ok": sound, "findings": [asdict(finding) for finding in lines]})
        raise typer.Exit(DONE if sound else SOME_FAILED)
    for finding in lines:
        mark = "--  " if finding.is_missing else "[green]ok[/]  " if finding.ok else "[red]bad[/] "
        shown = escape(escape_unprintable(finding.text))
        console.print(f"{mark} {finding.topic:<22} {shown}", soft_wrap=True, highlight=False)
    raise typer.Exit(DONE if sound else SOME_FAILED)


_OVERRIDES: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "options_metavar": "[OPTIONS] [--KEY VALUE]...",
}
_TAKE_OVERRIDES = {"train", "crossval", "evaluate", "segment", "prune", "export", "prepare"}
_VERBS: dict[str, tuple[Callable[..., None], ...]] = {
    "Data": (phantom, download, prepare),
    "Train": (new, train, crossval, evaluate, prune),
    "Use": (segment, report, export),
    "Look": (inspect, doctor),
}
"""The verbs by what a person wants to do, in the order of the help."""

for _panel, _verbs in _VERBS.items():
    for _verb in _verbs:
        _lines = cleandoc(_verb.__doc__ or "")
        _help = re.sub(r"(?<!\n)\n(?!\n)", " ", _lines)  # a paragraph fills the terminal's width
        _more = _OVERRIDES if _verb.__name__ in _TAKE_OVERRIDES else {}
        app.command(cls=PlainCommand, help=_help, rich_help_panel=_panel, **_more)(_verb)
app.add_typer(bundles_app, name="bundles", rich_help_panel="Look")
app.add_typer(gateway_app, name="gateway", rich_help_panel="Use")


def main() -> None:
    """Entry point of the `medseg` command."""
    remember_interrupts()
    go_on_without_readers()
    log_printable_text()
    hide_mlflow(sys.argv)
    try:
        if not _HELP.isdisjoint(sys.argv):
            require_output()
        try:
            app()
        finally:
            sys.stdout.flush()
    except OutputError as error:
        say_where_possible(f"error: {error}\n")
        sys.exit(BAD_ARGUMENTS)
