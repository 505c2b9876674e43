"""medseg: the command line, thin verbs over the library.

Every verb imports what it needs when it runs, so that `medseg --help` answers at once.
"""

import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from medseg.base.console_streams import (
    OutputError,
    go_on_without_readers,
    is_log_lost,
    require_log,
    require_output,
)
from medseg.base.interrupts import remember_interrupts
from medseg.base.pages import page_of
from medseg.base.printable import log_printable_text, printable
from medseg.cli.bundles import bundles_app
from medseg.cli.errors import DONE, SOME_FAILED, one_line_errors
from medseg.cli.numbers import NumberOption, WholeOption
from medseg.cli.output import say, say_lines
from medseg.cli.paths import PathArgument, PathOption, PathTextArgument
from medseg.cli.usage import BAD_ARGUMENTS, PlainGroup

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
app.add_typer(bundles_app, name="bundles")

_KINDS = "ct, slices, chest, mr, brain, microscopy, membrane, endoscopy, road or city."
_PLANNING = "planning"  # whose answer is the log, on the standard error
_GO_ON = "what is done is kept, run it again to go on"
_KEPT = {
    "train": "with one whole epoch done, go on with --resume True, else begin anew",
    "inference": "the cases that are done are kept, go on with --existing skip",
}
"""What to say of an interrupted workflow: what is kept, and how to go on."""

_OVERRIDES: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "options_metavar": "[OPTIONS] [--KEY VALUE]...",
}
Bundle = Annotated[Path, PathOption("--bundle", "-b", help="Folder of the bundle.")]


@app.command()
def phantom(
    kind: Annotated[str, typer.Argument(help=_KINDS)],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder to write: new or empty.")],
    cases: Annotated[int, WholeOption(help="Cases with labels, for training.")] = 10,
    test_cases: Annotated[int, WholeOption(help="Test cases, as NIfTI and as DICOM.")] = 1,
    size: Annotated[int, WholeOption(help="Rows and columns of a slice.")] = 128,
    slices: Annotated[int, WholeOption(help="Slices of a case.")] = 24,
    seed: Annotated[int, WholeOption(help="The same seed gives the same voxels.")] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace a phantom set in that folder.")] = False,
) -> None:
    """Write a synthetic set with exact masks, to try things out without any data.

    Example: [cyan]medseg phantom ct --out data/liver[/]
    """
    from medseg.base.files import check_folder
    from medseg.base.text import counted
    from medseg.datasets import phantom as synthetic

    with one_line_errors():
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
        made = f"{cases} training and {counted(test_cases, 'test case')} in {path}"
        say(made)


@app.command(**_OVERRIDES)
def train(context: typer.Context, bundle: Bundle = Path("bundles/liver")) -> None:
    """Train a bundle; [cyan]--key value[/] overrides any key of its train.json.

    Example: [cyan]medseg train -b bundles/liver --max_epochs 20 --learning_rate 1e-4[/]

    Tumours apart: [cyan]medseg train --classes "{'liver': [1], 'tumour': [2]}"[/]

    To go on with an interrupted run: [cyan]medseg train -b bundles/liver --resume True[/]
    """
    _run(bundle, "train", "training", context.args)


@app.command(**_OVERRIDES)
def evaluate(context: typer.Context, bundle: Bundle = Path("bundles/liver")) -> None:
    """Score a bundle's weights on labelled cases: metrics.csv per case, and a summary.

    [cyan]--key value[/] overrides any key of the bundle's evaluate.json.

    Example: [cyan]medseg evaluate -b bundles/liver --section validation --output_dir runs/liver[/]
    """
    _run(bundle, "evaluate", "evaluating", context.args)


@app.command(**_OVERRIDES)
def segment(
    context: typer.Context,
    source: Annotated[
        str,
        PathTextArgument(
            metavar="INPUT", help="A NIfTI, DICOM folder, picture or folder of cases."
        ),
    ],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder of label maps and previews.")],
    bundle: Bundle = Path("bundles/liver"),
    plan: Annotated[
        bool, typer.Option("--plan", help="Tell windows and memory of each case, and stop there.")
    ] = False,
) -> None:
    """Segment studies: a label map on the source grid and a PNG preview for each case.

    [cyan]--key value[/], after INPUT, overrides any key of the bundle's inference.json:
    [cyan]--level 3[/] is the fast mode, [cyan]--existing skip[/] goes on with an interrupted run,
    [cyan]--memory_limit 6GiB[/] refuses what needs more, [cyan]--force[/] goes on with an image
    that cannot be of the kind the network was trained on; others are device, weights, predictor,
    roi_size, flips, skip and save_probabilities.

    Example: [cyan]medseg segment study/ct -b bundles/liver -o masks[/]
    """
    _refuse_override(source, "INPUT")
    fixed = [f"--input={source}", f"--output_dir={out}"]  # so, even where a name starts with --
    if plan and not any(word.partition("=")[0] == "--existing" for word in context.args):
        fixed += ["--existing", "None"]  # a plan writes nothing, so that nothing is in its way
    _run(bundle, "inference", _PLANNING if plan else "inference", [*fixed, *context.args])


