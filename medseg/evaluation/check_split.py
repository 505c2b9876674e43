"""Check split: keep an evaluation from scoring cases that the weights were trained on."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

_SPLIT = {"validation": ("fold", "folds", "split_seed"), "test": ("split_seed",)}
"""What decides which cases a section holds."""

_RECORDS = ("run.json", "models/model.run.json")
"""What a run was trained with: in its folder, and beside weights that were published."""


def check_split(
    bundle_root: str | os.PathLike,
    split: Mapping[str, Any],
    *,
    section: str = "validation",
    force: bool = False,
) -> None:
    """Refuse an evaluation with another split than that of the training.

    The cases of another fold, or other test cases, are among those that the network learnt from,
    and their scores would be too good. What a run was trained with stands in its run.json, and for
    published weights beside them. Where neither is there, nothing is compared.

    Args:
        bundle_root: folder of the bundle or run.
        split: the choices of the evaluation, of which fold, folds and split_seed count.
        section: what is scored: "validation" depends on all three, "test" on split_seed alone, and
            "training" is never refused.
        force: log the difference, and go on.

    Raises:
        ValueError: the split differs, or the network was trained on all cases.

    Example:
        >>> check_split("runs/liver/1", {"fold": 0, "folds": 5, "split_seed": 0})  # doctest: +SKIP
    """
    trained = _read_split(Path(bundle_root))
    if section == "validation" and trained.get("all_cases"):
        _refuse_all_cases(force=force)
        return
    differences = [
        f"{key}: trained with {trained[key]}, used with {split[key]}"
        for key in _SPLIT.get(section, ())
        if trained.get(key) is not None and key in split and trained[key] != split[key]
    ]
    if not differences:
        return
    said = "; ".join(differences)
    if force:
        logger.warning("the evaluation has another split than the training (%s)", said)
        return
    keys = " and ".join(f"--{one.partition(':')[0]}" for one in differences)
    raise ValueError(
        f"the evaluation of another split ({said}) would score cases that the network was trained "
        f"on: leave {keys} out; --other_settings True scores them anyway"
    )


def _refuse_all_cases(*, force: bool) -> None:
    """Refuse to score what a network learnt from, as it learnt from all cases."""
    if force:
        logger.warning("the cases of the validation are among those of the training")
        return
    raise ValueError(
        "the network was trained on all cases, so that no fold is left to validate it on: score "
        "--section test; --other_settings True scores the fold anyway"
    )


def _read_split(root: Path) -> dict[str, Any]:
    """What the weights of a bundle were trained with; nothing where it is not known."""
    for name in _RECORDS:
        try:
            found = json.loads((root / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(found, dict):
            return {"split_seed": found.get("seed"), **found}  # once one seed did both
    return {}
