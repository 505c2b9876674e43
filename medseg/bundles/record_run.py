"""RecordRun: make the folder of a training run a bundle of its own, and keep its run.json."""

import hashlib
import json
import logging
import os
import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from medseg.base.files import whole
from medseg.bundles.bundle import RUN_FILE, WEIGHTS
from medseg.bundles.bundle_of_run import write_run_bundle
from medseg.bundles.publish import publish_if_none
from medseg.engines import BestWeights
from medseg.inference.outputs.label_files import LabelFiles
from medseg.plausibility import copy_trained_on
from medseg.report.provenance import describe_provenance, format_now, measure_peak_memory

logger = logging.getLogger(__name__)

_SECTIONS = ("training", "validation")
_SPLIT = ("fold", "folds", "split_seed")
_VERSION = 1


class RecordRun:
    """Trainer handler that makes the folder of a run a complete bundle, except for its weights.

    As the training starts it writes the configs as they run, the evaluation and the inference with
    the same classes, window, sizes and network, the metadata and the label table, see `LabelFiles`.
    After each epoch it brings `run.json` up to date. When the training is done, the bundle that was
    trained gets the weights if it has none, or if the cases were given as a list: a program that
    gives such a list, as MONAI Label does, then uses the bundle and expects the new weights in it.

    Attach it after the handler of the best weights.

    Args:
        output_dir: folder of the run.
        bundle_root: folder of the bundle that is trained.
        config: the config as it runs, see `medseg.engines.read_config_as_run`.
        best_weights: the handler that writes the weights.
        record: what the run is made of, see `medseg.engines.describe_run`.
        test_cases: number of the cases that are kept for a test.
        publish: whether the bundle gets the weights at the end, see `publish_if_none`.

    Raises:
        FileNotFoundError: when the trainer starts, if the bundle lacks a file.

    Example:
        >>> RecordRun("runs/liver/1", bundle_root="bundles/liver", config=config,
        ...           best_weights=best, record=record)  # doctest: +SKIP
    """

    def __init__(
        self,
        output_dir: str | os.PathLike,
        *,
        bundle_root: str | os.PathLike,
        config: Mapping[str, Any],
        best_weights: BestWeights,
        record: Mapping[str, Any] | None = None,
        test_cases: int | None = None,
        publish: bool = True,
    ) -> None:
        self.folder = Path(output_dir)
        self.bundle = Path(bundle_root)
        self.config = config
        self.best_weights = best_weights
        self.record = record
        self.test_cases = test_cases
        self.publish = publish
        self._run: dict[str, Any] = {}
        self._seconds_before = 0.0
        self._started = 0.0

    def attach(self, engine: Engine) -> None:
        """Write at the start, after each epoch and at the end."""
        engine.add_event_handler(Events.STARTED, self.begin)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.update)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def begin(self, engine: Engine) -> None:
        """Write the bundle, and run.json with what is known before the first epoch."""
        if idist.get_rank() != 0 or self._run:  # a federated run starts the trainer each round
            return
        write_run_bundle(self.bundle, self.folder, self.config)
        if isinstance(classes := self.config.get("classes"), Mapping):
            LabelFiles(self.folder, classes)()
        earlier = read_run(self.folder) if (self.folder / RUN_FILE).is_file() else None
        self._started = time.monotonic()
        self._seconds_before = earlier["seconds"] if earlier else 0.0
        self._run = {**self._describe(engine), **_note_times(earlier)}
        if earlier and earlier.get("command"):
            self._run["command"] = earlier["command"]
        self.update(engine)

    def update(self, engine: Engine) -> None:
        """Bring run.json up to date."""
        if idist.get_rank() != 0:
            return
        best = self.best_weights
        seconds = self._seconds_before + time.monotonic() - self._started
        self._run |= {
            "epochs": engine.state.epoch,
            "best_epoch": best.epoch or None,
            "scores": best.scores,
            "seconds": round(seconds, 1),
            "peak_memory_bytes": measure_peak_memory(),
        }
        _write_json(self.folder / RUN_FILE, self._run)

    def finish(self, engine: Engine) -> None:
        """Write that the run has ended, and give the bundle the weights if it has none."""
        if idist.get_rank() != 0:
            return
        self._run["ended"] = format_now()
        self.update(engine)
        own = self.folder / WEIGHTS
        if self.best_weights.path.resolve() != own.resolve() and self.best_weights.path.is_file():
            with whole(own) as partial:
                shutil.copyfile(self.best_weights.path, partial)
            copy_trained_on(self.best_weights.path, own)
        if self.publish:
            publish_if_none(self.folder, self.bundle, replace=_is_given_cases(self.config))

    def _describe(self, engine: Engine) -> dict[str, Any]:
        choices = {key: self.config.get(key) for key in ("name", "seed", *_SPLIT)}
        record = self.record or {}
        return {
            "version": _VERSION,
            "bundle": choices["name"],
            **describe_provenance(engine.state.device),
            "processes": idist.get_world_size(),
            **{key: choices[key] for key in ("seed", *_SPLIT)},
            "all_cases": bool(self.config.get("all_cases")),
            "cases": {key: len(record.get(key, ())) for key in _SECTIONS}
            | {"test": self.test_cases},
            "data_sha256": _compute_fingerprint(record, _SECTIONS),
            "section_sha256": {key: _compute_fingerprint(record, [key]) for key in _SECTIONS},
        }


def read_run(folder: Path) -> dict[str, Any]:
    """The run.json of a run.

    Raises:
        FileNotFoundError: the folder is not that of a run.
        ValueError: the file is damaged.
    """
    file = folder / RUN_FILE
    if not file.is_file():
        raise FileNotFoundError(
            f"{folder} is not the folder of a run, it has no {RUN_FILE}: name a folder in runs/"
        )
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {"seconds": 0.0, **found}
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{file} is damaged ({error}): remove it to continue without it"
        ) from error


def _is_given_cases(config: Mapping[str, Any]) -> bool:
    """Whether the training cases are a list, and not what a bundle reads from its dataset."""
    train = config.get("train", {})
    return isinstance(train.get("dataset", {}).get("data"), (list, tuple))


def _note_times(earlier: Mapping[str, Any] | None) -> dict[str, Any]:
    """When the run started, and when and by which command it was resumed."""
    if earlier is None:
        return {"started": format_now(), "resumed": [], "ended": None}
    again = {"time": format_now(), "command": shlex.join(sys.argv)}
    return {
        "started": earlier.get("started"),
        "resumed": [*earlier.get("resumed", []), again],
        "ended": None,
    }


def _compute_fingerprint(record: Mapping[str, Any], sections: Sequence[str]) -> str | None:
    """A digest of the contents of all cases of some sections; it holds no names."""
    if not record:
        return None
    parts = {key: sorted(record.get(key, {}).values()) for key in sections}
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    with whole(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