@app.command(**_OVERRIDES)
def prune(
    context: typer.Context,
    bundle: Bundle = Path("bundles/liver"),
    out: Annotated[
        Path | None,
        PathOption("--out", "-o", help="Folder of the pruned bundle. [default: <bundle>_pruned]"),
    ] = None,
    report: Annotated[
        Path | None, PathOption(help="Folder of table and plot. [default: runs/<name>/prune]")
    ] = None,
    tolerance: Annotated[float, NumberOption(help="Points of IoU below the best level.")] = 0.6,
    repeats: Annotated[int, WholeOption(help="Times that each level is timed.")] = 20,
) -> None:
    """Score and time every level of a trained bundle, and export the smallest that is good enough.

    [cyan]--key value[/] overrides any key of the bundle's evaluate.json.

    Example: [cyan]medseg prune -b bundles/liver --tolerance 1.0 -o bundles/liver_small[/]
    """
    with one_line_errors():
        _refuse_early(bundle, "evaluate", context.args, folders=[out, report])
        from medseg.bundles.prune import prune_bundle

        made = prune_bundle(
            bundle,
            out=out,
            report_dir=report,
            tolerance=tolerance,
            repeats=repeats,
            arguments=context.args,
        )
        say(f"pruned bundle: {made}")


@app.command(**_OVERRIDES)
def export(
    context: typer.Context,
    output: Annotated[
        str, PathTextArgument(metavar="OUTPUT", help="File to write, ending in .onnx, .pt2 or .ts.")
    ],
    bundle: Bundle = Path("bundles/liver"),
    overwrite: Annotated[bool, typer.Option(help="Replace OUTPUT if it exists.")] = False,
) -> None:
    """Write a bundle's network and weights as ONNX, torch.export program or TorchScript.

    [cyan]--key value[/], after OUTPUT, overrides any key of the bundle's inference.json.

    Example: [cyan]medseg export -b bundles/liver liver.onnx --level 3[/]
    """
    _refuse_override(output, "OUTPUT")
    with one_line_errors():
        _refuse_early(bundle, "inference", context.args, folders=[Path(output).parent])
        from medseg.bundles.export import export_bundle

        made = export_bundle(bundle, Path(output), arguments=context.args, overwrite=overwrite)
        say(f"exported network: {made}")


@app.command(**_OVERRIDES)
def prepare(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The dataset, named as its bundle is.")],
    source: Annotated[Path, PathOption("--source", "-s", help="Folder or archive as published.")],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder to write.")],
) -> None:
    """Check a dataset as published and convert it to what its bundle reads, folds included.

    A second run does what is left. Datasets: brain_tumor, cityscapes, em_membrane, hippocampus,
    kitti_road, liver (of liver_3d too), liver_slices, lung_nodule, nuclei, polyp.

    Example: [cyan]medseg prepare nuclei --source stage1_train.zip --out data/nuclei[/]

    lung_nodule has options of its own, [cyan]--key value[/]: annotations (folder of the XML files,
    if apart), method (agreement or staple), agreement, min_readers, size, spacing_mm, resample
    (True takes tilted, uneven and missing slices). liver and hippocampus have volume, affine
    (sform or qform) and units (mm, cm, m, micron, stated), for headers that leave a choice.
    """
    _refuse_override(name, "NAME")
    with one_line_errors(_GO_ON):
        from medseg.bundles.overrides import parse_overrides
        from medseg.datasets.prepare import prepare as convert

        outcome = convert(name, source, out, options=parse_overrides(context.args))
        say_lines(outcome.text)
        raise typer.Exit(DONE if outcome.is_complete else SOME_FAILED)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="The dataset, named as its bundle is.")],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder of the files as published.")],
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Say yes to the licence, which is shown.")
    ] = False,
) -> None:
    """Fetch a dataset, if its licence allows that without a login; else tell how to get it.

    The licence comes first, and nothing is fetched without a yes. A second run goes on where an
    interrupted one stopped, and checks what is there.

    Example: [cyan]medseg download hippocampus --out downloads --accept-licence[/]
    """
    from medseg.datasets.download import catalogue
    from medseg.datasets.download import fetch as fetching

    with one_line_errors(_GO_ON):
        dataset = catalogue.find(name)
        say_lines(dataset.notice())
        if not (dataset.by_hand or accept_licence) and _on_terminal():
            accept_licence = typer.confirm("Do you accept these terms?")
        paths = fetching.download(dataset, out, accept_licence=accept_licence)
        for file, path in zip(dataset.files, paths, strict=True):
            say(f"{path} ({file.check})")
        say(f"next: {dataset.then}")


