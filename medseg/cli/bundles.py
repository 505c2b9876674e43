"""CLI of bundles: the verbs below `medseg bundles`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from medseg.base.console_streams import require_output
from medseg.cli.errors import DONE, SOME_FAILED, one_line_errors
from medseg.cli.output import Json, say, say_error_as_json, say_json
from medseg.cli.paths import PathArgument, PathOption, check_bundle_names
from medseg.cli.usage import PlainCommand, PlainSubgroup

bundles_app = typer.Typer(
    cls=PlainSubgroup,
    help="List, describe, copy, import, publish, build and check bundles.\n\n"
    "Example: [cyan]medseg bundles list[/]",
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
def list_bundles(
    bundles_dir: Annotated[
        Path | None,
        PathOption(
            help="Folder of bundles. \\[default: bundles/ here, and those that came with medseg]"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the bundles: size of the weights, score, and what each segments; info shows one in full.

    Example: [cyan]medseg bundles list[/]
    """
    require_output()
    with one_line_errors(also=say_error_as_json(json)):
        from medseg.bundles.catalogue.describe import describe_all, format_table

        listed = describe_all(bundles_dir)
        if json:
            say_json({"bundles": listed})
        else:
            for line in format_table(listed):
                say(line)
    raise typer.Exit(SOME_FAILED if any("error" in each for each in listed) else DONE)


@bundles_app.command("info", cls=PlainCommand)
def describe_bundle(
    bundle: Annotated[Path, PathArgument(metavar="BUNDLE", help="Name or folder of a bundle.")],
    json: Json = False,
) -> None:
    """Show what a bundle is: classes, inputs, window, spacing, training data, scores, licence.

    Example: [cyan]medseg bundles info hippocampus --json[/]
    """
    require_output()
    with one_line_errors(also=say_error_as_json(json)):
        from medseg.bundles.catalogue.describe import describe, format_lines
        from medseg.bundles.catalogue.locate import locate

        found = describe(locate(bundle))
        if json:
            say_json(found)
        else:
            for line in format_lines(found):
                say(line)


@bundles_app.command("copy", cls=PlainCommand)
def copy(
    bundle: Annotated[Path, PathArgument(metavar="NAME", help="Name or folder of a bundle.")],
    out: Annotated[
        Path, PathArgument(metavar="DIR", help="New folder; its name becomes the bundle's name.")
    ],
    json: Json = False,
) -> None:
    """Make a copy of a bundle, with its weights, whose configs can be edited.

    Example: [cyan]medseg bundles copy liver bundles/my_liver[/]
    """
    with one_line_errors(also=say_error_as_json(json)):
        require_output()
        from medseg.bundles.catalogue.describe import describe
        from medseg.bundles.catalogue.locate import locate
        from medseg.bundles.catalogue.own_copy import copy_bundle

        made = copy_bundle(locate(bundle), out)
        if json:
            say_json(describe(made))
        else:
            say(f"copied bundle: {made}")


@bundles_app.command("import-nnunet", cls=PlainCommand)
def import_nnunet(
    model: Annotated[
        Path,
        PathArgument(
            metavar="MODEL", help="Folder of a model that nnU-Net v2 trained, or its zip."
        ),
    ],
    out: Annotated[
        Path,
        PathOption("--out", "-o", help="New folder; its name becomes the bundle's name."),
    ],
    folds: Annotated[
        str | None,
        typer.Option(
            help="Folds that are averaged, such as 0,1,2; all is the one trained on all cases. "
            "\\[default: those with a number]"
        ),
    ] = None,
    configuration: Annotated[
        str | None,
        typer.Option(help="Which one, such as 3d_fullres, where several lie in the folder."),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="File in each fold. \\[default: checkpoint_final.pth, or else the best]"),
    ] = None,
    average: Annotated[
        Literal["logits", "probabilities"],
        typer.Option(
            help="Of what the folds' mean is taken: logits, as nnU-Net, or probabilities."
        ),
    ] = "logits",
    json: Json = False,
) -> None:
    """Make a bundle of a model that nnU-Net v2 trained; it is not trained again.

    Example: [cyan]medseg bundles import-nnunet nnUNet_results/Dataset009_Spleen -o spleen[/]
    """
    with one_line_errors(also=say_error_as_json(json)):
        require_output()
        from medseg.bundles.nnunet.import_model import import_model

        made = import_model(
            model,
            out,
            folds=None if folds is None else [one.strip() for one in folds.split(",")],
            configuration=configuration,
            checkpoint=checkpoint,
            average=average,
        )
        if json:
            say_json(
                {
                    "bundle": str(made.folder.absolute()),
                    "configuration": made.configuration,
                    "folds": list(made.folds),
                    "notes": list(made.notes),
                }
            )
            return
        for note in made.notes:
            say(f"note: {note}")
        say(
            f"bundle: {made.folder}, {made.configuration}, folds {', '.join(made.folds)}; next: "
            f"medseg segment STUDY -b {made.folder} -o out"
        )


