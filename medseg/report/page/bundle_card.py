"""Bundle card: what the files of a bundle say of its task, its scores and its known faults."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medseg.base.text import count_noun

_METADATA = Path("configs") / "metadata.json"
_WEIGHTS = Path("models") / "model.pt"
_RUNS = (Path("run.json"), Path("models") / "model.run.json")
"""Of a run that is a bundle itself, and of one whose weights a bundle was given."""

_WORDS = {"val": "validation", "dice": "Dice", "iou": "IoU"}


@dataclass(frozen=True)
class BundleCard:
    """What a page says of a bundle; each is "" where its files do not say it.

    Attributes:
        task: what the bundle segments, and in which images.
        scores: how well, in words.
        faults: what it is known to do wrong.
    """

    task: str = ""
    scores: str = ""
    faults: str = ""

    def list_facts(self) -> Iterator[tuple[str, str]]:
        """Names and values, for a list of facts."""
        if self.task:
            yield "Task", self.task
        yield "Scores of the bundle", self.scores or "none is known"
        if self.faults:
            yield "Known faults", self.faults


def read_bundle_card(root: str | os.PathLike | None) -> BundleCard:
    """Read `configs/metadata.json` of a bundle; where it is missing or damaged, nothing is known.

    Scores are those of the training that its weights come from, where there is one, as in the list
    of bundles; or else those of the metadata.

    Args:
        root: folder of the bundle.

    Example:
        >>> read_bundle_card(None)
        BundleCard(task='', scores='', faults='')
    """
    if root is None:
        return BundleCard()
    root = Path(root)
    stated = _read_object(root / _METADATA)
    run = _read_run(root)
    faults = stated.get("known_faults") or ()
    listed = [faults] if isinstance(faults, str) else faults if isinstance(faults, list) else []
    return BundleCard(
        task=str(stated.get("task") or ""),
        scores=_describe_run(run) or _describe_scores(stated),
        faults="; ".join(map(str, listed)),
    )


def _read_object(path: Path) -> dict[str, Any]:
    """A dictionary in a file; an empty one where the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_run(root: Path) -> dict[str, Any]:
    """What is known of the training that the weights of a bundle come from; empty if nothing."""
    if not (root / _WEIGHTS).is_file():
        return {}
    return next((_read_object(root / file) for file in _RUNS if (root / file).is_file()), {})


def _describe_run(run: Mapping[str, Any]) -> str:
    """Scores of a training in words: "validation mean Dice 0.859 (of 35 validation cases, ...)"."""
    said, cases = _join_scores(run.get("scores")), run.get("cases")
    if not said:
        return ""
    if run.get("fold") is None and run.get("all_cases"):
        return f"{said} (each case scored by the network that was not trained on it)"
    counts = cases if isinstance(cases, Mapping) else {}
    scored, trained = counts.get("validation"), counts.get("training")
    count = f"{scored} " if type(scored) is int else ""
    how = "by which these weights were chosen"
    if run.get("all_cases"):
        how = "which were trained on, so that it says nothing of new cases"
    said += f" (of the {count}validation cases, {how})"
    return f"{said}; trained on {count_noun(trained, 'case')}" if type(trained) is int else said


def _join_scores(scores: Any) -> str:
    """Scores in words: "validation mean Dice 0.859, validation mean IoU 0.771"; "" without any."""
    if not isinstance(scores, Mapping):
        return ""
    return ", ".join(
        f"{' '.join(_WORDS.get(word, word) for word in str(name).split('_'))} {_round(score)}"
        for name, score in scores.items()
    )


def _round(score: Any) -> Any:
    return round(score, 3) if isinstance(score, float) else score


def _describe_scores(stated: Mapping[str, Any]) -> str:
    """Scores in words: "test mean Dice 0.882 (n = 52); trained on 140 cases"."""
    text = _join_scores(stated.get("eval_metrics"))
    if not text:
        return ""
    tested, trained = stated.get("test_cases"), stated.get("training_cases")
    if type(tested) is int:
        text += f" (n = {tested})"
    return f"{text}; trained on {count_noun(trained, 'case')}" if type(trained) is int else text
