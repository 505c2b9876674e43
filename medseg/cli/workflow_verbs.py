"""Workflow verbs: train, evaluate, segment, prune and export, each on a bundle.

What a verb needs is imported when it runs, so that `medseg --help` answers at once.
"""

import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from medseg.base.console_streams import require_log, require_output
from medseg.base.interrupts import set_remedy
from medseg.cli.documents.run_document import ReportedCases, list_changes, make_run_document
from medseg.cli.errors import one_line_errors
from medseg.cli.numbers import NumberOption, WholeOption
from medseg.cli.output import Json, say, say_error_as_json, say_json
from medseg.cli.paths import PathOption, PathTextArgument, refuse_override
from medseg.cli.usage import LIST_KEYS, list_option_names

_PLANNING = "planning"  # whose answer is the log, on the standard error
_AFTER_INTERRUPT = {
    "train": "after one whole epoch, --resume True continues it; before that, start again",
    "inference": "finished cases are kept; --existing skip continues with the others",
}
"""What to say of an interrupted workflow: what is kept, and how to go on."""

Bundle = Annotated[
    Path,
    PathOption("--bundle", "-b", help="Name of a bundle, or the folder of a bundle or of a run."),
]
_LIVER = Path("liver")

Keys = Annotated[bool, typer.Option(LIST_KEYS, help="Print the keys that can be set, and exit.")]


def train(
    context: typer.Context, bundle: Bundle = _LIVER, list_keys: Keys = False, json: Json = False
) -> None:
    """Train a bundle. [cyan]--key value[/] overrides any key of its train.json; --list shows them.

    Example: [cyan]medseg train -b liver --max_epochs 20 --learning_rate 1e-4[/]

    Tumours as a class: [cyan]medseg train --classes "{'liver': [1], 'tumour': [2]}"[/]

    To resume an interrupted run: [cyan]medseg train -b liver --resume True[/]
    """
    if list_keys:
        _show_keys(bundle, "train", context.args, json=json)
        return
    _run(bundle, "train", "training", context, json=json)


def evaluate(
    context: typer.Context, bundle: Bundle = _LIVER, list_keys: Keys = False, json: Json = False
) -> None:
    """Score a bundle's weights on labelled cases: a table with a row per case, and a summary.

    [cyan]--key value[/] overrides any key of the bundle's evaluate.json; --list shows them.

    Example: [cyan]medseg evaluate -b hippocampus --section test --output_dir runs/scores[/]
    """
    if list_keys:
        _show_keys(bundle, "evaluate", context.args, json=json)
        return
    _run(bundle, "evaluate", "evaluating", context, json=json)


def segment(
    context: typer.Context,
    source: Annotated[
        str,
        PathTextArgument(
            metavar="INPUT", help="A NIfTI file, a DICOM folder, a picture, or a folder of cases."
        ),
    ],
    out: Annotated[Path, PathOption("--out", "-o", help="Folder for the label maps and previews.")],
    bundle: Bundle = _LIVER,
    series: Annotated[
        str | None,
        typer.Option(
            "--series",
            metavar="SERIES",
            help="Of a DICOM study: all, for each series that the bundle accepts; largest; or the "
            "number or UID of one, see medseg inspect.",
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan",
            help="Print each case's window layout and memory estimate, without segmenting.",
        ),
    ] = False,
    list_keys: Keys = False,
    json: Json = False,
) -> None:
    """Segment images: write a label map on the source grid and a PNG preview for each case.

    [cyan]--key value[/], after INPUT, overrides any key of the bundle's inference.json:
    [cyan]--level 3[/] computes a smaller, faster part of the network, [cyan]--existing skip[/]
    resumes an interrupted run,
    [cyan]--memory_limit 6GiB[/] refuses cases that need more memory, [cyan]--force[/] segments an
    image even if it looks unlike the training images. [cyan]--list[/], which needs neither INPUT
    nor --out, shows all keys.

    Example: [cyan]medseg segment study/ct -b liver_slices -o masks[/]

    Each CT of a study: [cyan]medseg segment study -b liver_slices -o masks --series all[/]
    """
    if list_keys:
        _show_keys(bundle, "inference", context.args, json=json)
        return
    refuse_override(context, source, "INPUT")
    fixed = [f"--input={source}", f"--output_dir={out}"]  # so, even where a name starts with --
    if series is not None:
        fixed += [_read_series(series)]
    if plan and not any(word.partition("=")[0] == "--existing" for word in context.args):
        fixed += ["--existing", "None"]  # a plan writes nothing, so that nothing is in its way
    run_id = _PLANNING if plan else "inference"
    _run(bundle, "inference", run_id, context, fixed=fixed, json=json, out=out, source=source)


def _read_series(series: str) -> str:
    """The override that `--series` stands for."""
    from medseg.bundles.keys.series_key import read_series_key

    try:
        ((key, value),) = read_series_key(series, name="--series").items()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return f"--{key}={value}"


