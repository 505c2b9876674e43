"""Dicom cases: which series and objects are the image and the labels of each case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread

from medseg.datasets.own.channels import ChannelRules
from medseg.datasets.own.dicom.labelled_series import LabelledSeries
from medseg.datasets.own.dicom.reader_objects import Drawings, describe_doubled, name_drawings
from medseg.datasets.own.dicom.study_channels import (
    check_all_there,
    choose_labelled,
    find_images,
)
from medseg.ingest.dicom.selection import describe_briefly
from medseg.ingest.dicom.series import Series

UNMATCHED = "nothing in it matched --labels"
"""Said in the table of a case of which no name is in a class."""


@dataclass(frozen=True)
class DicomCase:
    """A case to be written: the series of its channels, and what each reader drew on it."""

    name: str
    patient: str
    one: LabelledSeries
    images: Mapping[str, Series]
    drawings: Drawings
    folder: str

    @property
    def series(self) -> Series:
        """The series that the objects were drawn on, whose grid all have."""
        return self.one.series


@dataclass(frozen=True)
class DicomChoices:
    """What a person says of the data."""

    names: Mapping[str, str]
    root: Path
    channels: ChannelRules
    several_readers: bool

    def share(self, labelled: Sequence[LabelledSeries]) -> tuple[list[Drawings], list[str]]:
        """The drawings on each series, and what is wrong with them, "" for nothing."""
        if self.several_readers:
            return name_drawings(labelled, self.names, self.root)
        doubled = [describe_doubled(one, self.names) for one in labelled]
        return [{"": one.objects} for one in labelled], doubled


def list_cases(
    labelled: Sequence[LabelledSeries], choices: DicomChoices
) -> tuple[list[DicomCase], dict[str, str]]:
    """The cases, and what is wrong with those that are faulty, by their names."""
    faults: list[str] = []
    if choices.channels.names:
        labelled, faults = choose_labelled(labelled, choices.channels)
    width = max(len(str(len(labelled))), 3)
    names = [f"case_{number:0{width}d}" for number, _ in enumerate(labelled, start=1)]
    wrong = dict(zip(names, faults, strict=False))
    drawings, doubled = choices.share(labelled)
    cases = []
    for name, one, patient, drawn, fault in zip(
        *(names, labelled, _number_patients(labelled), drawings, doubled), strict=True
    ):
        images: Mapping[str, Series] = {}
        try:
            images = find_images(one, choices.channels)
        except ValueError as error:
            wrong[name] = wrong.get(name) or str(error)
        wrong[name] = wrong.get(name) or fault
        folder = str(one.series.files[0].parent.relative_to(choices.root))
        cases.append(DicomCase(name, patient, one, images, drawn, folder))
    wrong = {name: fault for name, fault in wrong.items() if fault}
    check_all_there([case.images for case in cases], choices.channels, [*wrong.values()])
    return cases, wrong


def describe_case(
    case: DicomCase, names: Mapping[str, str], root: Path
) -> Iterator[tuple[str, str, str, str]]:
    """The rows of the table for the objects and the channels of a case."""
    is_used = any(name in names for label in case.one.objects for name in label.names)
    reader_of = {label: name for name, drawn in case.drawings.items() if name for label in drawn}
    for label in case.one.objects:
        each = [f"{n} = {names.get(n, 'left out')}" for n in label.names]
        each += [f"{n} = left out, without a closed contour" for n in label.empty]
        said = ", ".join(each) + ("" if is_used else f"; {UNMATCHED}")
        reader = f" of {reader_of[label]}" if label in reader_of else ""
        what = f"{label.kind} {label.path.relative_to(root)}{reader}"
        yield case.name, case.folder, what, said
    for channel, series in case.images.items():
        if channel:
            folder = str(series.files[0].parent.relative_to(root))
            yield case.name, folder, f"channel {channel}", describe_briefly(series)


def _number_patients(labelled: Sequence[LabelledSeries]) -> list[str]:
    """A number for each patient: by PatientID, or by study where a file has none."""
    known: dict[str, str] = {}
    found = []
    for one in labelled:
        header = dcmread(one.series.files[0], stop_before_pixels=True)
        key = str(header.get("PatientID", "")).strip() or str(header.get("StudyInstanceUID", ""))
        found.append(known.setdefault(key, f"patient_{len(known) + 1:03d}"))
    return found
