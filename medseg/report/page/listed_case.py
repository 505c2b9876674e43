"""Listed case: what became of each case of a folder, from its pages and the records of commands."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medseg.inference.cases.report import DONE, FAILED, LEFT_OUT
from medseg.report.page.case_page import ENDING, SCHEMA, SUMMARY

logger = logging.getLogger(__name__)

WARNED = "warning"
"""The status of a case that is done and has warnings."""

_PART, _MOST = 2**16, 2**22  # letters of a page that are read at once, and until its summary ends
_BEGIN = f'<script type="application/json" id="data-{SUMMARY}">'
_FOUND = re.compile(rf"{_BEGIN}(.*?)</script>", re.S)
_RECORDS = "segmentation_*.json"


@dataclass(frozen=True)
class ListedCase:
    """A case as the index page lists it.

    Attributes:
        case: its name.
        status: "done", "warning", "failed", or "left out" of a series that the bundle is not for.
        page: the name of its page; "" where it has none.
        picture: a thumbnail as JPEG in base64; "" for none.
        bundle: with its version.
        day: of the segmentation, or of the failure.
        remarks: the warnings, or why it failed or was left out.
        volumes_ml: name of a structure -> its volume.
        lesions: name of a structure -> the number of its lesions, where it has any.
        at_edge: names of the structures that reach the edge of the image.
        seconds: that it took; None where that is not known.
    """

    case: str
    status: str
    page: str = ""
    picture: str = ""
    bundle: str = ""
    day: str = ""
    remarks: tuple[str, ...] = ()
    volumes_ml: Mapping[str, float] = field(default_factory=dict)
    lesions: Mapping[str, int] = field(default_factory=dict)
    at_edge: frozenset[str] = frozenset()
    seconds: float | None = None


def list_cases(folder: Path) -> Iterator[ListedCase]:
    """Each case of a folder of outputs, by its name; of its pages one is in memory at a time.

    What the last command says of a case counts: one that failed is listed with the reason, also
    where an earlier command made a page of it.

    Args:
        folder: that `medseg segment` has written to, in one command or several.
    """
    told = _read_records(folder)
    pages = {path.name.removesuffix(ENDING): path for path in folder.glob(f"*{ENDING}")}
    for case in sorted({*told, *pages}, key=_order):
        page = _read_page(pages[case]) if case in pages else None
        record = told.get(case)
        if page is None and (record is None or not _is_there(folder, record)):
            continue
        yield _join(case, page, record)


def _order(case: str) -> list[Any]:
    """So that case 2 comes before case 10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", case)]


def _read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """What the last record that names a case says of it: the few entries that the page shows."""
    told: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob(_RECORDS)):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            for facts in record["cases"]:
                kept = ("status", "reason", "seconds", "volumes_ml", "warnings", "mask")
                told[str(facts["case"])] = {key: facts[key] for key in kept if key in facts} | {
                    "bundle": str(record["bundle"]),
                    "day": str(record["started"])[:10],
                }
        except (OSError, ValueError, KeyError, TypeError):
            logger.warning("%s is no record of a command and is left out of the index", path)
    return told


def _read_page(path: Path) -> dict[str, Any] | None:
    """What the summary of a page says; None of a page that has none, or not this one."""
    try:
        found = _FOUND.search(_read_start(path))
        summary = json.loads(found.group(1)) if found else {}
        if summary.get("schema") != SCHEMA:
            return None
        structures = [
            (str(one["name"]), float(one["volume_ml"]), int(one["lesions"]))
            for one in summary["structures"]
        ]
        return {
            "page": path.name,
            "bundle": str(summary["bundle"]),
            "day": str(summary["day"]),
            "picture": str(summary["thumbnail"] or ""),
            "remarks": tuple(map(str, summary["notes"])),
            "volumes_ml": {name: volume for name, volume, _ in structures},
            "at_edge": frozenset(
                str(one["name"]) for one in summary["structures"] if one.get("is_at_edge")
            ),
            "lesions": {name: lesions for name, _, lesions in structures if lesions},
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _read_start(path: Path) -> str:
    """The first part of a page, and more of one whose summary does not end there."""
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(_PART)
        while _BEGIN in text and not _FOUND.search(text) and len(text) < _MOST:
            more = file.read(len(text))
            if not more:
                break
            text += more
    return text


def _is_there(folder: Path, record: Mapping[str, Any]) -> bool:
    """Whether a case that has no page failed or was left out, or has a label map still."""
    return record["status"] in (FAILED, LEFT_OUT) or (folder / str(record.get("mask"))).is_file()


def _join(
    case: str, page: Mapping[str, Any] | None, record: Mapping[str, Any] | None
) -> ListedCase:
    """A case by its page and by what the last record says, of which there is one at least."""
    record = record or {}
    seconds = record.get("seconds")
    if record.get("status") in (FAILED, LEFT_OUT):
        earlier = ("the page is that of an earlier command",) if page else ()
        return ListedCase(
            case=case,
            status=str(record["status"]),
            page=page["page"] if page else "",
            bundle=record["bundle"],
            day=record["day"],
            remarks=(str(record.get("reason", "")), *earlier),
            seconds=seconds,
        )
    about = page or {
        "bundle": record["bundle"],
        "day": record["day"],
        "remarks": tuple(map(str, record.get("warnings") or ())),
        "volumes_ml": record.get("volumes_ml") or {},
    }
    status = WARNED if about["remarks"] else DONE
    return ListedCase(case=case, status=status, seconds=seconds, **about)
