"""Segment series: a bundle as a function from a folder of images to DICOM objects."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from medseg.bundles.segmenter import Segmenter
from medseg.export import Algorithm, write_rtstruct, write_seg, write_sr
from medseg.export.segmentation import SegmentationType
from medseg.report import describe_measurement

logger = logging.getLogger(__name__)

_UID = re.compile(r"\b\d+(\.\d+){4,}")

_THAT_NOTE = (
    "medseg.inference.cases.check_image",
    "medseg.inference.cases.check_result",
    "medseg.inference.outputs.largest_part",
)
"""Modules that log what they note of a case."""


def load_for_service(
    bundle: str | os.PathLike[str], *, outputs: Sequence[str], keys: Mapping[str, Any]
) -> SegmentSeries:
    """Load a bundle for a command that runs for long: with a log, and tuned for speed.

    Args:
        bundle, outputs, keys: see `SegmentSeries`.
    """
    from medseg.base.memory import keep_freed_pages

    keep_freed_pages()
    from medseg.engines import keep_log

    keep_log(console=True)
    _hide_uids()
    return SegmentSeries(bundle, outputs=outputs, **keys)


def _hide_uids() -> None:
    """Let no line of the log of this process name a series by its UID."""
    for handler in logging.root.handlers:
        if type(handler) is logging.StreamHandler:
            handler.addFilter(_without_uids)


def _without_uids(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    record.msg, record.args = _UID.sub("[UID]", text), ()
    return True


class SegmentSeries:
    """Segments DICOM series with a bundle, whose network is loaded once, and writes the objects.

    Args:
        bundle: its name, its folder, or a training run.
        outputs: of "seg", "sr" and "rtstruct"; "sr" refers to "seg".
        keys: of its `inference.json`, see `Segmenter`.

    Raises:
        FileNotFoundError, ValueError: see `Segmenter`; also "sr" without measurements.

    Example:
        >>> segment = SegmentSeries("liver", outputs=["seg"])  # doctest: +SKIP
        >>> segment(Path("study/ct"), Path("out"))  # doctest: +SKIP
        {'seg': PosixPath('out/seg.dcm')}
    """

    def __init__(
        self, bundle: str | os.PathLike[str], *, outputs: Sequence[str] = ("seg",), **keys: Any
    ) -> None:
        self.outputs = tuple(outputs)
        self._kind: SegmentationType = "LABELMAP" if keys.get("seg") == "labelmap" else "BINARY"
        self._segmenter = Segmenter(bundle, **keys)
        if "sr" in self.outputs and not self._segmenter.measures:
            raise ValueError(
                "the output sr holds measurements, and measure is False: set measure to True, or "
                "leave sr out of the outputs"
            )
        self.made_by = self._segmenter.made_by

    def __call__(self, folder: Path, out: Path) -> dict[str, Path]:
        """Segment the series of a folder.

        Args:
            folder: holds the images of one series; its name is that of the series in the log.
            out: folder of the objects.

        Returns:
            By kind of object, where it is.

        Raises:
            IngestError, ValueError: the series is refused, see `Segmenter`.
            OSError: an object cannot be written.
        """
        with _leaving_notes():
            found = self._segmenter(folder)
        source = self._segmenter.describe_source(folder)
        for note in (*found.notes, *source.notes):
            logger.warning("series %s: %s", folder.name, note)
        name, _, version = found.made_by.partition(" ")
        about: dict[str, Any] = {"source": source, "labels": found.labels}
        about["algorithm"] = Algorithm(name, version or "unknown")
        paths = {kind: out / f"{kind}.dcm" for kind in self.outputs}
        if "seg" in paths:
            kind, grid = self._kind, found.geometry
            write_seg(found.mask, paths["seg"], geometry=grid, segmentation_type=kind, **about)
        if "rtstruct" in paths:
            write_rtstruct(found.mask, paths["rtstruct"], geometry=found.geometry, **about)
        if "sr" in paths:
            measured = [describe_measurement(one, found.labels) for one in found.measurements]
            write_sr(measured, paths["sr"], segmentation=paths["seg"], unit=found.unit, **about)
        return paths


@contextmanager
def _leaving_notes() -> Iterator[None]:
    """Keep the checks of a case from logging what is in its notes, by another name."""
    from medseg.inference.preview.source import silence_thread

    with ExitStack() as until_done:
        for module in _THAT_NOTE:
            until_done.enter_context(silence_thread(module))
        yield
