"""Crossval: cross-validate a bundle, and use what the folds say together."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from medseg.base.files import check_folder
from medseg.base.text import make_file_name
from medseg.bundles.bundle import TASK_FILE
from medseg.bundles.crossval.against import (
    COMPANION,
    Against,
    count_weights,
    find_against,
    name_both,
    publish_companion,
    score_both,
)
from medseg.bundles.crossval.choose_network import BOTH, Choice, choose_network
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
from medseg.bundles.own.write_bundle import change_task
from medseg.bundles.publish import publish_run

logger = logging.getLogger(__name__)

SUMMARY = "summary.json"
_READERS = "readers.csv"  # of each fold whose cases have several readers
_WITHOUT_COMPANION: Mapping[str, Any] = {"companion": None, "companion_share": None}
_OWN = ("fold", "output_dir", "resume", "resume_file", "weights", "publish")


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
        comparison: with another bundle and the mean of both; None without one. The rules and keys
            are those of what was chosen.
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
    comparison: Choice | None = None


def crossval(
    bundle: Path,
    *,
    out: Path | None = None,
    only: Sequence[int] = (),
    against: Path | None = None,
    arguments: Sequence[str] = (),
) -> CrossValidation:
    """Train and score the folds of a bundle, and put their results together.

    The ensemble of all folds becomes a bundle in `ensemble`, and a bundle of one's own gets its
    weights. `metrics.csv` has the scores of all cases, each by the network that has not seen it,
    `readers.csv` those of the model against each reader where there are several,
    `summary.json` their means with intervals and the chosen rules, `suspects.csv` and
    `suspects.html` the cases whose labels agree least.

    With another bundle the mean of the probabilities of both is scored too. `comparison.csv` has
    the paired differences, `comparison_cases.csv` the Dice of each case, and the bundle uses what
    was chosen, see `choose_network`.

    Args:
        bundle: folder of the bundle.
        out: folder of the folds; None for runs/NAME/crossval.
        only: the folds to do here; none means all. Others may be done on other machines.
        against: another bundle that is cross-validated, see `find_against`.
        arguments: overrides of the training.

    Raises:
        FoldFailedError: see `medseg.bundles.crossval.folds`.
        ValueError: a fold that the bundle does not have, or that was trained otherwise; or a bundle
            that it cannot be compared with.
    """
    changed = read_overrides(bundle, "train", arguments)
    if taken := [key for key in _OWN if key in changed]:
        raise ValueError(f"--{taken[0]} is set for each fold by crossval itself: leave it out")
    config = {**read_workflow(bundle, "train"), **changed}
    name, count = str(config["name"]), int(config["folds"])
    for number in only:
        if not 0 <= number < count:
            raise ValueError(f"there is no fold {number}: {name} has the folds 0 to {count - 1}")
    other = None if against is None else find_against(against, config)
    folder = out or Path("runs") / name / "crossval"
    check_folder(folder)
    folds = list_folds(folder, count)
    for fold in folds:
        if not only or fold.number in only:
            run_fold(bundle, fold, arguments=arguments)
            if other is not None:
                score_both(fold, other)
    needed = [[fold] if other is None else [fold, name_both(fold, other)] for fold in folds]
    waiting = [each[0].number for each in needed if not all(one.is_scored for one in each)]
    if waiting:
        return CrossValidation(folder, waiting, {})
    found = _put_together(bundle, name, folder, folds)
    return found if other is None else _compare(bundle, name, found, folds, other)


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
        folder / SUMMARY,
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
    is_kept = _keep_in_task(bundle, {**keys, **_WITHOUT_COMPANION})
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


def _compare(
    bundle: Path, name: str, found: CrossValidation, folds: Sequence[Fold], other: Against
) -> CrossValidation:
    """Compare with another bundle and with the mean of both, and let the bundle use the best."""
    mine = {name: folds, other.name: other.folds, BOTH: [name_both(fold, other) for fold in folds]}
    is_smaller = count_weights(folds[0]) <= count_weights(other.folds[0])
    by_size = (name, other.name) if is_smaller else (other.name, name)
    tables = {each: read_tables(of_it, "metrics.csv") for each, of_it in mine.items()}
    choice = choose_network(*by_size, tables)
    rules = choose_parts(read_tables(mine[choice.chosen], "part_rules.csv"))
    keys = list_keys(rules)
    if choice.chosen != name:
        keys["companion"] = str(other.ensemble)
        keys["companion_share"] = 0.5 if choice.chosen == BOTH else 1
    write_table(found.folder / "comparison.csv", choice.list_rows())
    write_table(found.folder / "comparison_cases.csv", choice.cases)
    summary = {"chosen": choice.chosen, "mean_dice": choice.means, "gains": choice.list_rows()}
    described = json.loads((found.folder / SUMMARY).read_text())
    write_summary(found.folder / SUMMARY, {**described, "comparison": summary})
    is_kept = found.is_published and _use(bundle, keys, other)
    return replace(found, rules=rules, keys=keys, is_kept=is_kept, comparison=choice)


def _use(bundle: Path, keys: Mapping[str, Any], other: Against) -> bool:
    """Let a bundle of one's own, which has its ensemble, use what was chosen; whether it does."""
    if "companion" in keys:
        publish_companion(other, bundle)
        keys = {**keys, "companion": f"$@bundle_root + '/{COMPANION.as_posix()}'"}
    return _keep_in_task(bundle, keys)


def _keep_in_task(bundle: Path, keys: Mapping[str, Any]) -> bool:
    """Write keys into the task file of a bundle that has one.

    One that is None is taken out, and one that is empty is written only in place of another value.

    Returns:
        Whether it has one.
    """
    file = bundle / TASK_FILE
    if not file.is_file():
        return False
    task = json.loads(file.read_text(encoding="utf-8"))
    told = {key: value for key, value in keys.items() if value or key in task}
    gone = {key for key, value in keys.items() if value is None}
    changed = {key: value for key, value in {**task, **told}.items() if key not in gone}
    if changed != task:
        change_task(bundle, changed)
    return True
