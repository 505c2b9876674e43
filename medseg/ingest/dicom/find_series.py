"""Find series: every DICOM series below a path, each with its verdict.

Files are listed, the headers of each are read, headers are grouped into series, and each series is
judged (`medseg.ingest.dicom.judge`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

from medseg.base.walk import describe_odd_entry
from medseg.ingest.dicom.files.dicomdir import list_referenced_files
from medseg.ingest.dicom.files.suspect_files import find_suspect_files
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.judge import judge
from medseg.ingest.dicom.read_slices import read_slices
from medseg.ingest.dicom.remedies import InputKind
from medseg.ingest.dicom.series import Series
from medseg.ingest.dicom.series_groups import Groups, find_lone_slices, group_by_series
from medseg.ingest.folder import list_files_below
from medseg.ingest.reasons import IngestError, Reason, Verdict

_DIGITS = re.compile(r"\d+")

Headers = tuple[Slice, ...]
"""The headers of one file, one for each slice."""

Fault = tuple[Path, IngestError]
"""A file that cannot be read, and why."""


def find_series(path: str | Path, *, resample: bool = False) -> list[Series]:
    """Find the DICOM series below a folder, of a DICOMDIR or of a file, and judge each.

    Files that are no DICOM are passed over, and so are hidden files and a DICOMDIR in a folder. A
    file that was meant to be DICOM and cannot be read, a link to one that is not there, and one
    missing from the disk that a DICOMDIR describes, are returned as a refused series, one for those
    of a folder that share the reason, so that no slice is ever lost unnoticed. Such files are known
    from notes and lists beside slices by `find_suspect_files`. Links to folders are followed.

    Files with a Series Instance UID each that make one regular stack are one series. Those without
    are one where folder, study, patient and series number are the same; a folder with the same SOP
    Instance UIDs as another is its copy. Pixels are decoded of those slices alone that may be
    copies, and of a few, see `correct_samples`.

    Args:
        path: a folder, searched with its subfolders; a DICOMDIR, whose files are looked at; or one
            file.
        resample: judge tilted, missing and unevenly spaced slices as what resampling makes of them.

    Returns:
        The series in the order of their UIDs; empty when there is no DICOM file.

    Raises:
        IngestError: "not-found".

    Example:
        >>> for series in find_series("study"):  # doctest: +SKIP
        ...     print(series.uid, series.verdict.value, series.reason.value, series.message)
    """
    path = Path(path)
    try:
        files = _list_files(path)
    except IngestError as error:
        if error.code is Reason.NOT_FOUND:
            raise
        return [replace(_make_damaged_series([(path, error)]), input_kind=InputKind.FILE)]
    headers, faults = _read_headers(files, path)
    found = sorted(_judge_each(group_by_series(headers), resample=resample), key=lambda s: s.uid)
    found += map(_make_damaged_series, _group_faults(faults))
    return [replace(series, input_kind=_find_input_kind(path, files)) for series in found]


def _list_files(path: Path) -> list[Path]:
    if os.path.isfile(path):
        referenced = list_referenced_files(path)
        return [path] if referenced is None else list(dict.fromkeys(referenced))
    if what := describe_odd_entry(path):
        raise IngestError(Reason.NOT_FOUND, f"{path} is {what}")
    if not os.path.isdir(path):
        raise IngestError(Reason.NOT_FOUND, f"no such file or folder: {path}")
    return list_files_below(path)


def _read_headers(files: Iterable[Path], source: Path) -> tuple[list[Headers], list[Fault]]:
    """Read the headers of each DICOM file, in order; also list the files that cannot be read."""
    found: list[Headers] = []
    faults: list[Fault] = []
    others: list[Path] = []
    for file in files:
        try:
            headers = _read_file(file, source)
        except IngestError as error:
            faults.append((file, error))
            continue
        if headers:
            found.append(headers)
        else:
            others.append(file)
    faults.extend(find_suspect_files(others, {headers[0].path for headers in found}))
    return found, sorted(faults, key=itemgetter(0))


def _read_file(file: Path, source: Path) -> Headers:
    if os.path.isdir(file):
        raise IngestError(Reason.UNREADABLE, f"{file} is a folder that cannot be read")
    if describe_odd_entry(file) and os.path.isdir(source):
        return ()
    if not os.path.isfile(file):
        raise IngestError(Reason.NOT_FOUND, f"{source} refers to {file}, which is not there")
    return read_slices(file)


def _judge_each(groups: Groups, *, resample: bool) -> list[Series]:
    """Judge each group; groups of one slice each that make one stack are judged as one."""
    found, left = [], set(groups)
    for keys in find_lone_slices(groups):
        if series := _join(groups, keys):
            found.append(series)
            left.difference_update(keys)
    return [*found, *(judge(groups[key], resample=resample) for key in sorted(left))]


def _join(groups: Groups, keys: Sequence[tuple[str, ...]]) -> Series | None:
    """Judge files with a UID each as one series; None where they do not make one stack."""
    slices = [s for key in keys for s in groups[key]]
    series = judge(slices)
    if series.verdict is Verdict.REFUSE or len(series.slices) < len(slices):
        return None
    folder = slices[0].path.parent
    finding = f"each of {len(slices)} files states another Series Instance UID in {folder}"
    notes = ((Reason.SERIES_PER_FILE, finding), *series.notes)
    return replace(series, verdict=Verdict.REPAIR, notes=notes)


def _group_faults(faults: Sequence[Fault]) -> list[list[Fault]]:
    """Group the damaged files of a folder that state the same UID and share the reason."""
    alike: dict[tuple[str, Path, str], list[Fault]] = {}
    for file, error in faults:
        words = _DIGITS.sub("", error.finding.replace(str(file), ""))
        alike.setdefault((error.series_uid, file.parent, words), []).append((file, error))
    return list(alike.values())


def _make_damaged_series(faults: Sequence[Fault]) -> Series:
    """Make one refused series of damaged files that share the reason."""
    (file, error), *more = faults
    files = f"{len(more)} more file{'s' * (len(more) > 1)} of {file.parent}"
    finding = f"{error.finding}, and likewise {files}" if more else error.finding
    series = Series.make_refused((), error.code, finding)
    return replace(series, uid=error.series_uid, unreadable=tuple(path for path, _ in faults))


def _find_input_kind(path: Path, files: Sequence[Path]) -> InputKind:
    if path.is_dir():
        return InputKind.FOLDER
    return InputKind.FILE if list(files) == [path] else InputKind.DIRECTORY
