"""Figure: the curves of a run in one picture, progress.png."""

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from medseg.base.files import whole
from medseg.base.text import escape_unprintable
from medseg.engines.progress.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE = "progress.png"
_INCHES, _DOTS_PER_INCH = (11, 7), 100
_MANY = 10
"""At most this many classes have a line of their own in the legend."""


def draw_progress(
    history: History,
    path: str | os.PathLike,
    *,
    title: str,
    scores: Mapping[str, str],
    lowest: float | None = None,
) -> None:
    """Draw loss, scores, learning rate and time of each epoch; written whole or not at all.

    Args:
        history: of the run.
        path: of the PNG.
        title: of the picture.
        scores: name -> column of the history; the first is drawn as the leading one.
        lowest: least value of the loss, drawn as a line; if it is below 0, a note explains why.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.ticker import MaxNLocator

    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=_INCHES, layout=ConstrainedLayoutEngine(h_pad=0.1))
        loss, score, rate, seconds = figure.subplots(2, 2).flat
        _draw_loss(loss, history, lowest)
        _draw_scores(score, history, scores)
        _draw_line(rate, history, "learning_rate", "learning rate in the last step")
        _draw_line(seconds, history, "seconds", "time in s, with the validation")
        for axes in (rate, seconds):
            axes.margins(y=0.1)
            axes.set_ylim(bottom=0)
        for axes in (loss, score, rate, seconds):
            axes.set_xlabel("epoch")
            axes.grid(alpha=0.3)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        figure.suptitle(_protect(title))
        with whole(path) as partial:
            figure.savefig(partial, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})


def _draw_line(axes: "Axes", history: History, column: str, title: str) -> None:
    axes.plot(*history.list_values(column), marker=".", color="tab:blue")
    axes.set_title(title)


def _draw_loss(axes: "Axes", history: History, lowest: float | None) -> None:
    _draw_line(axes, history, "loss", "mean loss of training")
    if lowest is None:
        return
    axes.axhline(lowest, color="tab:gray", linestyle="--")
    if lowest < 0:
        axes.annotate(
            "The loss is minus a similarity, so it falls below zero.\n"
            f"Its least value, of a perfect prediction, is {lowest:.3g} (dashed).",
            xy=(0.5, 0),  # the middle of the lower edge of "epoch", where nothing is drawn
            xycoords=axes.xaxis.label,
            xytext=(0, -3),
            textcoords="offset points",
            ha="center",
            va="top",
            color="dimgray",
        )


def _draw_scores(axes: "Axes", history: History, scores: Mapping[str, str]) -> None:
    for number, (name, column) in enumerate(scores.items()):
        style = {"color": "black", "linewidth": 2.0} if number == 0 else {"linewidth": 1.0}
        label = _protect(name) if number <= _MANY else None
        axes.plot(*history.list_values(column), marker=".", label=label, **style)
    axes.set_title("scores of the validation")
    values = [score for column in scores.values() for score in history.list_values(column)[1]]
    drawn = [score for score in values if math.isfinite(score)]
    if min(drawn, default=0) >= 0:
        axes.set_ylim(bottom=0)
    if max(drawn, default=1) <= 1:
        axes.set_ylim(top=1.02)
    if scores:
        axes.legend(loc="best", fontsize=8)


def _protect(text: str) -> str:
    """Text as it stands: a $ begins a formula in Matplotlib."""
    return escape_unprintable(text).replace("$", r"\$")
