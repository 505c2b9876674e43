"""LIDC scan record: the result for one scan, kept so that a second run need not repeat it."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from medseg.base.files import remove, whole
from medseg.datasets.lidc.marks import summarize
from medseg.datasets.lidc.problems import Problem
from medseg.datasets.lidc.scan import VIEWS, Converted, Settings, convert
from medseg.datasets.lidc.source import name_case, read_copies, read_patient
from medseg.ingest import Series, read_series

logger = logging.getLogger(__name__)

Record = dict[str, Any]


def record_scan(
    series: Series,
    annotations: Sequence[Path],
    *,
    content: str,
    out: Path,
    settings: Settings,
) -> Record | Problem:
    """Convert one series, or reuse the result of an earlier run, or give the problem.

    Args:
        series: a CT that is not refused.
        annotations: the XML files that name it, one or copies of one.
        content: that of its files, see `medseg.datasets.lidc.source.hash_content`.
        out: the prepared folder; the record is `records/<case>.json` in it, written last.
        settings: see `medseg.datasets.lidc.scan.Settings`.

    Returns:
        Rows of the table, items of either view and problems, ready for JSON; or the problem that
        leaves the scan out.
    """
    case = name_case(series)
    try:
        reads = read_copies(annotations)
    except ValueError as error:
        return Problem(case, "unusable-annotations", str(error))
    file = out / "records" / f"{case}.json"
    sources = {"annotations": _hash(reads), "images": content}
    if (record := _load_finished(file, sources, out)) is not None:
        return record
    try:
        volume, geometry = read_series(series)
    except (ValueError, OSError) as error:
        return Problem(case, "refused-series", str(error))
    remove(file)  # the old record is wrong from here until the new one is written
    made = convert(reads, series, volume, geometry, out=out, case=case, settings=settings)
    patient = read_patient(series)
    same = {"case": case, "patient": patient, "series_uid": series.uid}
    record = {
        "case": case,
        **sources,
        "rows": [same | row for row in made.rows],
        "items": {
            view: [{"patient": patient} | item for item in made.items[view]] for view in VIEWS
        },
        "problems": [asdict(problem) for problem in _list_problems(case, series, made)],
    }
    with whole(file) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    logger.info("%s: %d nodules", case, len(made.items["patches"]))
    return record


def remove_scan(record: Record, out: Path) -> None:
    """Remove the record of a scan, and then all that was made of it."""
    remove(out / "records" / f"{record['case']}.json")
    for file in _list_files(record, out):
        remove(file)


def _list_problems(case: str, series: Series, made: Converted) -> Iterator[Problem]:
    """What is to be known of a scan that is not left out."""
    if series.resampling is not None:
        yield Problem(case, "resampled", series.message)
    for code, finding in summarize(made.faults):
        yield Problem(case, code, finding)


def _hash(content: object) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()


def _list_files(record: Record, out: Path) -> Iterator[Path]:
    """The images and labels of either view."""
    for view in VIEWS:
        for item in record["items"][view]:
            yield from (out / view / item[key] for key in ("image", "label"))


def _load_finished(file: Path, sources: dict[str, str], out: Path) -> Record | None:
    """What an earlier run made of the same sources, if all its files are there."""
    if not file.is_file():
        return None
    record = json.loads(file.read_text(encoding="utf-8"))
    same = all(record.get(kind) == digest for kind, digest in sources.items())
    return record if same and all(map(Path.is_file, _list_files(record, out))) else None
