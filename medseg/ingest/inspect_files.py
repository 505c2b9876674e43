"""Inspection: every series and volume file below a path with its verdict, reading no voxels.

What only the voxels show is found when they are loaded: a gzip or deflate stream that is cut, a
codestream that is damaged, values that are not finite. Volume files are judged as images: what is
too blank for one of its size is refused, though it may be a label map.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from medseg.geometry import Geometry
from medseg.ingest.dicom.find_series import find_series
from medseg.ingest.dicom.selection import COMPANIONS
from medseg.ingest.dicom.series import Series
from medseg.ingest.dicom.series_label import SeriesLabel, read_series_label
from medseg.ingest.dicom.stack import find_geometry
from medseg.ingest.folder import list_files_below
from medseg.ingest.formats import SUFFIXES, find_suffix, is_volume_file, select_volume_files
from medseg.ingest.reasons import REMEDIES, IngestError, Note, Reason, Verdict
from medseg.ingest.volumes.file import read_file_header
from medseg.ingest.volumes.header import Choices, VolumeHeader
from medseg.ingest.volumes.voxels import check_excess, check_ratio, check_volume


@dataclass(frozen=True)
class Row:
    """One DICOM series, the DICOM files of a folder that are damaged alike, or one volume file.

    Attributes:
        format: "DICOM", "NIfTI", "NRRD", "MetaImage" or "MGH".
        uid: Series Instance UID; empty where there is none.
        path: the file, or the folder that holds the files of the series; "" where it is unknown.
        modality: as stated; empty for volume files.
        size: voxels along (I, J, K): columns, rows and slices of DICOM. None where slices differ.
        spacing_mm: of the voxels along (I, J, K); None where it is not stated or not even.
        orientation: where (I, J, K) point, from the affine: "LPS", "RAS", ...; "" where unknown.
        transfer_syntaxes: the names of all that occur.
        files: how many.
        verdict: accept, repair or refuse.
        reason: the code behind the verdict, `Reason`.
        findings: what was found, one line for each note.
        remedies: what to do about each finding.
        label: what a person tells series apart by; it may name a patient.
        object_kind: what a series is that holds no image to segment, such as "localizer" or
            "Segmentation Storage"; "" for all others.
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
    label: SeriesLabel = field(default_factory=SeriesLabel)
    object_kind: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether the row can be loaded."""
        return self.verdict is not Verdict.REFUSE


def are_usable(rows: Sequence[Row]) -> bool:
    """Whether all images can be loaded, and there is one.

    An object that is no image, such as a Segmentation, is no fault beside images.

    Example:
        >>> are_usable(inspect("study"))  # doctest: +SKIP
        True
    """
    images = [row for row in rows if not row.object_kind]
    return bool(images) and all(row.is_usable for row in images)


def inspect(
    path: str | Path,
    *,
    resample: bool = False,
    volume: int | None = None,
    affine: str | None = None,
    units: str | None = None,
) -> list[Row]:
    """List what is below a folder, in a DICOMDIR or in a file, and judge each.

    Args:
        path: a folder, searched with its subfolders; a DICOMDIR; or one file.
        resample: judge irregular DICOM series as what `load(..., resample=True)` makes of them.
        volume: judge volume files as `load` with it would; likewise `affine` and `units`.

    Returns:
        DICOM series in the order of their UIDs, then damaged DICOM files, then volume files. Empty
        when there is nothing of either kind.

    Raises:
        IngestError: "not-found".
        ValueError: `affine` or `units` is none that `load` takes.

    Example:
        >>> for row in inspect("study"):  # doctest: +SKIP
        ...     print(row.uid, row.size, row.spacing_mm, row.verdict, row.reason)
    """
    path, choices = Path(path), Choices(affine, units)
    if is_volume_file(path) and os.path.lexists(path) and not os.path.isdir(path):
        return [_describe_file(path, choices, volume)]
    files = select_volume_files(list_files_below(path)) if os.path.isdir(path) else []
    return [
        *(_describe_series(s) for s in find_series(path, resample=resample)),
        *(_describe_file(file, choices, volume) for file in files),
    ]


def _describe_series(series: Series) -> Row:
    geometry = series.geometry or _find_mean_geometry(series)
    findings = tuple(finding for _, finding in series.notes)
    folders = {file.parent for file in series.files}
    only = series.files[0] if len(series.files) == 1 else next(iter(folders), "")
    return Row(
        format="DICOM",
        uid=series.uid,
        path=str(only) if len(folders) < 2 else "",
        modality=series.modality,
        size=geometry.shape if geometry else _find_stated_size(series),
        spacing_mm=_find_even_spacing(series, geometry),
        orientation=geometry.orientation if geometry else "",
        transfer_syntaxes=tuple(sorted({s.transfer_syntax.name for s in series.slices})),
        files=len(series.files),
        verdict=series.verdict,
        reason=series.reason,
        findings=findings,
        remedies=series.remedies,
        label=read_series_label(series),
        object_kind=_name_object(series),
    )


def _name_object(series: Series) -> str:
    """What a series is that `load` leaves aside; "" for an image."""
    if series.verdict is not Verdict.REFUSE or series.reason not in COMPANIONS or not series.slices:
        return ""
    if series.reason is Reason.NOT_AN_IMAGE:
        return series.slices[0].sop_class.name
    return COMPANIONS[series.reason]


_UNEVEN = (Reason.MISSING_SLICES, Reason.UNEVEN_SPACING, Reason.DUPLICATE_POSITIONS)
_IRREGULAR = (*_UNEVEN, Reason.TILTED_STACK)


def _find_mean_geometry(series: Series) -> Geometry | None:
    """Find the mean grid of slices that are complete and parallel, but not regular."""
    try:
        return find_geometry(series.slices) if series.reason in _IRREGULAR else None
    except ValueError:  # all slices at one position
        return None


def _find_stated_size(series: Series) -> tuple[int, int, int] | None:
    """Find columns, rows and planes of slices that make no volume, where all have one size."""
    sizes = {(s.columns, s.rows) for s in series.slices}
    if len(sizes) != 1 or (0, 0) in sizes:
        return None
    ((columns, rows),) = sizes
    planes = sum(1 if s.frame is not None else max(1, s.frames) for s in series.slices)
    return columns, rows, planes


def _find_even_spacing(
    series: Series, geometry: Geometry | None
) -> tuple[float, float, float] | None:
    return None if geometry is None or series.reason in _UNEVEN else geometry.spacing_mm


def _describe_file(path: Path, choices: Choices, volume: int | None) -> Row:
    header = None
    try:
        header = read_file_header(path, affine=choices.affine, units=choices.units)
        if not header.segments or volume is not None:
            check_volume(header, volume)
        check_ratio(header)
        check_excess(header)
    except IngestError as error:
        row = _make_row(path, header, ((error.code, error.finding),), Verdict.REFUSE)
        return row if error.remedy is None else replace(row, remedies=(error.remedy,))
    repaired = [reason for reason, _ in header.notes if reason is not Reason.SEGMENTS]
    return _make_row(path, header, header.notes, Verdict.REPAIR if repaired else Verdict.ACCEPT)


def _make_row(
    path: Path, header: VolumeHeader | None, notes: tuple[Note, ...], verdict: Verdict
) -> Row:
    grid = header.grid if header else None
    return Row(
        format=SUFFIXES[find_suffix(path.name)],
        uid="",
        path=str(path),
        modality="",
        size=grid.shape if grid else None,
        spacing_mm=grid.spacing_mm if grid else None,
        orientation=grid.orientation if grid else "",
        transfer_syntaxes=(),
        files=len({path, *header.files}) if header else 1,
        verdict=verdict,
        reason=notes[0][0] if notes else Reason.OK,
        findings=tuple(finding for _, finding in notes),
        remedies=tuple(REMEDIES[reason] for reason, _ in notes),
    )
