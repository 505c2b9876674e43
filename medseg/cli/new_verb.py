"""New verb: a bundle for one's own data."""

import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medseg.cli.errors import one_line_errors
from medseg.cli.numbers import NumberOption, WholeOption
from medseg.cli.output import Json, say, say_error_as_json, say_json
from medseg.cli.paths import PathOption

if TYPE_CHECKING:
    from medseg.bundles.own.measure_steps import StepCost
    from medseg.planning.plan_folder import PlannedFolder


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new bundle.")],
    data: Annotated[
        Path,
        PathOption(
            "--data", help="Folder of images and labels, or a table (.csv) that names them."
        ),
    ],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder of the bundles.")] = Path(
        "bundles"
    ),
    images: Annotated[
        str | None, typer.Option(help="Pattern of the images, where names do not tell: '*_ct.nii'.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            help="Pattern of the labels; for DICOM which names are which class: 'Kidney*=kidney', "
            "once for each."
        ),
    ] = None,
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
    hours: Annotated[
        float | None,
        NumberOption(help="Time that the training may take on this machine; it sets the epochs."),
    ] = None,
    measure: Annotated[
        bool, typer.Option(help="Try a few steps, to say how long they take and what they need.")
    ] = True,
    seed: Annotated[int, WholeOption(help="Of the test patients and the folds.")] = 0,
    json: Json = False,
) -> None:
    """Make a bundle for your own images and labels: check them, plan, and write it.

    It trains nothing: that is what train -b NAME is for. The images stay where they are. The file
    task.json in the bundle has every choice: change it, and run bundles build NAME.

    Example: [cyan]medseg new kidney --data my_scans[/]
    """
    with one_line_errors(also=say_error_as_json(json)):
        from medseg.base.arguments import check_choice
        from medseg.bundles.own.measure_steps import measure_steps
        from medseg.bundles.own.write_bundle import check_new, write_bundle
        from medseg.datasets.own.class_names import parse_classes
        from medseg.planning.plan import SIZES
        from medseg.planning.plan_folder import plan_folder

        check_choice("preset", preset, tuple(SIZES))
        check_new(out, name)
        if hours is not None and (hours <= 0 or not measure):
            raise ValueError(
                "--hours sets the epochs by steps that are tried: pass a number above 0, without "
                "--no-measure"
            )
        given = None if classes is None else parse_classes(classes)
        with redirect_stdout(sys.stderr) if json else nullcontext():
            planned = plan_folder(
                name,
                data,
                images=images,
                labels=labels or (),
                classes=given,
                patients=patients,
                preset=preset,  # type: ignore[arg-type]  # checked above
            )
            datalist = planned.write_datalist(seed=seed)
            folder = write_bundle(out / name, planned.task)
            cost = measure_steps(folder) if measure else None
            if cost is not None and hours is not None:
                planned = _fit_into(planned, folder, hours=hours, step_seconds=cost.seconds)
        if json:
            say_json(_describe(planned, folder, datalist, cost))
        else:
            _print(planned, folder, datalist, cost)


def _describe(
    planned: "PlannedFolder", folder: Path, datalist: Path, cost: "StepCost | None"
) -> dict[str, Any]:
    """What was found, planned and written, for a program."""
    return {
        "bundle": str(folder.absolute()),
        "datalist": str(datalist.absolute()),
        "classes": planned.classes,
        "dicom": [list(row) for row in planned.dicom_rows],
        "fingerprint": asdict(planned.found),
        "plan": [asdict(choice) for choice in planned.choices],
        "step": None if cost is None else asdict(cost),
    }


def _print(planned: "PlannedFolder", folder: Path, datalist: Path, cost: "StepCost | None") -> None:
    """The same for a person: each choice with its reason, and what to run next."""
    if planned.dicom_rows:
        drawn = Table("case", "series", "object", "names", box=None, pad_edge=False)
        for row in planned.dicom_rows:
            drawn.add_row(*map(escape, row))
        Console().print(drawn)
    table = Table(box=None, pad_edge=False)
    for heading in ("key", "value", "why"):
        table.add_column(heading)
    for choice in planned.choices:
        table.add_row(*map(escape, (choice.key.strip("_"), str(choice.value), choice.why)))
    Console().print(table)
    say(f"{planned.found.cases} cases: {datalist}")
    if cost is not None:
        say(
            f"a step takes {cost.seconds:.2g} s on this machine and "
            f"{cost.peak_bytes / 2**30:.1f} GiB of memory, beside the program and the images"
        )
    say(f"bundle: {folder}; next: medseg train -b {planned.name}")


def _fit_into(
    planned: "PlannedFolder", folder: Path, *, hours: float, step_seconds: float
) -> "PlannedFolder":
    """Set the epochs by the time that there is, in the plan and in the bundle."""
    from medseg.bundles.own.write_bundle import change_task
    from medseg.planning.plan import fit_epochs

    epochs = fit_epochs(
        planned.found.cases,
        batch_size=planned.task["batch_size"],
        step_seconds=step_seconds,
        hours=hours,
    )
    why = f"fit into {hours:g} hours at {step_seconds:.2g} s a step"
    fitted = planned.with_choice("max_epochs", epochs, why)
    fitted = fitted.with_choice("val_interval", max(epochs // 5, 1), "five times")
    change_task(folder, fitted.task)
    return fitted
