"""Folds: train the folds of a cross-validation and score each on the cases that it has not seen.

Each fold is a run of its own in `fold_<number>`, which `medseg segment -b` takes as any other run.
What is done is not done again: a training that was interrupted goes on, and a fold that is scored
is left as it is. Folds can be trained on several machines that share the folder, or be copied
together afterwards.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medseg.base.files import whole

logger = logging.getLogger(__name__)

SCORES = "out_of_fold"

_TRAINED, _SCORED = "trained.json", "scored.json"
_RESUME = "resume.pt"
_RUN = "from medseg.cli.app import main; main()"
_RAW = ("--largest_only=[]", "--smallest_part={}", "--fill_holes=[]")


class FoldFailedError(RuntimeError):
    """A fold could not be trained or scored; the reason was printed by the command that failed."""


@dataclass(frozen=True)
class Fold:
    """A fold of a cross-validation.

    Attributes:
        number: from 0.
        folder: of its run.
        scores_name: of the folder in it that its scores and predictions are in.
    """

    number: int
    folder: Path
    scores_name: str = SCORES

    @property
    def scores(self) -> Path:
        """Folder of its scores and predictions."""
        return self.folder / self.scores_name

    @property
    def is_scored(self) -> bool:
        """Whether it is trained and scored."""
        return (self.scores / _SCORED).is_file()


def list_folds(folder: Path, count: int) -> list[Fold]:
    """The folds of a cross-validation in a folder."""
    return [Fold(number, folder / f"fold_{number}") for number in range(count)]


def run_fold(bundle: Path, fold: Fold, *, arguments: Sequence[str] = ()) -> None:
    """Train a fold, unless it is trained, and score it, unless it is scored.

    Args:
        bundle: folder of the bundle.
        fold: the fold.
        arguments: overrides of the training.

    Raises:
        FoldFailedError: a command failed; what it had done is kept.
        ValueError: the fold was trained with other arguments.
    """
    done = fold.folder / _TRAINED
    if not done.is_file():
        resume = (fold.folder / _RESUME).is_file()
        logger.info("fold %d: %s", fold.number, "training goes on" if resume else "training")
        words = ["train", "-b", str(bundle), f"--fold={fold.number}"]
        words += [f"--output_dir={fold.folder}", f"--resume={resume}", "--publish=False"]
        words += arguments
        _run(words, fold)
        _mark(done, list(arguments))
    elif (before := json.loads(done.read_text())) != list(arguments):
        said = " ".join(before) or "no overrides"
        raise ValueError(
            f"{fold.folder} was trained with {said}: pass the same, or another folder with --out"
        )
    score_fold(fold)


def score_fold(fold: Fold, arguments: Sequence[str] = (), *, made_of: Sequence[str] = ()) -> None:
    """Score a fold on the cases that it has not seen, unless that is done.

    Args:
        fold: trained.
        arguments: overrides of the evaluation.
        made_of: what the scores depend on; where this has changed, it is scored again.

    Raises:
        FoldFailedError: the scoring failed.
    """
    mark = fold.scores / _SCORED
    if mark.is_file() and (not made_of or json.loads(mark.read_text()) == list(made_of)):
        return
    logger.info("fold %d: scoring the cases that it has not seen", fold.number)
    mark.unlink(missing_ok=True)
    words = ["evaluate", "-b", str(fold.folder), f"--output_dir={fold.scores}"]
    words += ["--section=validation", "--keep_predictions=True", *_RAW, *arguments]
    _run(words, fold)
    _mark(mark, list(made_of))


def _run(words: Sequence[str], fold: Fold) -> None:
    """Run a command of medseg in a process of its own, so that its memory is free afterwards."""
    status = subprocess.run([sys.executable, "-c", _RUN, *words], check=False).returncode
    if status:
        raise FoldFailedError(
            f"fold {fold.number}: {words[0]} {_describe_failure(status)} and run crossval again, "
            "which goes on where it was"
        )


def _describe_failure(status: int) -> str:
    """What a process that failed tells by its exit status, and what to do."""
    if status >= 0:  # as always on Windows
        return "failed, see above: mend the cause"
    if -status == signal.SIGKILL:
        return (
            "was ended by the system, most often because memory ran out: pass a smaller "
            "--batch_size or --image_size,"
        )
    return f"was ended by signal {-status}: mend the cause"


def _mark(path: Path, content: list[str]) -> None:
    with whole(path) as partial:
        partial.write_text(json.dumps(content) + "\n")