def prune(
    context: typer.Context,
    bundle: Bundle = _LIVER,
    out: Annotated[
        Path | None,
        PathOption(
            "--out", "-o", help="Folder for the pruned bundle. \\[default: <bundle>_pruned]"
        ),
    ] = None,
    report: Annotated[
        Path | None,
        PathOption(help="Folder for the table and the plot. \\[default: runs/<name>/prune]"),
    ] = None,
    tolerance: Annotated[
        float, NumberOption(help="Largest accepted loss of mean IoU, in percentage points.")
    ] = 0.6,
    repeats: Annotated[int, WholeOption(help="How often each level is timed.")] = 20,
    list_keys: Keys = False,
    json: Json = False,
) -> None:
    """Score and time each level of a bundle, and write the smallest that is accurate enough.

    [cyan]--key value[/] overrides any key of the bundle's evaluate.json; --list shows them.

    Example: [cyan]medseg prune -b hippocampus --tolerance 1.0 -o hippocampus_small[/]
    """
    if list_keys:
        _show_keys(bundle, "evaluate", context.args, json=json)
        return
    with one_line_errors(also=say_error_as_json(json)):
        root = _refuse_early(bundle, "evaluate", context, folders=[out, report])
        from medseg.bundles.catalogue.describe import describe
        from medseg.bundles.pruning.prune import prune_bundle

        with redirect_stdout(sys.stderr) if json else nullcontext():
            made = prune_bundle(
                root,
                out=out,
                report_dir=report,
                tolerance=tolerance,
                repeats=repeats,
                arguments=context.args,
            )
        if json:
            say_json(describe(made))
        else:
            say(f"pruned bundle: {made}")


def export(
    context: typer.Context,
    output: Annotated[
        str, PathTextArgument(metavar="OUTPUT", help="File to write, ending in .onnx, .pt2 or .ts.")
    ],
    bundle: Bundle = _LIVER,
    overwrite: Annotated[bool, typer.Option(help="Replace OUTPUT if it exists.")] = False,
    list_keys: Keys = False,
    json: Json = False,
) -> None:
    """Export a bundle's network with its weights, as ONNX, torch.export program or TorchScript.

    [cyan]--key value[/], after OUTPUT, overrides any key of the bundle's inference.json;
    [cyan]--list[/], which does not need OUTPUT, shows all keys.

    Example: [cyan]medseg export -b liver_slices liver.onnx --level 3[/]
    """
    if list_keys:
        _show_keys(bundle, "inference", context.args, json=json)
        return
    refuse_override(context, output, "OUTPUT")
    with one_line_errors(also=say_error_as_json(json)):
        root = _refuse_early(bundle, "inference", context, folders=[Path(output).parent])
        from medseg.bundles.export import export_bundle

        with redirect_stdout(sys.stderr) if json else nullcontext():
            made = export_bundle(root, Path(output), arguments=context.args, overwrite=overwrite)
        if json:
            say_json(
                {
                    "file": str(made.absolute()),
                    "bytes": made.stat().st_size,
                    "bundle": str(root.absolute()),
                }
            )
        else:
            say(f"exported network: {made}")


def _show_keys(bundle: Path, workflow: str, words: list[str], *, json: bool) -> None:
    """Print the keys of a workflow that can be set, with meaning, type, unit and default."""
    require_output()
    if words:
        raise typer.BadParameter(
            f"{LIST_KEYS} prints the keys and runs nothing, got also {words[0]}: leave it out"
        )
    with one_line_errors(also=say_error_as_json(json)):
        from medseg.bundles.catalogue.locate import locate
        from medseg.bundles.keys.describe import format_lines, list_keys_of_bundle

        found = list_keys_of_bundle(locate(bundle), workflow)
        if json:
            say_json({"keys": [asdict(key) for key in found]})
            return
        for line in format_lines(found):
            say(line)


def _run(
    bundle: Path,
    workflow: str,
    run_id: str,
    context: typer.Context,
    *,
    json: bool,
    fixed: Iterable[str] = (),
    out: Path | None = None,
    source: str | None = None,
) -> None:
    """Run a workflow of a bundle exactly as `python -m monai.bundle run` does."""
    if run_id == _PLANNING:
        require_log()
    remedy = _AFTER_INTERRUPT.get(workflow, "run it again")
    with ReportedCases() as told, one_line_errors(remedy, also=_say_error(json, told)):
        from medseg.bundles.catalogue.locate import locate
        from medseg.bundles.run import run_bundle

        if workflow == "inference":
            set_remedy(lambda: remedy if told.cases else "no case was finished: run it again")
        root = locate(bundle)
        if source is not None:
            from medseg.cli.nothing_found import refuse_no_image

            refuse_no_image(Path(source))
        words, options = [*fixed, *context.args], list_option_names(context.command.params)
        if source is not None and out is not None:
            from medseg.cli.existing_outputs import refuse_outputs_of_volume

            refuse_outputs_of_volume(Path(source), out, words=words)
        before = list_changes(out) if json and out else {}
        with redirect_stdout(sys.stderr) if json else nullcontext():
            made = run_bundle(root, workflow, run_id=run_id, arguments=words, options=options)
        if json and run_id == _PLANNING:
            say_json(told.make_document())
        elif json:
            say_json(make_run_document(workflow, made, before, told))
    if run_id == _PLANNING:
        require_log()


def _say_error(asked: bool, told: ReportedCases) -> Callable[[str], None] | None:
    """As `say_error_as_json`, with the cases that were planned or are done, and what failed."""

    def say_all(message: str) -> None:
        """Print the error, and the cases if there are any."""
        say_json({"error": message, **(told.make_document() if told.cases or told.failed else {})})

    return say_all if asked else None


def _refuse_early(
    bundle: Path, workflow: str, context: typer.Context, *, folders: Iterable[Path | None]
) -> Path:
    """The folder of a bundle; refuse overrides and folders before importing what takes seconds."""
    from medseg.base.files import check_folder
    from medseg.bundles.bundle import check_weights_exist
    from medseg.bundles.catalogue.locate import locate
    from medseg.bundles.overrides import read_overrides

    root = locate(bundle)
    options = list_option_names(context.command.params)
    overrides = read_overrides(root, workflow, context.args, options=options)
    for folder in folders:
        if folder is not None:
            check_folder(folder)
    check_weights_exist(root, workflow, overrides)
    return root
