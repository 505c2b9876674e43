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
    from medseg.bundles.crossval.choose_network import Choice
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
    against: Annotated[
        Path | None,
        PathOption(
            "--against",
            help="Another bundle that is cross-validated on the same folds, such as one in 2D. It, "
            "this one and the mean of both are compared, and the bundle uses the best.",
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

    2D, 3D or both: [cyan]medseg crossval -b kidney --against kidney_2d[/]
    """
    with one_line_errors("run it again: it goes on where it was", also=say_error_as_json(json)):
        from medseg.bundles.catalogue.locate import locate
        from medseg.bundles.crossval.crossval import crossval as run

        root = locate(bundle)
        with redirect_stdout(sys.stderr) if json else nullcontext():
            chosen = tuple(only or ())
            found = run(root, out=out, only=chosen, against=against, arguments=context.args)
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
        "comparison": None if found.comparison is None else _describe_comparison(found.comparison),
    }


def _describe_comparison(choice: "Choice") -> dict[str, object]:
    return {"chosen": choice.chosen, "mean_dice": choice.means, "gains": choice.list_rows()}


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
    chosen = found.comparison.chosen if found.comparison else None
    if not found.rules:
        say("no cleaning of parts helps: masks stay as the network makes them")
    elif found.is_kept:
        say("the bundle cleans its masks so from now on, see its task.json")
    elif chosen is None:
        say(f"to clean masks so, pass {_list_words(found)}")
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
    if found.comparison is not None:
        _print_comparison(found, found.comparison)


def _list_words(found: "CrossValidation") -> str:
    """The keys that were chosen, as words of a command."""
    return " ".join(f'--{key} "{value}"' for key, value in (found.keys or {}).items() if value)


def _print_comparison(found: "CrossValidation", choice: "Choice") -> None:
    names = ("network", "mean Dice", "against", "gain", "95 % interval", "better", "worse")
    table = Table(*names, box=None)
    for row in choice.list_rows():
        interval = f"{row['low']:+.4f} to {row['high']:+.4f}"
        cells = (row["network"], f"{row['dice']:.4f}", row["against"], f"{row['gain']:+.4f}")
        table.add_row(*map(escape, cells), interval, str(row["better"]), str(row["worse"]))
    Console().print(table)
    simple = next(iter(choice.means))
    dice, cases = choice.means[simple], len(choice.cases)
    say(f"{simple} has fewer weights, and a mean Dice of {dice:.4f} over the {cases} cases")
    chosen = f"chosen: {choice.chosen}"
    if choice.chosen == "both":
        chosen += ", the mean of their probabilities"
    if found.is_kept:
        say(f"{chosen}; the bundle segments so from now on")
    else:
        ensemble = found.ensemble.folder if found.ensemble else ""
        say(f"{chosen}; to segment so, pass -b {ensemble} {_list_words(found)}")
