"""Against: the cross-validation of another bundle, on the same cases, to compare with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medseg.base.scratch import make_scratch_folder
from medseg.bundles.bundle import RUN_FILE, WEIGHTS
from medseg.bundles.catalogue.companion import find_differences
from medseg.bundles.catalogue.locate import locate
from medseg.bundles.crossval.folds import Fold, list_folds, score_fold
from medseg.bundles.crossval.write_ensemble import FOLDER
from medseg.bundles.overrides import read_workflow
from medseg.report.provenance import hash_file

COMPANION = Path("models") / "companion"
"""The folder in a bundle of the one whose probabilities are averaged with its own."""

_SAME = ("folds", "split_seed", "classes", "label_values", "ignore")


@dataclass(frozen=True)
class Against:
    """A bundle whose folds are all trained and scored.

    Attributes:
        name: of the bundle.
        folds: of its cross-validation.
        ensemble: of all folds, as a bundle.
    """

    name: str
    folds: list[Fold]
    ensemble: Path


def find_against(named: Path, config: Mapping[str, Any]) -> Against:
    """The cross-validation that a bundle is compared with.

    Args:
        named: name or folder of the other bundle, whose folds are in runs/NAME/crossval, or the
            folder of its folds.
        config: of the training of the bundle that is compared.

    Raises:
        FileNotFoundError: there is no such bundle.
        ValueError: not all of its folds are done, it is the same bundle, or it has other folds or
            classes, or sees an image otherwise.
    """
    folder = named
    if not (named / "fold_0").is_dir():
        folder = Path("runs") / str(read_workflow(locate(named), "train")["name"]) / "crossval"
    if not (folder / "fold_0" / RUN_FILE).is_file():
        raise ValueError(
            f"{named} is not cross-validated, {folder} has no folds: run medseg crossval -b "
            f"{named} first"
        )
    theirs = read_workflow(folder / "fold_0", "train")
    name, own = str(theirs["name"]), str(config["name"])
    if name == own:
        raise ValueError(f"{name} cannot be compared with itself: name another bundle")
    differences = [
        f"{key}: {theirs.get(key)} against {config.get(key)}"
        for key in _SAME
        if theirs.get(key) != config.get(key)
    ]
    if differences := [*differences, *find_differences(theirs, config)]:
        raise ValueError(
            f"{name} and {own} cannot be compared ({'; '.join(dict.fromkeys(differences))}): give "
            "both the same, and cross-validate them again"
        )
    folds = list_folds(folder, int(config["folds"]))
    waiting = [str(fold.number) for fold in folds if not fold.is_scored]
    if waiting or not (folder / FOLDER / WEIGHTS).is_file():
        which = f"folds {', '.join(waiting)} are" if waiting else "its ensemble is"
        raise ValueError(f"{which} missing in {folder}: run medseg crossval -b {name} first")
    return Against(name, folds, folder / FOLDER)


def score_both(fold: Fold, against: Against) -> Fold:
    """Score the mean of the probabilities of a fold and the same fold of the other bundle.

    What is done is not done again, unless the weights of one have changed.

    Returns:
        The fold with these scores.

    Raises:
        FoldFailedError: the scoring failed.
        ValueError: the folds are of other cases.
    """
    other, both = against.folds[fold.number], name_both(fold, against)
    if _read_digest(fold) != _read_digest(other):
        raise ValueError(
            f"fold {fold.number} of {against.name} has other cases or labels, see {other.folder}: "
            "cross-validate both on the same list of cases"
        )
    weights = [str(hash_file(each.folder / WEIGHTS)) for each in (fold, other)]
    score_fold(both, [f"--companion={other.folder}"], made_of=weights)
    return both


def name_both(fold: Fold, against: Against) -> Fold:
    """A fold whose scores are those of the mean."""
    return replace(fold, scores_name=f"with_{against.name}")


def publish_companion(against: Against, bundle: Path) -> None:
    """Put the ensemble of the other bundle into a bundle, in place of an earlier companion."""
    place = bundle / COMPANION
    place.parent.mkdir(exist_ok=True)
    with make_scratch_folder(place.parent) as scratch:
        made = scratch / "made"
        shutil.copytree(against.ensemble, made, symlinks=True)
        if place.exists():
            place.rename(scratch / "earlier")
        made.rename(place)


def count_weights(fold: Fold) -> int:
    """Bytes of the weights of a fold, by which the simpler of two networks is told."""
    return (fold.folder / WEIGHTS).stat().st_size


def _read_digest(fold: Fold) -> Any:
    """What `run.json` knows of the contents of the cases that a fold was trained and scored on."""
    return json.loads((fold.folder / RUN_FILE).read_text(encoding="utf-8")).get("section_sha256")
