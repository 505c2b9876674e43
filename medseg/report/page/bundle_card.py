"""Bundle card: what the metadata of a bundle say of its task, its scores and its known faults."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medseg.base.text import count_noun

_METADATA = Path("configs") / "metadata.json"
_WORDS = {"dice": "Dice", "iou": "IoU"}


@dataclass(frozen=True)
class BundleCard:
    """What a page says of a bundle; each is "" where the metadata do not say it.

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

    Args:
        root: folder of the bundle.

    Example:
        >>> read_bundle_card(None)
        BundleCard(task='', scores='', faults='')
    """
    if root is None:
        return BundleCard()
    try:
        stated = json.loads((Path(root) / _METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return BundleCard()
    if not isinstance(stated, dict):
        return BundleCard()
    faults = stated.get("known_faults") or ()
    listed = [faults] if isinstance(faults, str) else faults if isinstance(faults, list) else []
    return BundleCard(
        task=str(stated.get("task") or ""),
        scores=_describe_scores(stated),
        faults="; ".join(map(str, listed)),
    )


def _describe_scores(stated: Mapping[str, Any]) -> str:
    """Scores in words: "test mean Dice 0.882 (n = 52); trained on 140 cases"."""
    scores = stated.get("eval_metrics")
    if not isinstance(scores, Mapping):
        return ""
    text = ", ".join(
        f"{' '.join(_WORDS.get(word, word) for word in str(name).split('_'))} {score}"
        for name, score in scores.items()
    )
    tested, trained = stated.get("test_cases"), stated.get("training_cases")
    if type(tested) is int:
        text += f" (n = {tested})"
    return f"{text}; trained on {count_noun(trained, 'case')}" if type(trained) is int else text
