"""Data verbs: phantom, download, prepare and inspect, each on a dataset or on image files.

What a verb needs is imported when it runs, so that `medseg --help` answers at once.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from medseg.base.console_streams import require_output
from medseg.base.pages import find_page
from medseg.cli.errors import DONE, SOME_FAILED, one_line_errors
from medseg.cli.numbers import WholeOption
from medseg.cli.output import Json, say, say_error_as_json, say_json, say_lines
from medseg.cli.paths import PathArgument, PathOption, refuse_override
from medseg.cli.usage import refuse_misspelt_option

_KINDS = (
    "What to draw, for which bundle: ct (abdomen, liver and liver_3d), slices (abdomen, "
    "liver_slices), chest (lung_nodule), mr (hippocampus), brain (brain_tumor), microscopy "
    "(nuclei), membrane (em_membrane), endoscopy (polyp), road (kitti_road) or city (cityscapes)."
)
_NAME = typer.Argument(metavar="NAME", help="Name of the dataset, the same as its bundle's.")
_GO_ON = "finished files are kept, run it again to continue"


def phantom(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=_KINDS)],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder to write into: new or empty.")],
    cases: Annotated[int, WholeOption(help="Cases with labels, for training.")] = 10,
    test_cases: Annotated[int, WholeOption(help="Test cases, as NIfTI and as DICOM.")] = 1,
    size: Annotated[int, WholeOption(help="Rows and columns of a slice.")] = 128,
    slices: Annotated[int, WholeOption(help="Slices of a case.")] = 24,
    seed: Annotated[int, WholeOption(help="Random seed: the same seed gives the same voxels.")] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace a phantom dataset.")] = False,
    json: Json = False,
) -> None:
    """Write a synthetic dataset with exact masks, to try medseg without real data.

    Example: [cyan]medseg phantom ct --out data/liver[/]
    """
    from medseg.base.files import check_folder
    from medseg.base.text import count_noun
    from medseg.datasets import phantom as synthetic

    with one_line_errors(also=say_error_as_json(json)):
        check_folder(out)
        path = synthetic.write(
            kind,
            out,
            cases=cases,
            seed=seed,
            test_cases=test_cases,
            size=size,
            slices=slices,
            overwrite=overwrite,
        )
        if json:
            say_json(
                {
                    "folder": str(path.absolute()),
                    "kind": kind,
                    "cases": cases,
                    "test_cases": test_cases,
                    "seed": seed,
                }
            )
        else:
            say(f"{cases} training and {count_noun(test_cases, 'test case')} in {path}")


def download(
    name: Annotated[str, _NAME],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder to download into.")],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence, which is shown first.")
    ] = False,
    json: Json = False,
) -> None:
    """Download a dataset, or explain how to get it where its licence asks for a login.

    The licence is shown first, and nothing is downloaded before you accept it. Run it again to go
    on after an interruption; earlier downloads are checked.

    Example: [cyan]medseg download hippocampus --out downloads --accept-licence[/]
    """
    from medseg.datasets.download import catalogue
    from medseg.datasets.download import fetch as fetching

    with one_line_errors(_GO_ON, also=say_error_as_json(json)):
        dataset = catalogue.find(name)
        typer.echo(dataset.format_notice(), err=json)
        if not (dataset.is_by_hand or accept_licence) and _is_on_terminal():
            accept_licence = typer.confirm("Do you accept these terms?", err=json)
        paths = fetching.download(dataset, out, accept_licence=accept_licence)
        checked = list(zip(paths, (file.check for file in dataset.files), strict=True))
        if json:
            files = [{"path": str(path.absolute()), "check": check} for path, check in checked]
            say_json({"licence": dataset.licence, "files": files, "next": dataset.then})
            return
        for path, check in checked:
            say(f"{path} ({check})")
        say(f"next: {dataset.then}")


def prepare(
    context: typer.Context,
    name: Annotated[str, _NAME],
    source: Annotated[Path, PathOption("--source", "-s", help="Published folder or archive.")],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder to write into.")],
    json: Json = False,
) -> None:
    """Check a published dataset, convert it for its bundle, and split its patients into folds.

    Run it again to go on after an interruption. Datasets: brain_tumor, cityscapes, em_membrane,
    hippocampus, kitti_road, liver (for liver_3d too), liver_slices, lung_nodule, nuclei, polyp.

    Example: [cyan]medseg prepare nuclei --source stage1_train.zip --out data/nuclei[/]

    lung_nodule takes more options as [cyan]--key value[/]: annotations (the folder of the XML
    files, where it is a separate one), method (agreement or staple), agreement, min_readers, size,
    spacing_mm, resample (True accepts tilted, unevenly spaced and missing slices). liver and
    hippocampus take volume, affine (sform or qform) and units (mm, cm, m, micron, stated), for
    headers that are ambiguous.
    """
    refuse_override(context, name, "NAME")
    for word in context.args:
        refuse_misspelt_option(context, word)
    with one_line_errors(_GO_ON, also=say_error_as_json(json)):
        from medseg.bundles.overrides import parse_overrides
        from medseg.datasets.prepare import prepare as convert

        outcome = convert(name, source, out, options=parse_overrides(context.args))
        if json:
            folder = str(out.absolute())
            say_json({"folder": folder, "complete": outcome.is_complete, "text": outcome.text})
        else:
            say_lines(outcome.text)
        raise typer.Exit(DONE if outcome.is_complete else SOME_FAILED)


def inspect(
    path: Annotated[Path, PathArgument(help="A folder, DICOMDIR, DICOM or volume file.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON, with full UIDs.")] = False,
    resample: Annotated[
        bool, typer.Option(help="Accept irregular series that can be resampled.")
    ] = False,
    volume: Annotated[
        int | None,
        WholeOption(help="Number of the volume to check, counted from 0, in a file of several."),
    ] = None,
    affine: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Affine to use where a NIfTI has two: sform or qform."),
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(
            metavar="UNIT",
            help="Unit of length in volume files: mm, cm, m or micron, or stated: use the unit "
            "that each file gives.",
        ),
    ] = None,
) -> None:
    """List the image series and volume files in PATH, each with a verdict, without loading images.

    Descriptions are shown as the scanner wrote them, and may name a patient. Objects that are no
    images, such as a DICOM SEG, are listed as what they are.

    The exit status is 0 when all images are usable, 1 when any is refused.

    Example: [cyan]medseg inspect study[/]
    """
    import json as notation

    require_output()
    with one_line_errors(also=partial(_say_error, path) if json else None):
        from medseg.cli.documents import series_table
        from medseg.cli.documents.inspect_document import make_document
        from medseg.cli.nothing_found import refuse_nothing_found
        from medseg.ingest import inspect_files

        rows = inspect_files.inspect(
            path, resample=resample, volume=volume, affine=affine, units=units
        )
        if not rows:
            refuse_nothing_found(path)
        console = Console(emoji=False)  # a name may hold :these:
        if json:
            say_lines(notation.dumps(make_document(rows, path), indent=2))
        else:
            shown = series_table.make_table(rows, path)
            unlimited = console.options.update(width=10_000)
            console.width = max(console.width, console.measure(shown, options=unlimited).maximum)
            console.print(shown)
            for line in series_table.format_findings(rows):
                say(line)
            if not inspect_files.are_usable(rows):
                say(f"see {find_page('medseg.ingest')}")
    raise typer.Exit(DONE if inspect_files.are_usable(rows) else SOME_FAILED)


def _say_error(path: Path, message: str) -> None:
    """The document of `inspect --json` where there is nothing to list."""
    import json

    from medseg.cli.documents.inspect_document import make_fault_document

    say_lines(json.dumps(make_fault_document(message, path), indent=2))


def _is_on_terminal() -> bool:
    """Whether somebody can answer a question."""
    return sys.stdin.isatty()