@bundles_app.command("publish", cls=PlainCommand)
def publish(
    run: Annotated[Path, PathArgument(metavar="RUN", help="Folder of a training run.")],
    bundle: Annotated[Path, PathArgument(metavar="BUNDLE", help="Name or folder of a bundle.")],
    json: Json = False,
) -> None:
    """Give a bundle the weights of a training run; its earlier weights are kept beside it.

    Example: [cyan]medseg bundles publish runs/liver/2026-01-02_03-04-05 bundles/liver[/]
    """
    with one_line_errors(also=say_error_as_json(json)):
        require_output()
        from medseg.bundles.catalogue.locate import locate

        target = locate(bundle)
        from medseg.bundles.publish import publish_run

        kept = publish_run(run, target)
        if json:
            places = {"bundle": target, "run": run, "replaced": kept}
            say_json({key: place and str(place.absolute()) for key, place in places.items()})
            return
        say(f"{target} has the weights of {run}" + (f"; the earlier ones: {kept}" if kept else ""))


@bundles_app.command("build", cls=PlainCommand)
def build_bundles(
    names: Names = None,
    bundles_dir: BundlesDir = Path("bundles"),
    json: Json = False,
) -> None:
    """Build the configs of bundles from their layers, or of your own from their task.json.

    Example: [cyan]medseg bundles build liver[/]
    """
    from medseg.bundles import build
    from medseg.bundles.bundle import TASK_FILE
    from medseg.bundles.own.write_bundle import build_own, describe_missing

    with one_line_errors(also=say_error_as_json(json)):
        written = {}
        for name in names or build.list_names(bundles_dir):
            folders = (bundles_dir / name, Path(name))  # a name, or the folder itself
            own = next((one for one in folders if (one / TASK_FILE).is_file()), None)
            if own is None and not (bundles_dir / "layers" / "tasks").is_dir():
                raise FileNotFoundError(describe_missing(name, bundles_dir))
            paths = build.build(name, bundles_dir) if own is None else build_own(own)
            written[name] = [str(path.absolute()) for path in paths]
            if not json:
                for path in paths:
                    say(f"written {path}")
        if json:
            say_json({"written": written})


def _name_place(name: str, listed: set[str]) -> str:
    """A bundle's name where it is one of those listed, else the path of a folder that is one."""
    from medseg.bundles.catalogue.locate import is_bundle

    is_folder = name not in listed and is_bundle(Path(name))
    return str(Path(name).absolute()) if is_folder else name


@bundles_app.command("check", cls=PlainCommand)
def check_bundles(
    names: Names = None,
    bundles_dir: Annotated[
        Path | None,
        PathOption(help="Folder of the bundles and their layers. \\[default: as for list]"),
    ] = None,
    json: Json = False,
) -> None:
    """Check bundles against MONAI's bundle specification and medseg's rules; list all faults.

    Example: [cyan]medseg bundles check liver[/]
    """
    from medseg.base.text import count_noun
    from medseg.bundles import build
    from medseg.bundles.catalogue.locate import LOCAL, find_layers, list_folders, locate
    from medseg.bundles.check import find_faults, find_notes

    require_output()
    with one_line_errors(also=say_error_as_json(json)):
        layers = find_layers(bundles_dir)
        if layers is None:
            known = {name: str(locate(name)) for name in names or list_folders()}
        else:
            listed = {*build.list_names(layers), *list_folders(layers)}
            known = {name: _name_place(name, listed) for name in names or sorted(listed)}
        found, notes = {}, {}
        for name, place in known.items():
            found[name] = find_faults(place, layers or LOCAL)
            notes[name] = find_notes(place, layers or LOCAL)
            if not json:
                number = count_noun(len(found[name]), "fault") if found[name] else "ok"
                remarks = [*found[name], *(f"note: {note}" for note in notes[name])]
                for line in (f"{name}: {number}", *(f"  {remark}" for remark in remarks)):
                    say(line)
        if json:
            say_json({"faults": found, "notes": notes})
    raise typer.Exit(SOME_FAILED if any(found.values()) else DONE)
