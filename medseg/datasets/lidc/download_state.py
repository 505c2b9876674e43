"""LIDC download state: the result for each scan so far; an incomplete scan is left out."""

from dataclasses import dataclass, field
from pathlib import Path

from medseg.datasets.lidc.problems import Problem, list_unmatched
from medseg.datasets.lidc.scan import Settings
from medseg.datasets.lidc.scan_record import Record, record_scan, remove_scan
from medseg.datasets.lidc.source import Annotations, hash_content
from medseg.ingest import Series

Outcome = Record | Problem | Series
"""The record of a converted scan, the problem that left it out, or a CT that no XML names."""


@dataclass
class Scan:
    """The first series that was found of a Series Instance UID.

    Attributes:
        content: see `medseg.datasets.lidc.source.hash_content`.
        folders: where its files are.
        outcome: what has become of it.
    """

    content: str
    folders: frozenset[Path]
    outcome: Outcome


@dataclass
class Run:
    """What has become of the series so far.

    Attributes:
        annotations: the XML files of the download.
        target: the prepared folder.
        settings: see `medseg.datasets.lidc.scan.Settings`.
        scans: by Series Instance UID; a series without one by its first file.
    """

    annotations: Annotations
    target: Path
    settings: Settings
    scans: dict[str, Scan] = field(default_factory=dict)

    def add(self, series: Series) -> None:
        """Convert a series, or note why not.

        Of a UID that was seen before, a copy is passed over. Anything else, such as the rest of the
        slices or another version of them, leaves the scan out: one of the two alone would make a
        shorter scan, or be a guess. So does a file beside its slices that states no UID, since it
        may be the first or the last of them. What was made of the scan by then is removed.
        """
        content, folders = hash_content(series.files), frozenset(f.parent for f in series.files)
        had = self.scans.get(series.uid) if series.uid else None
        if had is None:
            if not series.uid:
                self._leave_out_neighbours(series)
            key = series.uid or str(series.files[0])
            self.scans[key] = Scan(content, folders, self._convert(series, content))
        elif had.content != content:
            self._leave_out(had, _describe_difference(series, had))

    @property
    def records(self) -> list[Record]:
        """Those of the scans in the result."""
        return [s.outcome for s in self.scans.values() if isinstance(s.outcome, dict)]

    @property
    def problems(self) -> list[Problem]:
        """Why scans and XML files were left out."""
        outcomes = [scan.outcome for scan in self.scans.values()]
        orphans = [outcome for outcome in outcomes if isinstance(outcome, Series)]
        found = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
        return [*found, *list_unmatched(self.annotations, orphans, set(self.scans))]

    def _convert(self, series: Series, content: str) -> Outcome:
        if series.geometry is None:
            return Problem(_name_series(series), "refused-series", series.message)
        if not series.uid or series.uid not in self.annotations.ct:
            return series
        return record_scan(
            series,
            self.annotations.ct[series.uid],
            content=content,
            out=self.target,
            settings=self.settings,
        )

    def _leave_out_neighbours(self, unnamed: Series) -> None:
        """Leave out the scans beside files that may be slices of theirs."""
        folders, name = {file.parent for file in unnamed.files}, unnamed.files[0].name
        finding = f"{name} beside it states no UID and may be a slice of it: {unnamed.message}"
        for uid, scan in self.scans.items():
            if isinstance(scan.outcome, dict) and not folders.isdisjoint(scan.folders):
                self._leave_out(scan, Problem(f"series {uid}", "refused-series", finding))

    def _leave_out(self, scan: Scan, problem: Problem) -> None:
        if isinstance(scan.outcome, dict):
            remove_scan(scan.outcome, self.target)
        scan.outcome = problem


def _describe_difference(series: Series, had: Scan) -> Problem:
    """Say why a scan is left out for which another series with the same UID was found."""
    if _is_unreadable(series):
        return Problem(_name_series(series), "refused-series", series.message)
    first, other = min(had.folders), series.files[0].parent
    finding = f"{first} and {other} hold files of one series and are not copies"
    return Problem(_name_series(series), "split-series", finding)


def _is_unreadable(series: Series) -> bool:
    """Whether it stands for a file of which not even the modality is known."""
    return series.geometry is None and not series.modality


def _name_series(series: Series) -> str:
    return f"series {series.uid or 'without UID'}"
