"""Inspection: every series and NIfTI file below a path with its verdict, without reading voxels.

What only the voxels show is found when they are loaded: a gzip or deflate stream that is cut, a
codestream that is damaged, values that are not finite.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from medseg.geometry import Geometry
from medseg.ingest.folder import files_below
from medseg.ingest.nifti import is_nifti, read_nifti_header
from medseg.ingest.reasons import REMEDIES, IngestError, Reason, Verdict
from medseg.ingest.series import Series, find_series
from medseg.ingest.stack import stack_geometry

JSON_SCHEMA = "medseg-inspect-1"
"""Names the fields of `as_json`; a field that changes its meaning changes this."""


@dataclass(frozen=True)
class Row:
    """One DICOM series, the DICOM files of a folder that are damaged alike, or one NIfTI file.

    Attributes:
        format: "DICOM" or "NIfTI".
        uid: Series Instance UID; empty where there is none.
        path: the file, or the folder that holds the files of the series; "" where it is unknown.
        modality: as stated; empty for NIfTI.
        size: voxels along (I, J, K): columns, rows and slices of DICOM. None where slices differ.
        spacing_mm: of the voxels along (I, J, K); None where it is not stated or not even.
        orientation: where (I, J, K) point, from the affine: "LPS", "RAS", ...; "" where unknown.
        transfer_syntaxes: the names of all that occur.
        files: how many.
        verdict: accept, repair or refuse.
        reason: the code behind the verdict, `Reason`.
        findings: what was found, one line for each note.
        remedies: what to do about each finding.
    """

    format: str
    uid: str
    path: str
    modality: str
    size: tuple[int, int, int] | None
    spacing_mm: tuple[float, float, float] | None
    orientation: str
    transfer_syntaxes: tuple[str, ...]
    files: int
    verdict: Verdict
    reason: Reason
    findings: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether the row can be loaded."""
        return self.verdict is not Verdict.REFUSE


def inspect(path: str | Path, *, resample: bool = False) -> list[Row]:
    """List what is below a folder, in a DICOMDIR or in a file, and judge each.

    Args:
        path: a folder, searched with its subfolders; a DICOMDIR; or one file.
        resample: judge irregular DICOM series as what `load(..., resample=True)` makes of them.

    Returns:
        DICOM series in the order of their UIDs, then damaged DICOM files, then NIfTI files. Empty
        when there is nothing of either kind.

    Raises:
        IngestError: "not-found".

    Example:
        >>> for row in inspect("study"):  # doctest: +SKIP
        ...     print(row.uid, row.size, row.spacing_mm, row.verdict, row.reason)
    """
    path = Path(path)
    if is_nifti(path) and path.is_file():
        return [_nifti_row(path)]
    nifti = [file for file in files_below(path) if is_nifti(file)] if path.is_dir() else []
    return [
        *(_series_row(s) for s in find_series(path, resample=resample)),
        *map(_nifti_row, nifti),
    ]


def as_json(rows: list[Row], path: str | Path) -> dict[str, object]:
    """The rows for machines.

    Returns:
        `schema` (`JSON_SCHEMA`), `path`, `usable` (whether all rows are, and there is one) and
        `series`: for each row the fields of `Row`, unknown ones null or empty.
    """
    return {
        "schema": JSON_SCHEMA,
        "path": str(path),
        "usable": bool(rows) and all(row.is_usable for row in rows),
        "series": [asdict(row) for row in rows],
    }


def _series_row(series: Series) -> Row:
    geometry = series.geometry or _refused_geometry(series)
    findings = tuple(finding for _, finding in series.notes)
    folders = {file.parent for file in series.files}
    only = series.files[0] if len(series.files) == 1 else next(iter(folders), "")
    return Row(
        format="DICOM",
        uid=series.uid,
        path=str(only) if len(folders) < 2 else "",
        modality=series.modality,
        size=geometry.shape if geometry else _stated_size(series),
        spacing_mm=_even_spacing(series, geometry),
        orientation=geometry.orientation if geometry else "",
        transfer_syntaxes=tuple(sorted({s.transfer_syntax.name for s in series.slices})),
        files=len(series.files),
        verdict=series.verdict,
        reason=series.reason,
        findings=findings,
        remedies=tuple(REMEDIES[reason] for reason, _ in series.notes),
    )


_UNEVEN = (Reason.MISSING_SLICES, Reason.UNEVEN_SPACING, Reason.DUPLICATE_POSITIONS)
_IRREGULAR = (*_UNEVEN, Reason.TILTED_STACK)


def _refused_geometry(series: Series) -> Geometry | None:
    """The mean grid of slices that are complete and parallel, though not regular."""
    try:
        return stack_geometry(series.slices) if series.reason in _IRREGULAR else None
    except ValueError:  # all slices at one position
        return None


def _stated_size(series: Series) -> tuple[int, int, int] | None:
    """Columns, rows and planes of slices that make no volume, where they are of one size."""
    sizes = {(s.columns, s.rows) for s in series.slices}
    if len(sizes) != 1 or (0, 0) in sizes:
        return None
    ((columns, rows),) = sizes
    planes = sum(1 if s.frame is not None else max(1, s.frames) for s in series.slices)
    return columns, rows, planes


def _even_spacing(series: Series, geometry: Geometry | None) -> tuple[float, float, float] | None:
    return None if geometry is None or series.reason in _UNEVEN else geometry.spacing_mm


def _nifti_row(path: Path) -> Row:
    try:
        header = read_nifti_header(path)
    except IngestError as error:
        return _nifti_outcome(path, None, reason=error.code, finding=error.finding)
    if header.volumes > 1:
        finding = f"{path} has shape {header.shape}, not one volume"
        return _nifti_outcome(path, header.geometry, reason=Reason.NOT_3D, finding=finding)
    return _nifti_outcome(path, header.geometry, reason=Reason.OK, finding="")


def _nifti_outcome(path: Path, geometry: Geometry | None, *, reason: Reason, finding: str) -> Row:
    return Row(
        format="NIfTI",
        uid="",
        path=str(path),
        modality="",
        size=geometry.shape if geometry else None,
        spacing_mm=geometry.spacing_mm if geometry else None,
        orientation=geometry.orientation if geometry else "",
        transfer_syntaxes=(),
        files=1,
        verdict=Verdict.ACCEPT if reason is Reason.OK else Verdict.REFUSE,
        reason=reason,
        findings=(finding,) if finding else (),
        remedies=(REMEDIES[reason],) if finding else (),
    )
