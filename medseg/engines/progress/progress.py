"""Progress: what a training shows of itself, on a terminal, in a log, and in its folder."""

import logging
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events

from medseg.base.console_streams import is_on_terminal
from medseg.base.text import count_noun
from medseg.engines.best_weights import BestWeights
from medseg.engines.distributed import unwrap
from medseg.engines.loss import find_loss
from medseg.engines.progress.class_scores import find_class_scores
from medseg.engines.progress.figure import FIGURE, draw_progress
from medseg.engines.progress.history import History, name_class
from medseg.engines.progress.lines import (
    Epoch,
    format_count,
    format_epoch,
    format_facts,
    format_seconds,
)
from medseg.engines.progress.live import LiveDisplay
from medseg.engines.progress.run_log import RunLog
from medseg.losses import find_lowest_value
from medseg.networks.device import find_device_name

logger = logging.getLogger(__package__)

_WATCHED = 5.0
"""Seconds of steps, after the first one, from which the time of an epoch is estimated."""

_INFERENCE = "configs/inference.json"
"""The file of a run's folder that makes it a bundle to segment with."""


class Progress:
    """Trainer handler that says what a run is, one line for each epoch, and how it ended.

    The first epoch has one more line, as soon as a few steps tell how long an epoch will take.
    On a terminal a bar below these lines follows the steps; elsewhere there is none, and the lines
    are part of the log. In the run's folder, `run.log` has all that is logged, `epochs.csv` a row
    for each epoch (see `History`), and `progress.png` their curves. A resumed run goes on with all
    three. Attach it in the first process of a run alone.

    Args:
        output_dir: folder of the run.
        evaluator: engine of the validation.
        best_weights: the handler that judges it.
        optimizer: whose learning rate is shown.
        name: of the bundle.
        classes: names of the classes, in the order of the channels that the key metric scores.
        record: what the run is made of, see `describe_run`; it knows the cases.
        test_cases: number of the cases that are kept for a test.
        loss: of the training; its least value is drawn beside its curve.
        val_interval: number of epochs from one validation to the next.

    Raises:
        OSError: when the trainer starts, or after an epoch, if a file cannot be written.
        ValueError: at the first epoch of a resumed run, if its `epochs.csv` is damaged.

    Example:
        >>> Progress("runs/liver/1", evaluator=evaluator, best_weights=best, optimizer=optimizer,
        ...          name="liver", classes=["liver"]).attach(trainer)  # doctest: +SKIP
    """

    def __init__(
        self,
        output_dir: str | os.PathLike,
        *,
        evaluator: Engine,
        best_weights: BestWeights,
        optimizer: torch.optim.Optimizer,
        name: str = "",
        classes: Sequence[str] = (),
        record: Mapping[str, Any] | None = None,
        test_cases: int | None = None,
        loss: torch.nn.Module | None = None,
        val_interval: int = 1,
    ) -> None:
        self.folder = Path(output_dir)
        self.evaluator = evaluator
        self.best_weights = best_weights
        self.optimizer = optimizer
        self.name = name
        self.classes = list(classes)
        sections = ("training", "validation")
        self.cases = {key: len(record[key]) for key in sections if record and key in record}
        if test_cases is not None:
            self.cases["test"] = test_cases
        self.val_interval = val_interval
        self.history = History(output_dir)
        self._lowest = None if loss is None else find_lowest_value(loss)
        self._log = RunLog(output_dir)
        self._display: LiveDisplay | None = None
        self._losses: list[float] = []
        self._scores: dict[str, float] = {}
        self._class_scores: dict[str, float] = {}
        self._begun = self._epoch_begun = self._first_step_done = 0.0
        self._epochs_timed: list[float] = []
        self._is_time_told = False

    def attach(self, engine: Engine) -> None:
        """Follow the trainer and its validation."""
        engine.add_event_handler(Events.STARTED, self.begin)
        engine.add_event_handler(Events.EPOCH_STARTED, self.begin_epoch)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.note_step)
        self.evaluator.add_event_handler(Events.STARTED, self.begin_validation)
        self.evaluator.add_event_handler(Events.ITERATION_COMPLETED, self.note_case)
        self.evaluator.add_event_handler(Events.COMPLETED, self.note_scores)

    def begin(self, engine: Engine) -> None:
        """Say what the run is, and run after the handlers that are attached by now."""
        self._log.open()
        for event, handler in (
            (Events.EPOCH_COMPLETED, self.end_epoch),
            (Events.COMPLETED, self.end),
            (Events.EXCEPTION_RAISED, self.fail),
        ):
            if not engine.has_event_handler(handler, event):
                engine.add_event_handler(event, handler)
        self._begun, self._epochs_timed = time.monotonic(), []
        facts = self._describe(engine)
        if is_on_terminal():
            self._display = LiveDisplay(logger.name)
            self._display.open(facts)
        logger.info("%s", format_facts(facts))

    def begin_epoch(self, engine: Engine) -> None:
        """Begin with no loss and no score."""
        if not self._epochs_timed:
            self.history.begin(engine.state.epoch)
        self._epoch_begun = time.monotonic()
        self._losses, self._scores, self._class_scores = [], {}, {}
        if self._display is not None:
            now = f"epoch {engine.state.epoch}/{engine.state.max_epochs}"
            self._display.begin(now, engine.state.epoch_length)

    def note_step(self, engine: Engine) -> None:
        """Note the loss of a step."""
        loss = find_loss(engine.state.output)
        if loss is not None:
            self._losses.append(loss)
        if self._display is not None:
            self._display.advance("" if loss is None else f"loss {loss:.4f}")
        if not self._epochs_timed:
            self._tell_time_of_epoch(engine)

    def _tell_time_of_epoch(self, engine: Engine) -> None:
        """Log, once in the first epoch, how long its steps take; the first step also starts up."""
        now = time.monotonic()
        length = engine.state.epoch_length
        step = engine.state.iteration - (engine.state.epoch - 1) * length
        if step == 1:
            self._first_step_done, self._is_time_told = now, False
        elif not self._is_time_told and step < length and now - self._first_step_done >= _WATCHED:
            self._is_time_told = True
            seconds = length * (now - self._first_step_done) / (step - 1)
            logger.info(
                "%d of %d steps are done: those of an epoch take about %s, without a validation",
                *(step, length, format_seconds(seconds)),
            )

    def begin_validation(self, evaluator: Engine) -> None:
        """Show that the validation begins."""
        if self._display is not None:
            self._display.begin("validation", evaluator.state.epoch_length)

    def note_case(self, evaluator: Engine) -> None:
        """Move on by a case of the validation."""
        if self._display is not None:
            self._display.advance()

    def note_scores(self, evaluator: Engine) -> None:
        """Note the scores of a validation."""
        self._scores = {name: float(score) for name, score in evaluator.state.metrics.items()}
        self._class_scores = find_class_scores(evaluator, self.classes)

    def end_epoch(self, engine: Engine) -> None:
        """Say how the epoch went."""
        epoch = self._summarise(engine)
        is_best = epoch.best_epoch == epoch.number
        self._say(format_epoch(epoch), style="green" if is_best else "")
        self.history.add(epoch)
        self._draw(epoch)

    def end(self, engine: Engine) -> None:
        """Say how the run ended, and what to do next."""
        best, key = self.best_weights, self.evaluator.state.key_metric_name
        after = format_seconds(time.monotonic() - self._begun)
        said = f"best {key} {best.score:.4f} in epoch {best.epoch} of {engine.state.epoch}"
        if best.takes_last:
            said = (
                f"the last weights are kept; {key} {best.score:.4f} is of cases that were trained "
                "on, so score the test cases"
            )
        if best.score == 0:
            said += " (nothing was found: train longer)"
        self._say(f"done after {after}: {said}, in {self.folder}", style="bold")
        if (self.folder / _INFERENCE).is_file():
            run = shlex.quote(str(self.folder))
            self._say(f"to segment with this run: medseg segment INPUT -b {run} -o masks")
        self._close()

    def fail(self, engine: Engine, error: Exception) -> None:
        """Give the terminal back before the error is shown."""
        self._close()
        raise error

    def _draw(self, epoch: Epoch) -> None:
        single = len(self.classes) == 1
        classes = {} if single else {name: name_class(epoch.key, name) for name in self.classes}
        draw_progress(
            self.history,
            self.folder / FIGURE,
            title=f"{self.name}, {self.folder.name}: {epoch.number} of {epoch.of} epochs",
            scores={epoch.key: epoch.key, **classes},
            lowest=self._lowest,
        )

    def _say(self, line: str, *, style: str = "") -> None:
        logger.info("%s", line)
        if self._display is not None:
            self._display.say(line, style=style)

    def _close(self) -> None:
        if self._display is not None:
            self._display.close()
            self._display = None
        self._log.close()

    def _describe(self, engine: Engine) -> dict[str, str]:
        network = unwrap(self.best_weights.network)
        parameters = format_count(sum(each.numel() for each in network.parameters()))
        device = find_device_name(torch.device(engine.state.device))
        if idist.get_world_size() > 1:
            device = (
                f"{count_noun(idist.get_world_size(), 'process', plural='processes')}, {device}"
            )
        cases = ", ".join(f"{number} {section}" for section, number in self.cases.items())
        facts = {"bundle": self.name, "device": device, "network": f"{parameters} parameters"}
        batches = f"{engine.state.epoch_length} in an epoch"
        often = f"every {self.val_interval} epochs, and after the last one"
        return {
            **facts,
            "cases": cases or "unknown",
            "batches": batches,
            **({"validation": often} if self.val_interval > 1 else {}),
            "folder": str(self.folder),
        }

    def _summarise(self, engine: Engine) -> Epoch:
        seconds = time.monotonic() - self._epoch_begun
        self._epochs_timed.append(seconds)
        mean = sum(self._epochs_timed) / len(self._epochs_timed)
        number, of = engine.state.epoch, engine.state.max_epochs or engine.state.epoch
        best = self.best_weights
        is_found = bool(best.epoch) and round(best.score, 4) != 0  # at 0 nothing was found
        has_best = is_found and not best.takes_last
        return Epoch(
            number=number,
            of=of,
            loss=sum(self._losses) / len(self._losses) if self._losses else float("nan"),
            learning_rate=float(self.optimizer.param_groups[0]["lr"]),
            seconds=seconds,
            left=mean * (of - number),
            key=self.evaluator.state.key_metric_name,
            scores=self._scores,
            class_scores=self._class_scores,
            best=best.score if has_best else None,
            best_epoch=best.epoch if has_best else 0,
        )
