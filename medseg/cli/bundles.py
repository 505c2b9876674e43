"""CLI of bundles: the verbs below `medseg bundles`."""

from pathlib import Path
from typing import Annotated

import typer

from medseg.base.console_streams import require_output
from medseg.cli.errors import DONE, SOME_FAILED, one_line_errors
from medseg.cli.output import say
from medseg.cli.paths import PathArgument, PathOption, check_bundle_names
from medseg.cli.usage import PlainCommand, PlainSubgroup

bundles_app = typer.Typer(
    cls=PlainSubgroup,
    help="List, build, check and publish bundles.\n\nExample: [cyan]medseg bundles check liver[/]",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAMES...", help="Names of bundles. Default: all.", callback=check_bundle_names
    ),
]
BundlesDir = Annotated[Path, PathOption(help="Folder of the bundles and their layers.")]


@bundles_app.command("list", cls=PlainCommand)
def list_bundles(bundles_dir: BundlesDir = Path("bundles")) -> None:
    """List the bundles, what each one segments, and whether it has weights.

    Example: [cyan]medseg bundles list[/]
    """
    import json

    from medseg.bundles import build

    with one_line_errors():
        require_output()
        for name in build.list_names(bundles_dir):
            root = bundles_dir / name
            task = json.loads((root / "configs" / "metadata.json").read_text())["task"]
            weights = "weights" if (root / "models" / "model.pt").exists() else "no weights"
            say(f"{name:<16} {weights:<11} {task}")


@bundles_app.command("publish", cls=PlainCommand)
def publish(
    run: Annotated[Path, PathArgument(metavar="RUN", help="Folder of a training run.")],
    bundle: Annotated[Path, PathArgument(metavar="BUNDLE", help="Name or folder of a bundle.")],
) -> None:
    """Give a bundle the weights of a training run; its earlier weights are kept beside it.

    Example: [cyan]medseg bundles publish runs/liver/2026-01-02_03-04-05 bundles/liver[/]
    """
    with one_line_errors():
        require_output()
        from medseg.bundles.locate import locate

        target = locate(bundle)
        from medseg.bundles.publish import publish_run

        kept = publish_run(run, target)
        say(f"{target} has the weights of {run}" + (f"; the earlier ones: {kept}" if kept else ""))


@bundles_app.command("build", cls=PlainCommand)
def build_bundles(
    names: Names = None,
    bundles_dir: BundlesDir = Path("bundles"),
) -> None:
    """Build the configs of bundles from their layers.

    Example: [cyan]medseg bundles build liver[/]
    """
    from medseg.bundles import build

    with one_line_errors():
        for name in names or build.list_names(bundles_dir):
            for path in build.build(name, bundles_dir):
                say(f"written {path}")


@bundles_app.command("check", cls=PlainCommand)
def check_bundles(
    names: Names = None,
    bundles_dir: BundlesDir = Path("bundles"),
) -> None:
    """Check bundles against MONAI's bundle specification and medseg's rules; list all faults.

    Example: [cyan]medseg bundles check liver[/]
    """
    from medseg.base.text import count_noun
    from medseg.bundles import build
    from medseg.bundles.check import find_faults

    found = False
    with one_line_errors():
        require_output()
        for name in names or build.list_names(bundles_dir):
            listed = find_faults(name, bundles_dir)
            found = found or bool(listed)
            say(f"{name}: {count_noun(len(listed), 'fault') if listed else 'ok'}")
            for fault in listed:
                say(f"  {fault}")
    raise typer.Exit(SOME_FAILED if found else DONE)
