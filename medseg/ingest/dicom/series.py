"""Series: one DICOM series, its slices and what ingest thinks of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medseg.geometry import Geometry
from medseg.ingest.dicom.header.slice import Slice
from medseg.ingest.dicom.remedies import InputKind, choose_remedy
from medseg.ingest.dicom.resample import Resampling
from medseg.ingest.reasons import Note, Reason, Verdict, explain


@dataclass(frozen=True, eq=False)
class Series:
    """One DICOM series and what ingest thinks of it.

    Attributes:
        uid: Series Instance UID; empty where the files have none, or where that of a damaged file
            cannot be read.
        modality: "CT", "MR", ...
        slices: its headers, one for each frame, sorted along the slice normal unless refused,
            without those that were left aside; none for a file that cannot be read.
        verdict: accept, repair or refuse.
        notes: what was found, each with its code: why it is refused, or what was repaired or must
            be known; empty when there is nothing to say.
        geometry: the grid of the volume, None when refused.
        resampling: how slices are laid onto that grid, None where they lie on it.
        unreadable: the files that cannot be read, where that is what this stands for.
        input_kind: what was passed, which remedies go by.
    """

    uid: str
    modality: str
    slices: tuple[Slice, ...]
    verdict: Verdict
    notes: tuple[Note, ...]
    geometry: Geometry | None
    resampling: Resampling | None = None
    unreadable: tuple[Path, ...] = ()
    input_kind: InputKind = InputKind.FOLDER

    @classmethod
    def make_refused(cls, slices: Sequence[Slice], reason: Reason, finding: str) -> Series:
        """A series that is refused, for one reason; without slices, where none could be read."""
        return cls(
            uid=slices[0].series_uid if slices else "",
            modality=slices[0].modality if slices else "",
            slices=tuple(slices),
            verdict=Verdict.REFUSE,
            notes=((reason, finding),),
            geometry=None,
        )

    @property
    def reason(self) -> Reason:
        """The code behind the verdict: that of the first note."""
        return self.notes[0][0] if self.notes else Reason.OK

    @property
    def finding(self) -> str:
        """What was found and where, with the numbers: the first note; empty when there is none."""
        return self.notes[0][1] if self.notes else ""

    @property
    def message(self) -> str:
        """One line for people: finding, place and remedy of each note; empty without notes."""
        said = zip(self.notes, self.remedies, strict=True)
        return "; ".join(explain(*note, remedy=remedy) for note, remedy in said)

    @property
    def remedies(self) -> tuple[str, ...]:
        """What to do about each note, by what was passed."""
        is_one_file = len(self.slices) > 1 and len({s.path for s in self.slices}) == 1
        return tuple(
            choose_remedy(reason, input_kind=self.input_kind, is_one_file=is_one_file)
            for reason, _ in self.notes
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """The files in slice order."""
        return self.unreadable or tuple(dict.fromkeys(s.path for s in self.slices))
