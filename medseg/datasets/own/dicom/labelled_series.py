"""Labelled series: which DICOM series of a folder has which Segmentation or Structure Set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, RTStructureSetStorage, SegmentationStorage

from medseg.base.text import shorten_list
from medseg.datasets.own.dicom.segmentation_object import read_segment_names
from medseg.datasets.own.dicom.structure_set import read_structure_names
from medseg.ingest import find_series
from medseg.ingest.dicom.selection import is_companion, is_of_unknown_series
from medseg.ingest.dicom.series import Series
from medseg.ingest.reasons import Verdict

LabelMapSegmentationStorage = UID("1.2.840.10008.5.1.4.1.1.66.7")  # pydicom 3.0 does not name it
_SEGMENTATIONS = (SegmentationStorage, LabelMapSegmentationStorage)
_OBJECTS = (*_SEGMENTATIONS, RTStructureSetStorage)


@dataclass(frozen=True, eq=False)
class LabelObject:
    """A Segmentation or an RT Structure Set.

    Attributes:
        path: its file.
        kind: "SEG" or "RTSTRUCT".
        slices: the series that it says it was drawn on, by UID, and the SOP Instance UIDs of the
            images in each; none of these where it does not list them.
        frame_of_reference: in which its places are stated; empty where unknown.
        names: of its segments or structures.
        empty: names of structures that have no closed contour, and are left out.
        instance: its SOP Instance UID.
        drawn_by: who it says made it, "" where it does not; it tells readers apart, and is shown
            nowhere.
    """

    path: Path
    kind: str
    slices: Mapping[str, Sequence[str]]
    frame_of_reference: str
    names: tuple[str, ...]
    empty: tuple[str, ...] = ()
    instance: str = ""
    drawn_by: str = field(default="", repr=False)


@dataclass(frozen=True, eq=False)
class LabelledSeries:
    """A series and what was drawn on it.

    Attributes:
        series: the series.
        objects: that were drawn on it.
        study: all image series of its study, itself too, and what stands for damaged files in
            their folders.
    """

    series: Series
    objects: tuple[LabelObject, ...]
    study: tuple[Series, ...] = ()


def find_labelled_series(root: Path) -> tuple[list[LabelledSeries], list[str]]:
    """Find the series below a folder that have a Segmentation or a Structure Set.

    An object belongs to the series that it refers to. One that refers to none belongs to the only
    series in its frame of reference.

    Args:
        root: the folder.

    Returns:
        The series, by the names of their folders, and what is wrong, a line for each fault: an
        object whose series is not there, lacks slices or is refused, or that cannot be read.
        Nothing of either where the folder holds no such object.
    """
    found = find_series(root)
    paths = sorted({path for series in found for path in _list_objects(series)})
    images = [s for s in found if not is_companion(s)]
    drawn: defaultdict[int, list[LabelObject]] = defaultdict(list)
    faults: list[str] = []
    known: dict[str, Path] = {}
    for path in paths:
        try:
            made = _describe_object(path)
            if (other := known.setdefault(made.instance or str(path), path)) != path:
                raise ValueError(f"it is a copy of {other.relative_to(root)}: take one of them out")
            owners = _find_owners(made, images)
        except ValueError as fault:
            faults.append(f"{path.relative_to(root)}: {fault}")
            continue
        for owner in owners:
            drawn[id(owner)].append(made)
    labelled = [
        LabelledSeries(s, tuple(drawn[id(s)]), _list_study(s, images))
        for s in images
        if drawn[id(s)]
    ]
    return sorted(labelled, key=lambda one: (str(one.series.files[0]), one.series.uid)), faults


def _list_study(one: Series, images: Sequence[Series]) -> tuple[Series, ...]:
    """The image series of the study of one, and the damaged ones in their folders."""
    study = one.slices[0].origin.study
    known = [s for s in images if not is_of_unknown_series(s)]
    found = [s for s in known if s is one or (study and s.slices[0].origin.study == study)]
    folders = {file.parent for series in found for file in series.files}
    damaged = [s for s in images if s not in known and folders & {f.parent for f in s.files}]
    return (*found, *damaged)


def _list_objects(series: Series) -> list[Path]:
    classes = {one.path: one.sop_class for one in series.slices}
    return [path for path, sop_class in classes.items() if sop_class in _OBJECTS]


def _describe_object(path: Path) -> LabelObject:
    header = dcmread(path, stop_before_pixels=True)
    is_seg = header.SOPClassUID in _SEGMENTATIONS
    names, empty = (read_segment_names(path), []) if is_seg else read_structure_names(path)
    if not names:
        what = "segment" if is_seg else "structure with closed contours"
        raise ValueError(f"it has no {what}: take it out of the folder")
    return LabelObject(
        path,
        "SEG" if is_seg else "RTSTRUCT",
        dict(_list_slices(header) if is_seg else _list_slices_of_structures(header)),
        _find_frame_of_reference(header),
        tuple(names),
        tuple(empty),
        str(header.get("SOPInstanceUID", "")),
        str(header.get("ContentCreatorName" if is_seg else "OperatorsName") or "").strip(),
    )


def _list_slices(header: Dataset) -> Iterator[tuple[str, list[str]]]:
    for series in header.get("ReferencedSeriesSequence", ()):
        if series.get("SeriesInstanceUID"):
            yield str(series.SeriesInstanceUID), _list_images(series, "ReferencedInstanceSequence")


def _list_slices_of_structures(header: Dataset) -> Iterator[tuple[str, list[str]]]:
    for frame in header.get("ReferencedFrameOfReferenceSequence", ()):
        for study in frame.get("RTReferencedStudySequence", ()):
            for series in study.get("RTReferencedSeriesSequence", ()):
                if series.get("SeriesInstanceUID"):
                    yield (
                        str(series.SeriesInstanceUID),
                        _list_images(series, "ContourImageSequence"),
                    )


def _list_images(series: Dataset, sequence: str) -> list[str]:
    images = (str(one.get("ReferencedSOPInstanceUID", "")) for one in series.get(sequence, ()))
    return list(dict.fromkeys(filter(None, images)))


def _find_frame_of_reference(header: Dataset) -> str:
    for frame in header.get("ReferencedFrameOfReferenceSequence", ()):
        if frame.get("FrameOfReferenceUID"):
            return str(frame.FrameOfReferenceUID)
    for roi in header.get("StructureSetROISequence", ()):
        if roi.get("ReferencedFrameOfReferenceUID"):
            return str(roi.ReferencedFrameOfReferenceUID)
    return str(header.get("FrameOfReferenceUID", ""))


def _find_owners(label: LabelObject, images: Sequence[Series]) -> list[Series]:
    """The series that an object was drawn on."""
    owners = [s for s in images if s.uid and s.uid in label.slices]
    if not owners and not label.slices and label.frame_of_reference:
        owners = [s for s in images if s.slices[0].frame_of_reference == label.frame_of_reference]
        if len(owners) > 1:
            raise ValueError(
                f"it names no series, and {len(owners)} lie in its frame of reference: keep one"
            )
    if not owners:
        named = next(iter(label.slices), "none")
        raise ValueError(f"the series that it was drawn on ({named}) is not here: add it")
    for series in owners:
        _check_complete(series, label.slices.get(series.uid, ()))
        if series.verdict is Verdict.REFUSE:
            raise ValueError(f"the series that it was drawn on is refused: {series.message}")
    return owners


def _check_complete(series: Series, referenced: Sequence[str]) -> None:
    """Refuse a series without some of the slices that an object refers to.

    Left where it is, an outline on such a slice would be drawn on the one beside it.
    """
    missing = set(referenced) - {one.instance for one in series.slices}
    if missing:  # unless they are left aside
        folders = {path.parent for path in series.files}
        missing -= {uid for folder in folders for uid in _list_instances(folder)}
    if missing:
        listed = shorten_list([uid for uid in referenced if uid in missing])
        verb = "is" if len(missing) == 1 else "are"
        raise ValueError(
            f"{len(missing)} of the {len(referenced)} slices that it was drawn on {verb} not in "
            f"the folder of its series (SOP Instance UID {listed}): add them, or take the case out"
        )


def _list_instances(folder: Path) -> Iterator[str]:
    """The SOP Instance UIDs of the DICOM files in a folder."""
    for path in folder.iterdir():
        with suppress(InvalidDicomError, OSError):
            if path.is_file():
                yield str(dcmread(path, specific_tags=["SOPInstanceUID"]).get("SOPInstanceUID", ""))
