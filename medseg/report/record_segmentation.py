"""Record segmentation: a file for each command that says what was segmented, and with what."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from monai.data.image_reader import ImageReader
from monai.engines import SupervisedEvaluator
from torch.utils.data import Dataset

from medseg.base.files import whole
from medseg.inference.cases.report import DONE, FAILED, LEFT_OUT, REPORT, report_case
from medseg.inference.cases.run import run_cases
from medseg.inference.predictor.backends import list_packages
from medseg.inference.predictor.predictor import PredictorInferer
from medseg.inference.tiles.mean_canvas import Companion
from medseg.report.provenance import (
    describe_provenance,
    format_now,
    hash_file,
    measure_peak_memory,
)

SCHEMA = "medseg-segmentation-1"
"""Names the fields of the file; a field that changes its meaning changes this."""


class RecordSegmentation(logging.Handler):
    """Writes `segmentation_<time>.json` when a command that segments ends, however it ends.

    It has the command, versions, commit, device, the backend and precision that computed, times
    and peak memory, the digests of weights and settings, and for each case what `report_case`
    tells: its image, files, volumes, seconds, warnings and the UID of its DICOM series, or the
    reason of its failure. Of a patient it holds nothing, unless the names of files or folders do.

    Args:
        output_dir: folder of the outputs.
        made_by: the bundle and its version.
        weights: the file.
        device: that computes.
        choices: of the config; their digest tells whether two commands had the same settings.
        reader: of the images; the series of a study that it leaves out are recorded too.
        companion: whose probabilities are averaged with those of the bundle; its bundle, the digest
            of its weights and its share are recorded.

    Attributes:
        inferer: ran the network; `run_recorded` sets it.
        at_end: what is called after the file is written, such as the writing of an index.

    Example:
        >>> with RecordSegmentation("masks", made_by="liver 0.1.0", weights="models/model.pt",
        ...                         device="cpu"):  # doctest: +SKIP
        ...     run_cases(evaluator, dataset)
    """

    def __init__(
        self,
        output_dir: str | os.PathLike,
        *,
        made_by: str,
        weights: str | os.PathLike,
        device: str | torch.device,
        choices: Mapping[str, Any] | None = None,
        reader: ImageReader | None = None,
        companion: Companion | None = None,
    ) -> None:
        super().__init__(logging.INFO)
        self.reader = reader
        self.folder = Path(output_dir)
        self.about: dict[str, Any] = {"bundle": made_by, "weights_sha256": hash_file(weights)}
        if companion is not None:
            self.about["companion"] = {**companion.about, "share": companion.share}
        self.about["settings_sha256"] = _hash_settings(choices or {})
        self.device = device
        self.inferer: object = None
        self.at_end: list[Callable[[], object]] = []
        self.cases: dict[str, dict[str, Any]] = {}
        self.started, self._begun = format_now(), time.monotonic()

    def __enter__(self) -> RecordSegmentation:
        logging.getLogger(report_case.__module__).addHandler(self)
        for case, facts in getattr(self.reader, "left_out", {}).items():
            report_case(LEFT_OUT, case, **facts)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger(report_case.__module__).removeHandler(self)
        if self.cases:
            self._write()
            for action in self.at_end:
                action()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what became of a case."""
        became, facts = getattr(record, REPORT)
        if became in (DONE, FAILED, LEFT_OUT):
            self.cases[facts["case"]] = {"status": became, **facts}

    def _write(self) -> None:
        computed = _describe_computation(self.inferer)
        made = {
            "schema": SCHEMA,
            **self.about,
            **describe_provenance(self.device, packages=list_packages(computed["backend"] or "")),
            **computed,
            "started": self.started,
            "ended": format_now(),
            "seconds": round(time.monotonic() - self._begun, 1),
            "peak_memory_bytes": measure_peak_memory(),
            "cases": list(self.cases.values()),
        }
        with whole(self._choose_path(), replace=False) as partial:
            partial.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")

    def _choose_path(self) -> Path:
        """Named after the start; a number follows where another command began in that second."""
        stem = f"segmentation_{datetime.fromisoformat(self.started):%Y-%m-%d_%H-%M-%S}"
        names = [stem, *(f"{stem}_{number}" for number in range(2, 1000))]
        free = (self.folder / f"{name}.json" for name in names)
        return next(path for path in free if not path.exists())


def run_recorded(
    evaluator: SupervisedEvaluator,
    dataset: Dataset,
    *,
    record: RecordSegmentation,
    claim: Callable[[str], AbstractContextManager[Any]] = nullcontext,
) -> int:
    """Segment each case, see `medseg.inference.run_cases`, and write the record at the end."""
    record.inferer = evaluator.inferer
    with record:
        return run_cases(evaluator, dataset, claim=claim)


def _describe_computation(inferer: object) -> dict[str, str | None]:
    """By what the network ran, and in which type; None where it did not, or it is not known."""
    predictor = inferer.last if isinstance(inferer, PredictorInferer) else None
    if predictor is None:
        return {"backend": None, "precision": None}
    precision = str(predictor.precision).removeprefix("torch.")
    return {"backend": predictor.backend, "precision": precision}


def _hash_settings(choices: Mapping[str, Any]) -> str:
    plain = json.dumps(choices, sort_keys=True, default=str)
    return hashlib.sha256(plain.encode()).hexdigest()
