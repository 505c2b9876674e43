"""Convert: write DICOM series and what was drawn on them as NIfTI images and label maps."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from medseg.base.files import whole
from medseg.base.text import count_noun, shorten_list
from medseg.datasets.own.dicom.class_mapping import NameRule, map_names
from medseg.datasets.own.dicom.labelled_series import LabelledSeries, LabelObject
from medseg.datasets.own.dicom.reader_objects import Drawings, describe_doubled, name_drawings
from medseg.datasets.own.dicom.segmentation_object import read_segments
from medseg.datasets.own.dicom.structure_set import read_structures
from medseg.datasets.own.pair_files import Pair
from medseg.geometry import Geometry
from medseg.ingest import IngestError
from medseg.ingest.dicom.read_series import read_series
from medseg.ingest.dicom.series import Series

logger = logging.getLogger(__name__)

UNMATCHED = "nothing in it matched --labels"
"""Said in the table of a case of which no name is in a class."""


@dataclass(frozen=True)
class ConvertedCases:
    """What became of the series.

    Attributes:
        pairs: image and label map of each case.
        classes: class name -> label value.
        rows: for a table: case, folder of the series, object, and each name with its class.
        faults: what is wrong, a line each.
    """

    pairs: Sequence[Pair]
    classes: Mapping[str, int]
    rows: Sequence[tuple[str, str, str, str]]
    faults: Sequence[str]


@dataclass(frozen=True)
class _Case:
    """A case to be written: its series, and what each reader drew on it."""

    name: str
    patient: str
    one: LabelledSeries
    drawings: Drawings
    folder: str

    @property
    def series(self) -> Series:
        """The series that the objects were drawn on."""
        return self.one.series


def convert_series(
    labelled: Sequence[LabelledSeries],
    out: Path,
    *,
    root: Path,
    rules: Sequence[NameRule] = (),
    several_readers: bool = False,
) -> ConvertedCases:
    """Write the image and the label map of each series to `out`, on the grid of the series.

    Cases are numbered, and so are patients, by their PatientID: neither appears in a name. Where
    structures overlap, the one that is smaller over all cases has the voxels.

    Args:
        labelled: the series.
        out: folder that gets the folders images and labels; or readers, of several readers.
        root: folder of the series, for messages.
        rules: which names belong to which class; none makes a class of each name.
        several_readers: whether objects of one series are of a reader each, see `name_drawings`.

    Raises:
        ValueError: a rule has no name.
        OSError: a file cannot be written.
    """
    names = map_names((name for one in labelled for o in one.objects for name in o.names), rules)
    cases, faults = _list_cases(labelled, names, root, several_readers=several_readers)
    rows = [row for case in cases for row in _describe_objects(case, names, root)]
    total: Counter[str] = Counter(dict.fromkeys(names.values(), 0))
    usable: list[tuple[_Case, Path, Geometry]] = []
    for case in cases:
        if case.name in faults:
            continue
        try:
            image, grid = read_series(case.series)
            drawn, doubts = _read_drawings(case, grid, names)
        except (ValueError, IngestError) as fault:
            faults[case.name] = str(fault)
            continue
        for doubt in doubts:
            logger.warning("case %s: %s", case.name, doubt)
        for masks in drawn.values():
            total.update({label: int(mask.sum()) for label, mask in masks.items()})
        path = _save(out / "images" / f"{case.name}.nii.gz", _narrow(image), grid)
        usable.append((case, path, grid))
    values = _number_classes(total, is_whole=not faults)
    pairs = [_write_labels(out, *each, names, values) for each in usable]
    told = [
        f"case {case.name} ({case.folder}): {faults[case.name]}"
        for case in cases
        if case.name in faults
    ]
    return ConvertedCases(pairs, values, rows, told)


def _list_cases(
    labelled: Sequence[LabelledSeries],
    names: Mapping[str, str],
    root: Path,
    *,
    several_readers: bool,
) -> tuple[list[_Case], dict[str, str]]:
    """The cases, and what is wrong with those that are faulty, by their names."""
    width = max(len(str(len(labelled))), 3)
    numbered = [f"case_{number:0{width}d}" for number, _ in enumerate(labelled, start=1)]
    drawings: list[Drawings] = [{"": one.objects} for one in labelled]
    wrong = [describe_doubled(one, names) for one in labelled]
    if several_readers:
        drawings, wrong = name_drawings(labelled, names, root)
    patients = _number_patients(labelled)
    cases = [
        _Case(name, patient, one, drawn, str(one.series.files[0].parent.relative_to(root)))
        for name, patient, one, drawn in zip(numbered, patients, labelled, drawings, strict=True)
    ]
    return cases, {name: fault for name, fault in zip(numbered, wrong, strict=True) if fault}


def _describe_objects(
    case: _Case, names: Mapping[str, str], root: Path
) -> Iterator[tuple[str, str, str, str]]:
    """The rows of the table for the objects of a case."""
    is_used = any(name in names for label in case.one.objects for name in label.names)
    reader_of = {label: name for name, drawn in case.drawings.items() if name for label in drawn}
    for label in case.one.objects:
        each = [f"{n} = {names.get(n, 'left out')}" for n in label.names]
        each += [f"{n} = left out, without a closed contour" for n in label.empty]
        said = ", ".join(each) + ("" if is_used else f"; {UNMATCHED}")
        reader = f" of {reader_of[label]}" if label in reader_of else ""
        what = f"{label.kind} {label.path.relative_to(root)}{reader}"
        yield case.name, case.folder, what, said


def _number_classes(voxels: Counter[str], *, is_whole: bool) -> dict[str, int]:
    """The value of each class, larger ones first; of the whole data without those of no voxel."""
    empty = sorted(label for label, count in voxels.items() if not count)
    if empty and is_whole and len(empty) < len(voxels):
        logger.warning("left out, without a voxel in any case: %s", shorten_list(empty))
        voxels = +voxels
    order = sorted(voxels, key=lambda label: (-voxels[label], label))
    return {label: value for value, label in enumerate(order, start=1)}


def _write_labels(
    out: Path,
    case: _Case,
    image: Path,
    grid: Geometry,
    names: Mapping[str, str],
    values: Mapping[str, int],
) -> Pair:
    """Write the label map of a case, or of each of its readers.

    Objects are read again for it: the masks of all cases may be too much to keep.
    """
    drawn, _ = _read_drawings(case, grid, names)
    written = {}
    for reader, masks in drawn.items():
        place = out / "readers" / f"{case.name}_{reader}" if reader else out / "labels" / case.name
        merged = _merge(masks, values, grid, place.name)
        written[reader] = _save(place.with_name(f"{place.name}.nii.gz"), merged, grid)
    readers = {} if "" in written else written
    label = next(iter(written.values()))
    return Pair(
        *(case.name, (image,), ("",), label, case.patient),
        readers=readers,
        kinds=(case.series.modality,),
    )


def _number_patients(labelled: Sequence[LabelledSeries]) -> list[str]:
    """A number for each patient: by PatientID, or by study where a file has none."""
    known: dict[str, str] = {}
    found = []
    for one in labelled:
        header = dcmread(one.series.files[0], stop_before_pixels=True)
        key = str(header.get("PatientID", "")).strip() or str(header.get("StudyInstanceUID", ""))
        found.append(known.setdefault(key, f"patient_{len(known) + 1:03d}"))
    return found


def _read_drawings(
    case: _Case, grid: Geometry, names: Mapping[str, str]
) -> tuple[dict[str, dict[str, NDArray[np.bool_]]], list[str]]:
    """Reader -> the mask of each class of a case, and what is doubtful."""
    drawn, all_doubts = {}, []
    for reader, objects in case.drawings.items():
        drawn[reader], doubts = _read_masks(objects, grid, names)
        all_doubts += doubts
    return drawn, all_doubts


def _read_masks(
    objects: Iterable[LabelObject], grid: Geometry, names: Mapping[str, str]
) -> tuple[dict[str, NDArray[np.bool_]], list[str]]:
    """The mask of each class in some objects, and what is doubtful."""
    all_doubts: list[str] = []
    found: dict[str, NDArray[np.bool_]] = {}
    for label in objects:
        doubts: list[tuple[str, str]] = []
        if label.kind == "SEG":
            masks = read_segments(label.path, grid)
        else:
            masks, doubts = read_structures(label.path, grid)
        all_doubts += [text for name, text in doubts if name in names]
        for name, mask in masks.items():
            if name in names:
                found[names[name]] = mask | found.get(names[name], np.zeros_like(mask))
    return found, all_doubts


def _merge(
    masks: Mapping[str, NDArray[np.bool_]], values: Mapping[str, int], grid: Geometry, case: str
) -> NDArray[np.uint8]:
    """One label map; a class of a higher value lies on top."""
    merged = np.zeros(grid.shape, np.uint8)
    lost: Counter[str] = Counter()
    for label, value in values.items():
        if label in masks:
            covered = merged[masks[label]]
            for under in np.unique(covered[covered > 0]):
                below = next(name for name, v in values.items() if v == under)
                lost[f"{label} on {below}"] += int((covered == under).sum())
            merged[masks[label]] = value
    for which, voxels in lost.items():
        logger.warning(
            "case %s: %s of %s: the former has them", case, count_noun(voxels, "voxel"), which
        )
    return merged


def _narrow(image: NDArray) -> NDArray:
    """Whole numbers as 16 bit, where they fit."""
    is_whole = np.isfinite(image).all() and (np.rint(image) == image).all()
    if is_whole and image.min() >= -(2**15) and image.max() < 2**15:
        return image.astype(np.int16)
    return image.astype(np.float32)


def _save(path: Path, array: NDArray, grid: Geometry) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = nib.Nifti1Image(array, grid.affine, dtype=array.dtype)
    made.header.set_xyzt_units("mm")
    with whole(path) as partial:
        nib.save(made, partial)
    return path