@app.command()
def inspect(
    path: Annotated[Path, PathArgument(help="A folder, DICOMDIR, DICOM or volume file.")],
    json: Annotated[bool, typer.Option("--json", help="For machines: whole UIDs, one object.")] = (
        False
    ),
    resample: Annotated[
        bool, typer.Option(help="Judge irregular series as what resampling makes of them.")
    ] = False,
    volume: Annotated[
        int | None, WholeOption(help="Judge this volume, from 0, of files of several.")
    ] = None,
    affine: Annotated[
        str | None, typer.Option(help="Believe the sform or the qform of a NIfTI that has both.")
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(help="Unit of lengths in volume files: mm, cm, m, micron, or as stated."),
    ] = None,
) -> None:
    """List the image series and volume files of PATH, each with its verdict, reading no voxels.

    The exit status is 0 when all are usable, 1 when one is refused.

    Example: [cyan]medseg inspect study[/]
    """
    import json as notation

    require_output()
    with one_line_errors(also=partial(_say_error, path) if json else None):
        from medseg.cli import series_table
        from medseg.cli.inspect_document import as_json
        from medseg.cli.nothing_found import refuse_nothing_found
        from medseg.ingest import inspect_files

        rows = inspect_files.inspect(
            path, resample=resample, volume=volume, affine=affine, units=units
        )
        if not rows:
            refuse_nothing_found(path)
        console = Console(emoji=False)  # a name may hold :these:
        if json:
            say_lines(notation.dumps(as_json(rows, path), indent=2))
        else:
            shown = series_table.as_table(rows, path)
            unlimited = console.options.update(width=10_000)
            console.width = max(console.width, console.measure(shown, options=unlimited).maximum)
            console.print(shown)
            for line in series_table.finding_lines(rows):
                say(line)
            if not all(row.is_usable for row in rows):
                say(f"see {page_of('medseg.ingest')}")
    raise typer.Exit(DONE if all(row.is_usable for row in rows) else SOME_FAILED)


@app.command()
def doctor() -> None:
    """Tell what this machine has: versions, device, memory, decoders; one line each.

    Example: [cyan]medseg doctor[/]
    """
    from medseg.cli.doctor import findings

    require_output()
    console = Console(emoji=False)
    lines = list(findings())
    for finding in lines:
        mark = "[green]ok[/]  " if finding.ok else "[red]bad[/] "
        shown = escape(printable(finding.text))
        console.print(f"{mark} {finding.topic:<22} {shown}", soft_wrap=True, highlight=False)
    raise typer.Exit(DONE if all(finding.ok for finding in lines) else SOME_FAILED)


def main() -> None:
    """Entry point of the `medseg` command."""
    remember_interrupts()
    go_on_without_readers()
    log_printable_text()
    try:
        if not _HELP.isdisjoint(sys.argv):
            require_output()
        try:
            app()
        finally:
            sys.stdout.flush()
    except OutputError as error:
        _say_where_possible(f"error: {error}\n")
        sys.exit(BAD_ARGUMENTS)


def _say_where_possible(line: str) -> None:
    """Write a line to the standard error, or to the standard output where that one is lost."""
    stream = sys.stdout if is_log_lost() else sys.stderr
    with suppress(OutputError):  # then both are lost, and the exit status alone tells
        stream.write(line)
        stream.flush()


def _run(bundle: Path, workflow: str, run_id: str, arguments: list[str]) -> None:
    """Run a workflow of a bundle exactly as `python -m monai.bundle run` does."""
    if run_id == _PLANNING:
        require_log()
    with one_line_errors(_KEPT.get(workflow, "run it again")):
        from medseg.bundles.run import run_bundle

        run_bundle(bundle, workflow, run_id=run_id, arguments=arguments)
    if run_id == _PLANNING:
        require_log()


def _refuse_early(
    bundle: Path, workflow: str, arguments: list[str], *, folders: Iterable[Path | None]
) -> None:
    """Refuse overrides and folders at once, before a verb imports what takes seconds."""
    from medseg.base.files import check_folder
    from medseg.bundles.overrides import checked_overrides

    checked_overrides(bundle, workflow, arguments)
    for folder in folders:
        if folder is not None:
            check_folder(folder)


def _say_error(path: Path, message: str) -> None:
    """The document of `inspect --json` where there is nothing to list."""
    import json

    from medseg.cli.inspect_document import fault_document

    say_lines(json.dumps(fault_document(message, path), indent=2))


def _on_terminal() -> bool:
    """Whether somebody can answer a question."""
    return sys.stdin.isatty()


def _refuse_override(word: str, argument: str) -> None:
    """Typer takes an override that stands before an argument for the argument itself."""
    if word.startswith("--"):
        raise typer.BadParameter(
            f"expected {argument}, got {word}: write overrides after {argument}, and a name that "
            f"starts with dashes as ./{word}"
        )
