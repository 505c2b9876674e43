"""Crossval: cross-validate a bundle, and use what the folds say together."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medseg.base.files import check_folder
from medseg.base.text import make_file_name
from medseg.bundles.crossval.choose_parts import ChosenRule, choose_parts, list_keys
from medseg.bundles.crossval.folds import Fold, list_folds, run_fold
from medseg.bundles.crossval.pool import (
    read_tables,
    summarise,
    write_summary,
    write_table,
)
from medseg.bundles.crossval.suspects import Suspect, rank_suspects, write_page
from medseg.bundles.crossval.write_ensemble import FOLDER, WrittenEnsemble, write_ensemble
from medseg.bundles.overrides import read_overrides, read_workflow
from medseg.bundles.own.write_bundle import TASK_FILE, change_task
from medseg.bundles.publish import publish_run

logger = logging.getLogger(__name__)

_READERS = "readers.csv"  # of each fold whose cases have several readers
_OWN = ("fold", "output_dir", "resume", "resume_file", "weights")


@dataclass(frozen=True)
class CrossValidation:
    """What a cross-validation found.

    Attributes:
        folder: with the folds and the files below.
        waiting: the folds that are not scored yet; there are no results then.
        summary: the scores by class, see `medseg.bundles.crossval.pool.summarise`.
        rules: how parts are cleaned from now on.
        keys: the keys of the bundle that say so.
        is_kept: whether they were written into the bundle.
        suspects: all cases, those that agree least with their labels first.
        ensemble: the networks of all folds as one bundle.
        is_published: whether the bundle has the weights of the ensemble now.
    """

    folder: Path
    waiting: Sequence[int]
    summary: dict[str, Any]
    rules: Sequence[ChosenRule] = ()
    keys: dict[str, Any] | None = None
    is_kept: bool = False
    suspects: Sequence[Suspect] = ()
    ensemble: WrittenEnsemble | None = None
    is_published: bool = False


def crossval(
    bundle: Path,
    *,
    out: Path | None = None,
    only: Sequence[int] = (),
    arguments: Sequence[str] = (),
) -> CrossValidation:
    """Train and score the folds of a bundle, and put their results together.

    The ensemble of all folds becomes a bundle in `ensemble`, and a bundle of one's own gets its
    weights. `metrics.csv` has the scores of all cases, each by the network that has not seen it,
    `readers.csv` those of the model against each reader where there are several,
    `summary.json` their means with intervals and the chosen rules, `suspects.csv` and
    `suspects.html` the cases whose labels agree least.

    Args:
        bundle: folder of the bundle.
        out: folder of the folds; None for runs/NAME/crossval.
        only: the folds to do here; none means all. Others may be done on other machines.
        arguments: overrides of the training.

    Raises:
        FoldFailedError: see `medseg.bundles.crossval.folds`.
        ValueError: a fold that the bundle does not have, or that was trained otherwise.
    """
    changed = read_overrides(bundle, "train", arguments)
    if taken := [key for key in _OWN if key in changed]:
        raise ValueError(f"--{taken[0]} is set for each fold by crossval itself: leave it out")
    config = {**read_workflow(bundle, "train"), **changed}
    name, count = str(config["name"]), int(config["folds"])
    for number in only:
        if not 0 <= number < count:
            raise ValueError(f"there is no fold {number}: {name} has the folds 0 to {count - 1}")
    folder = out or Path("runs") / name / "crossval"
    check_folder(folder)
    folds = list_folds(folder, count)
    for fold in folds:
        if not only or fold.number in only:
            run_fold(bundle, fold, arguments=arguments)
    waiting = [fold.number for fold in folds if not fold.is_scored]
    if waiting:
        return CrossValidation(folder, waiting, {})
    return _put_together(bundle, name, folder, folds)


def _put_together(bundle: Path, name: str, folder: Path, folds: Sequence[Fold]) -> CrossValidation:
    rows = read_tables(folds, "metrics.csv")
    summary = summarise(rows)
    rules = choose_parts(read_tables(folds, "part_rules.csv"))
    suspects = rank_suspects(rows)
    keys = list_keys(rules)
    write_table(folder / "metrics.csv", rows)
    if drawn := [fold for fold in folds if (fold.scores / _READERS).is_file()]:
        write_table(folder / _READERS, read_tables(drawn, _READERS))
    write_summary(
        folder / "summary.json",
        {"classes": summary, "part_rules": [asdict(rule) for rule in rules], "keys": keys},
    )
    ranked = [
        {"case": one.case, "fold": one.fold, "score": round(one.score, 6), **one.dice}
        for one in suspects
    ]
    write_table(folder / "suspects.csv", ranked)
    pictures = {
        one.case: folds[one.fold].scores / "pictures" / f"{make_file_name(one.case)}.png"
        for one in suspects
    }
    write_page(
        folder / "suspects.html", suspects, title=f"{name}: labels to look at", pictures=pictures
    )
    is_kept = _keep_rules(bundle, keys)
    ensemble = write_ensemble(folder / FOLDER, folds, scores=_average(summary), keys=keys)
    return CrossValidation(
        *(folder, [], summary, rules, keys, is_kept, suspects),
        ensemble=ensemble,
        is_published=_publish(ensemble.folder, bundle),
    )


def _average(summary: Mapping[str, Any]) -> dict[str, float]:
    """The mean Dice over the classes that have one."""
    means = [scores["dice"]["mean"] for scores in summary.values()]
    known = [mean for mean in means if mean is not None]
    return {"out_of_fold_mean_dice": round(sum(known) / len(known), 6)} if known else {}


def _publish(ensemble: Path, bundle: Path) -> bool:
    """Give a bundle of one's own the weights of the ensemble; whether it has them."""
    if not (bundle / TASK_FILE).is_file():
        return False
    try:
        kept = publish_run(ensemble, bundle)
    except (OSError, ValueError) as error:  # the ensemble itself is complete
        logger.warning("%s was not given the ensemble: %s", bundle, error)
        return False
    if kept is not None:
        logger.info("the earlier weights of %s are now %s", bundle, kept)
    return True


def _keep_rules(bundle: Path, keys: dict[str, Any]) -> bool:
    """Write the rules into the task file of a bundle that has one; whether it has."""
    file = bundle / TASK_FILE
    if not file.is_file():
        return False
    task = json.loads(file.read_text(encoding="utf-8"))
    if any(task.get(key, type(value)()) != value for key, value in keys.items()):
        change_task(bundle, {**task, **keys})
    return True
