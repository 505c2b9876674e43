"""Gallery: the worst cases of an evaluation, each with the outlines of truth and prediction."""

import os
from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import takewhile
from math import isnan
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from medseg.base.files import whole
from medseg.base.text import escape_unprintable
from medseg.evaluation.distribution import rank_case
from medseg.evaluation.tile import TILE_WIDTH, draw_legend, draw_tile
from medseg.evaluation.view import View, make_view
from medseg.inference.preview.caption import RESEARCH_USE
from medseg.inference.preview.page import (
    GREY,
    LARGE,
    Block,
    draw_page,
    lay_out,
    stack,
    write,
    write_paragraph,
)
from medseg.metrics import CaseMetrics

_GAP = 20

WIDTH = 3 * TILE_WIDTH + 2 * _GAP
"""Pixels of the page: three cases beside each other."""


@dataclass(order=True)
class _Shown:
    """A case of a class, the worst first: least Dice, then the largest structure."""

    dice: float
    minus_size: float
    block: Block = field(compare=False)


class Gallery:
    """Evaluator handler that keeps a picture of the worst cases of each class, by their Dice.

    Attach it after the handler of the scores. A case without a Dice, where there is nothing to find
    and nothing was found, is none of them. Only the pictures of the worst so far are in memory.

    Args:
        scores: the handler that scores the cases.
        count: cases of each class, at most; 0 for no gallery.
        title: what was evaluated, such as "liver, validation".

    Raises:
        ValueError: a negative count.

    Example:
        >>> Gallery(scores, count=6).attach(evaluator)  # doctest: +SKIP
    """

    def __init__(self, scores: CaseMetrics, *, count: int = 6, title: str = "") -> None:
        if count < 0:
            raise ValueError(
                f"worst_cases must be 0 or more cases of each class, got {count}: pass 0 for none"
            )
        self.scores = scores
        self.count = count
        self.title = title
        self._shown: dict[str, list[_Shown]] = {}

    def attach(self, engine: Engine) -> None:
        """Look at each case once it is scored."""
        if self.count:
            engine.add_event_handler(Events.STARTED, self.begin)
            engine.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def begin(self, engine: Engine) -> None:
        """Forget the cases of an earlier run, unless each case is a run, as in `run_cases`."""
        if not getattr(engine, "runs_single_cases", False):
            self._shown = {}

    def __call__(self, engine: Engine) -> None:
        """Draw what is among the worst so far."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            for row in find_last_rows(self.scores, item["case"]):
                self._add(row, item["image"], output["label"], output["pred"])

    def write(self, path: str | os.PathLike) -> bool:
        """Write the pictures of all classes as one PNG, whole or not at all.

        Returns:
            Whether there is any; without one no file is written.
        """
        if not any(self._shown.values()):
            return False
        heading = write_paragraph(escape_unprintable(self.title), WIDTH, size=LARGE)
        parts = (self._draw_class(name) for name in self.scores.scorer.classes)
        use = write(f"{date.today().isoformat()} · {RESEARCH_USE}", colour=GREY)
        page = draw_page(stack([heading, draw_legend(), *parts, use], gap=20))
        with whole(path) as partial:
            page.save(partial, format="png")
        return True

    def _add(
        self,
        row: Mapping[str, Any],
        image: torch.Tensor,
        label: torch.Tensor,
        pred: torch.Tensor,
    ) -> None:
        shown = self._shown.setdefault(row["class"], [])
        rank = rank_case(row)
        is_full = len(shown) == self.count
        if isnan(row["dice"]) or (is_full and rank >= (shown[-1].dice, shown[-1].minus_size)):
            return
        view = make_class_view(self.scores, row["class"], image, label, pred)
        insort(shown, _Shown(*rank, draw_tile(view, row)))
        del shown[self.count :]

    def _draw_class(self, name: str) -> Block:
        shown = self._shown.get(name, [])
        scored = [r for r in self.scores.rows if r["class"] == name and not isnan(r["dice"])]
        title = f"{name}: the worst {len(shown)} of {len(scored)} cases, by Dice"
        if not scored:
            title = f"{name}: no case has a score"
        tiles = lay_out((each.block for each in shown), WIDTH, gap=_GAP)
        return stack([write_paragraph(escape_unprintable(title), WIDTH, size=LARGE), tiles], gap=8)


def find_last_rows(scores: CaseMetrics, case: str) -> list[dict[str, Any]]:
    """The rows of a case of the batch that was scored last, one for each class."""
    last = takewhile(lambda row: row["case"] != case, reversed(scores.rows))
    end = len(scores.rows) - sum(1 for _ in last)
    return scores.rows[end - len(scores.scorer.classes) : end]


def make_class_view(
    scores: CaseMetrics, name: str, image: torch.Tensor, label: torch.Tensor, pred: torch.Tensor
) -> View:
    """The plane in which truth and prediction of a class differ most.

    Args:
        scores: the handler that scored the case.
        name: of the class.
        image: as it went into the network.
        label: class indices, (1, *spatial); likewise `pred`.
    """
    scorer = scores.scorer
    members = scorer.members[scorer.classes.index(name)]
    truth, found = (x[0].cpu().numpy() for x in (label, pred))
    true, predicted = (np.isin(x, members).astype(np.uint8) for x in (truth, found))
    if scorer.ignore_label is not None:
        predicted[truth == scorer.ignore_label] = 0
    affine = np.asarray(getattr(label, "affine", np.eye(4)), dtype=float)
    return make_view(image, true, predicted, affine)
