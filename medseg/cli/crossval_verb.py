"""Crossval verb: train and score each fold of a bundle, and put the results together."""

import sys
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medseg.cli.errors import one_line_errors
from medseg.cli.output import Json, say, say_error_as_json, say_json
from medseg.cli.paths import PathOption
from medseg.cli.workflow_verbs import Bundle

if TYPE_CHECKING:
    from medseg.bundles.crossval.crossval import CrossValidation
    from medseg.bundles.crossval.write_ensemble import WrittenEnsemble


def crossval(
    context: typer.Context,
    bundle: Bundle = Path("liver"),
    out: Annotated[
        Path | None,
        PathOption("--out", "-o", help="Folder of the folds. \\[default: runs/<name>/crossval]"),
    ] = None,
    only: Annotated[
        list[int] | None,
        typer.Option(
            help="Number of a fold, from 0, to train and score now; pass it once for each. Other "
            "machines may do the others."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Train each fold of a bundle, score it on the cases it has not seen, and use the results.

    After an interruption, run it again: it goes on where it was. The predictions are kept. The
    rules by which small parts and holes of a mask are cleaned are chosen by the scores, and written
    into the bundle if medseg new made it. A page shows the cases whose labels may be wrong. The
    networks of all folds become one bundle, which segments by the mean of their probabilities.
    [cyan]--key value[/] overrides any key of the training, for all folds.

    Example: [cyan]medseg crossval -b kidney[/]
    """
    with one_line_errors("run it again: it goes on where it was", also=say_error_as_json(json)):
        from medseg.bundles.catalogue.locate import locate
        from medseg.bundles.crossval.crossval import crossval as run

        root = locate(bundle)
        with redirect_stdout(sys.stderr) if json else nullcontext():
            found = run(root, out=out, only=tuple(only or ()), arguments=context.args)
        if json:
            say_json(_describe(found))
        else:
            _print(found)


def _describe(found: "CrossValidation") -> dict[str, object]:
    return {
        "folder": str(found.folder.absolute()),
        "waiting": list(found.waiting),
        "classes": found.summary,
        "part_rules": [asdict(rule) for rule in found.rules],
        "keys": found.keys,
        "kept_in_bundle": found.is_kept,
        "ensemble": None if found.ensemble is None else _describe_ensemble(found.ensemble),
        "ensemble_in_bundle": found.is_published,
    }


def _describe_ensemble(ensemble: "WrittenEnsemble") -> dict[str, object]:
    return {**asdict(ensemble), "folder": str(ensemble.folder.absolute())}


def _print(found: "CrossValidation") -> None:
    if found.waiting:
        numbers = ", ".join(map(str, found.waiting))
        say(f"folds {numbers} of {found.folder} are not done yet: run crossval for them")
        return
    table = Table("class", "score", "mean", "95 % interval", "median", "cases", box=None)
    for label, scores in found.summary.items():
        for name, score in scores.items():
            if score["mean"] is not None and not name.startswith(("true_", "predicted_")):
                interval = f"{score['low']:.3f} to {score['high']:.3f}"
                shown = f"{score['mean']:.3f}", interval, f"{score['median']:.3f}"
                table.add_row(*map(escape, (label, name, *shown)), str(score["n"]))
    Console().print(table)
    for rule in found.rules:
        size = "" if rule.value is None else f" from {rule.value:g} on"
        say(
            f"{rule.key}: {rule.label}{size}: mean Dice {rule.gain:+.4f}, better in {rule.better} "
            f"cases, worse in {rule.worse}"
        )
    if not found.rules:
        say("no cleaning of parts helps: masks stay as the network makes them")
    elif found.is_kept:
        say("the bundle cleans its masks so from now on, see its task.json")
    else:
        words = " ".join(f'--{key} "{value}"' for key, value in (found.keys or {}).items() if value)
        say(f"to clean masks so, pass {words}")
    table_file, page = found.folder / "metrics.csv", found.folder / "suspects.html"
    say(f"scores: {table_file}; labels to look at: {page}")
    if found.ensemble is not None:
        say(f"ensemble: {found.ensemble.describe()}")
        bundle = found.ensemble.folder
        say(
            "the bundle has its weights now"
            if found.is_published
            else f"to segment with it, pass -b {bundle}"
        )
