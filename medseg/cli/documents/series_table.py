"""Table: what `inspect` found, for people."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

from pydicom import uid
from rich import box
from rich.markup import escape
from rich.table import Table

from medseg.base.text import escape_unprintable
from medseg.ingest.inspect_files import Row
from medseg.ingest.reasons import Verdict

_SHORTEST_TAIL = 8
_LONGEST_LABEL = 40
_LABELS = ("number", "description", "date", "body part", "phase")
_FACTS = ("modality", "size", "spacing mm", "axes", "transfer syntax", "files")
_SHORT_NAMES = {
    uid.ImplicitVRLittleEndian.name: "implicit LE",
    uid.ExplicitVRLittleEndian.name: "explicit LE",
    uid.ExplicitVRBigEndian.name: "explicit BE",
    uid.DeflatedExplicitVRLittleEndian.name: "deflated LE",
    uid.JPEGBaseline8Bit.name: "JPEG lossy",
    uid.JPEGExtended12Bit.name: "JPEG 12 bit lossy",
    uid.JPEGLossless.name: "JPEG lossless",
    uid.JPEGLosslessSV1.name: "JPEG lossless",
    uid.JPEGLSLossless.name: "JPEG-LS",
    uid.JPEGLSNearLossless.name: "JPEG-LS lossy",
    uid.JPEG2000Lossless.name: "JPEG 2000 lossless",
    uid.JPEG2000.name: "JPEG 2000",
    uid.RLELossless.name: "RLE",
}
_STYLES = {Verdict.ACCEPT: "green", Verdict.REPAIR: "yellow", Verdict.REFUSE: "red"}


def make_table(rows: Sequence[Row], path: str | Path) -> Table:
    """One line for each row; a UID is cut to an ending that no other row has.

    What no row states of number, description, date, body part and phase has no column. An object
    that is no image has its kind as reason.

    Args:
        rows: from `inspect(path)`.
        path: files are shown from there.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    labels = [astuple(row.label) for row in rows]
    stated = [k for k in range(len(_LABELS)) if any(label[k] for label in labels)]
    headings = ("series or file", *(_LABELS[k] for k in stated), *_FACTS, "verdict", "reason")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for row, label, name in zip(rows, labels, _make_names(rows, Path(path)), strict=True):
        told = (_cut(label[k]) or "-" for k in stated)
        shown = map(escape_unprintable, (name, *told, *_list_facts(row)))
        facts = map(escape, shown)  # a name may hold [brackets]
        style, verdict = (
            ("dim", "object") if row.object_kind else (_STYLES[row.verdict], row.verdict)
        )
        table.add_row(*facts, f"[{style}]{verdict}[/]", row.object_kind or row.reason)
    return table


def format_findings(rows: Sequence[Row]) -> Iterator[str]:
    """One line for each row that is not simply accepted: its findings, each with its remedy."""
    images_are_there = any(not row.object_kind for row in rows)
    for row in rows:
        notes = zip(row.findings, row.remedies, strict=True)
        if row.findings and not (row.object_kind and images_are_there):
            yield f"{row.reason}: " + "; ".join(f"{what}: {remedy}" for what, remedy in notes)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"


def _list_facts(row: Row) -> tuple[str, ...]:
    return (
        row.modality or "-",
        "x".join(map(str, row.size)) if row.size else "-",
        " x ".join(f"{mm:.4g}" for mm in row.spacing_mm) if row.spacing_mm else "-",
        row.orientation or "-",
        _format_syntaxes(row.transfer_syntaxes),
        str(row.files),
    )


def _format_syntaxes(names: Sequence[str]) -> str:
    if len(names) > 1:
        return f"{len(names)} kinds"
    return next((_SHORT_NAMES.get(name, name) for name in names), "-")


def _make_names(rows: Sequence[Row], path: Path) -> list[str]:
    tail = _find_unique_tail([row.uid for row in rows])
    return [_shorten(row.uid, tail) or _make_relative(row.path, path) for row in rows]


def _find_unique_tail(uids: Sequence[str]) -> int:
    """The shortest ending that tells all UIDs apart."""
    distinct = set(uids)
    longest = max((len(uid) for uid in distinct), default=0)
    lengths = range(_SHORTEST_TAIL, longest)
    return next((n for n in lengths if len({u[-n:] for u in distinct}) == len(distinct)), longest)


def _shorten(text: str, tail: int) -> str:
    return text if len(text) <= tail + 1 else f"…{text[-tail:]}"


def _make_relative(file: str, path: Path) -> str:
    if not file:
        return "-"
    return os.path.relpath(file, path) if path.is_dir() else os.path.basename(file)
