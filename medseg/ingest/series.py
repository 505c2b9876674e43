"""Series: group DICOM headers into series and judge each one.

A verdict needs headers only. `SLICE_RULES` are asked first, then `STACK_RULES` of the sorted
slices; the first rule that finds fault decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from medseg.geometry import Geometry
from medseg.ingest.header import Slice, read_header
from medseg.ingest.reasons import IngestError, Reason, Verdict, explain
from medseg.ingest.rules import SLICE_RULES
from medseg.ingest.stack import STACK_RULES, sorted_along_normal, stack_geometry, thickness_mm


@dataclass(frozen=True, eq=False)
class Series:
    """One DICOM series and what ingest thinks of it.

    Attributes:
        uid: Series Instance UID; empty where the files have none.
        modality: "CT", "MR", ...
        slices: its headers, sorted along the slice normal unless refused.
        verdict: accept, repair or refuse.
        reason: the code behind the verdict.
        finding: what was found and where, with the numbers; empty when accepted.
        geometry: the grid of the volume, None when refused.
    """

    uid: str
    modality: str
    slices: tuple[Slice, ...]
    verdict: Verdict
    reason: Reason
    finding: str
    geometry: Geometry | None

    @property
    def message(self) -> str:
        """One line for people: finding, place and remedy; empty when accepted."""
        return explain(self.reason, self.finding)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files in slice order."""
        return tuple(s.path for s in self.slices)


def find_series(path: str | Path) -> list[Series]:
    """Find the DICOM series below a folder, or the one of a file, and judge each.

    Files that are no DICOM are passed over, and so are hidden files and DICOMDIR. A file that was
    meant to be DICOM and cannot be read is returned as a refused series of its own, so that
    no slice is ever lost unnoticed. Pixels are not decoded.

    Args:
        path: a folder, searched with its subfolders, or one file.

    Returns:
        The series in the order of their UIDs; empty when there is no DICOM file.

    Raises:
        IngestError: "not-found".

    Example:
        >>> for series in find_series("study"):  # doctest: +SKIP
        ...     print(series.uid, series.verdict.value, series.reason.value, series.message)
    """
    groups: dict[str, list[Slice]] = {}
    unreadable: list[Series] = []
    for file in _files(Path(path)):
        try:
            header = read_header(file)
        except IngestError as error:
            unreadable.append(_refused((), error.code, error.finding))
            continue
        if header is not None:
            groups.setdefault(header.series_uid or str(file.parent), []).append(header)
    return [judge(groups[key]) for key in sorted(groups)] + unreadable


def judge(slices: Sequence[Slice]) -> Series:
    """Give the verdict on the headers of one series; needs at least one."""
    for reason, rule in SLICE_RULES:
        if finding := rule(slices):
            return _refused(slices, reason, f"{finding} in {_name(slices)}")
    ordered = sorted_along_normal(slices)
    for reason, rule in STACK_RULES:
        if finding := rule(ordered):
            return _refused(ordered, reason, f"{finding} in {_name(slices)}")
    return _accepted(ordered)


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise IngestError(Reason.NOT_FOUND, f"no such file or folder: {path}")
    visible = (p for p in path.rglob("*") if not p.name.startswith("."))
    return sorted(p for p in visible if p.is_file())


def _name(slices: Sequence[Slice]) -> str:
    first = slices[0]
    where = f"series {first.series_uid}" if first.series_uid else f"{first.path.parent}"
    return where if len(slices) > 1 else f"{where} ({first.path.name})"


def _refused(slices: Sequence[Slice], reason: Reason, finding: str) -> Series:
    return Series(
        uid=slices[0].series_uid if slices else "",
        modality=slices[0].modality if slices else "",
        slices=tuple(slices),
        verdict=Verdict.REFUSE,
        reason=reason,
        finding=finding,
        geometry=None,
    )


def _accepted(slices: Sequence[Slice]) -> Series:
    reason, finding = Reason.OK, ""
    if len(slices) == 1:
        reason = Reason.SINGLE_SLICE
        finding = f"one slice, {thickness_mm(slices[0]):.4g} mm thick, in {_name(slices)}"
    elif not slices[0].series_uid:
        reason = Reason.NO_SERIES_UID
        finding = f"{len(slices)} files without Series Instance UID in {_name(slices)}"
    return Series(
        uid=slices[0].series_uid,
        modality=slices[0].modality,
        slices=tuple(slices),
        verdict=Verdict.ACCEPT if reason is Reason.OK else Verdict.REPAIR,
        reason=reason,
        finding=finding,
        geometry=stack_geometry(slices),
    )
