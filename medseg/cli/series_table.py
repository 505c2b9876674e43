"""Table: what `inspect` found, for people."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom import uid
from rich import box
from rich.markup import escape
from rich.table import Table

from medseg.base.text import escape_unprintable
from medseg.ingest.inspect_files import Row
from medseg.ingest.reasons import Verdict

_SHORTEST_TAIL = 8
_HEADINGS = (
    *("series or file", "modality", "size", "spacing mm", "axes", "transfer syntax", "files"),
    *("verdict", "reason"),
)
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

    Patient names and descriptions are not in it: `Row` holds none.

    Args:
        rows: from `inspect(path)`.
        path: files are shown from there.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, no_wrap=True)
    for row, name in zip(rows, _make_names(rows, Path(path)), strict=True):
        style = _STYLES[row.verdict]
        shown = map(escape_unprintable, (name, *_list_facts(row)))
        facts = map(escape, shown)  # a name may hold [brackets]
        table.add_row(*facts, f"[{style}]{row.verdict}[/]", row.reason)
    return table


def format_findings(rows: Sequence[Row]) -> Iterator[str]:
    """One line for each row that is not simply accepted: its findings, each with its remedy."""
    for row in rows:
        notes = zip(row.findings, row.remedies, strict=True)
        if row.findings:
            yield f"{row.reason}: " + "; ".join(f"{what}: {remedy}" for what, remedy in notes)


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
