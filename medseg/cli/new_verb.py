"""New verb: a bundle for one's own data."""

import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medseg.cli.errors import one_line_errors
from medseg.cli.numbers import WholeOption
from medseg.cli.output import Json, say, say_error_as_json, say_json
from medseg.cli.paths import PathOption


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new bundle.")],
    data: Annotated[Path, PathOption("--data", help="Folder of images and labels.")],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder of the bundles.")] = Path(
        "bundles"
    ),
    images: Annotated[
        str | None, typer.Option(help="Pattern of the images, where names do not tell: '*_ct.nii'.")
    ] = None,
    labels: Annotated[str | None, typer.Option(help="Pattern of the labels, likewise.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="""Classes and their label values: "{'kidney': [1, 2]}"."""),
    ] = None,
    patients: Annotated[
        str | None,
        typer.Option(
            help="Regular expression whose group is the patient in a case's name: '(p[0-9]+)_'."
        ),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="small (CPU, minutes), medium (GPU, hours) or large (GPU, days).")
    ] = "small",
    seed: Annotated[int, WholeOption(help="Of the test patients and the folds.")] = 0,
    json: Json = False,
) -> None:
    """Make a bundle for your own images and labels: check them, plan, and write it.

    Nothing is trained yet, which train -b NAME does, and the images stay where they are. The
    bundle's task.json has every choice; change it and run [cyan]medseg bundles build NAME[/].

    Example: [cyan]medseg new kidney --data my_scans[/]
    """
    with one_line_errors(also=say_error_as_json(json)):
        from medseg.base.arguments import check_choice
        from medseg.bundles.own.write_bundle import check_new, write_bundle
        from medseg.datasets.own.class_names import parse_classes
        from medseg.planning.plan import SIZES
        from medseg.planning.plan_folder import plan_folder

        check_choice("preset", preset, tuple(SIZES))
        check_new(out, name)
        given = None if classes is None else parse_classes(classes)
        with redirect_stdout(sys.stderr) if json else nullcontext():
            planned = plan_folder(
                name,
                data,
                images=images,
                labels=labels,
                classes=given,
                patients=patients,
                preset=preset,  # type: ignore[arg-type]  # checked above
            )
            datalist = planned.write_datalist(seed=seed)
            folder = write_bundle(out / name, planned.task)
        if json:
            say_json(
                {
                    "bundle": str(folder.absolute()),
                    "datalist": str(datalist.absolute()),
                    "classes": planned.classes,
                    "fingerprint": asdict(planned.found),
                    "plan": [asdict(choice) for choice in planned.choices],
                }
            )
            return
        table = Table(box=None, pad_edge=False)
        for heading in ("key", "value", "why"):
            table.add_column(heading)
        for choice in planned.choices:
            table.add_row(*map(escape, (choice.key.strip("_"), str(choice.value), choice.why)))
        Console().print(table)
        say(f"{planned.found.cases} cases: {datalist}")
        say(f"bundle: {folder}; next: medseg train -b {name}")
