"""Score cases: run an evaluation, and leave its pictures and its table behind."""

import logging
import re
from functools import partial
from pathlib import Path

from ignite.engine import Engine
from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents
from torch.utils.data import Dataset

from medseg.base.console_streams import show_table
from medseg.base.files import set_aside
from medseg.base.lock import hold
from medseg.evaluation.distribution import draw_distribution
from medseg.evaluation.gallery import Gallery
from medseg.evaluation.reader_scores import ReaderScores
from medseg.evaluation.table import describe_dice, make_table
from medseg.inference import CasesFailedError, run_cases
from medseg.inference.outputs.notes import add_found
from medseg.metrics import CaseMetrics

logger = logging.getLogger(__name__)

GALLERY = "worst_cases.png"
_DISTRIBUTION = "distribution_{number}_{name}.png"


def score_cases(
    evaluator: SupervisedEvaluator,
    dataset: Dataset,
    *,
    scores: CaseMetrics,
    gallery: Gallery,
    readers: ReaderScores | None = None,
) -> int:
    """Run the evaluator over each case, then draw and show what the scores say.

    Beside the tables of the scores come a plot of the distribution for each class, see
    `draw_distribution`, and the gallery of the worst cases. Each case is a line of the log with its
    Dice, and the table of the means ends what is said. Where some cases fail, all this is of the
    others.

    Args:
        evaluator: with both handlers attached, the scores first.
        dataset: see `run_cases`.
        scores: the handler that scores the cases.
        gallery: the handler that keeps the worst of them.
        readers: the handler that compares the model with the readers of the cases.

    Returns:
        The number of cases.

    Raises:
        CasesFailedError: see `run_cases`; the pictures of the other cases are there then.
        FileExistsError: another process writes its scores to the same folder.
        OSError: a file cannot be written.
    """
    if not hold(scores.output_dir / ".metrics.csv.lock"):
        raise FileExistsError(
            f"another process is writing its scores to {scores.output_dir}: wait for it, or pass "
            "another --output_dir"
        )
    evaluator.add_event_handler(IterationEvents.MODEL_COMPLETED, partial(_tell_dice, scores=scores))
    try:
        done = run_cases(evaluator, dataset, on_failure=scores.add_failure)
    except CasesFailedError:
        report(scores, gallery, readers)
        raise
    report(scores, gallery, readers)
    return done


def report(scores: CaseMetrics, gallery: Gallery, readers: ReaderScores | None = None) -> None:
    """Draw the distributions and the gallery, and show the table, of the cases so far.

    Pictures of an earlier evaluation are first given dated names. There is no table where the log
    has warnings alone.
    """
    folder = scores.output_dir
    if not scores.rows:
        return
    for earlier in sorted(folder.glob("distribution_*.png")):
        if re.fullmatch(r"distribution_\d+_\w*\.png", earlier.name):
            set_aside(earlier)
    set_aside(folder / GALLERY)
    made = [
        _draw_class(scores, number, gallery.title) for number in range(len(scores.scorer.classes))
    ]
    if gallery.write(folder / GALLERY):
        made.append(folder / GALLERY)
    logger.info("scores: %s; plots: %s", folder / "metrics.csv", ", ".join(p.name for p in made))
    if logger.isEnabledFor(logging.INFO):
        show_table(make_table(scores.summarise()["classes"], _list_dice(scores)))
    for line in readers.describe() if readers is not None else ():
        logger.info("%s", line)


def _list_dice(scores: CaseMetrics) -> dict[str, list[float]]:
    """Class -> its Dice in each case."""
    return {
        name: [row["dice"] for row in scores.rows if row["class"] == name]
        for name in scores.scorer.classes
    }


def _tell_dice(engine: Engine, *, scores: CaseMetrics) -> None:
    """Add to the line of each case of the batch the Dice of its classes."""
    engine.state.output = [
        add_found(
            output,
            [
                describe_dice(
                    {
                        row["class"]: row["dice"]
                        for row in scores.rows
                        if row["case"] == item["case"]
                    }
                )
            ],
        )
        for item, output in zip(engine.state.batch, engine.state.output, strict=True)
    ]


def _draw_class(scores: CaseMetrics, number: int, title: str) -> Path:
    name = scores.scorer.classes[number]
    rows = [row for row in scores.rows if row["class"] == name]
    safe = re.sub(r"\W+", "_", name, flags=re.ASCII)[:40]
    path = scores.output_dir / _DISTRIBUTION.format(number=number + 1, name=safe)
    draw_distribution(rows, path, title=": ".join(filter(None, [title, name])))
    return path
