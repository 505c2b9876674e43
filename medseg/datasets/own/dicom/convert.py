"""Convert: write DICOM series and what was drawn on them as NIfTI images and label maps."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread

from medseg.base.files import whole
from medseg.base.text import count_noun, shorten_list
from medseg.datasets.own.dicom.class_mapping import NameRule, map_names
from medseg.datasets.own.dicom.labelled_series import LabelledSeries
from medseg.datasets.own.dicom.segmentation_object import read_segments
from medseg.datasets.own.dicom.structure_set import read_structures
from medseg.datasets.own.pair_files import Pair
from medseg.geometry import Geometry
from medseg.ingest import IngestError
from medseg.ingest.dicom.read_series import read_series

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


def convert_series(
    labelled: Sequence[LabelledSeries], out: Path, *, root: Path, rules: Sequence[NameRule] = ()
) -> ConvertedCases:
    """Write the image and the label map of each series to `out`, on the grid of the series.

    Cases are numbered, and so are patients, by their PatientID: neither appears in a name. Where
    structures overlap, the one that is smaller over all cases has the voxels.

    Args:
        labelled: the series.
        out: folder that gets the folders images and labels.
        root: folder of the series, for messages.
        rules: which names belong to which class; none makes a class of each name.

    Raises:
        ValueError: a rule has no name.
        OSError: a file cannot be written.
    """
    names = map_names((name for one in labelled for o in one.objects for name in o.names), rules)
    width = max(len(str(len(labelled))), 3)
    patients = _number_patients(labelled)
    pairs, rows, faults = [], [], []
    total: Counter[str] = Counter(dict.fromkeys(names.values(), 0))
    usable: list[tuple[Pair, LabelledSeries, Geometry]] = []
    for number, (one, patient) in enumerate(zip(labelled, patients, strict=True), start=1):
        case = f"case_{number:0{width}d}"
        folder = str(one.series.files[0].parent.relative_to(root))
        is_used = any(name in names for label in one.objects for name in label.names)
        for label in one.objects:
            each = [f"{n} = {names.get(n, 'left out')}" for n in label.names]
            each += [f"{n} = left out, without a closed contour" for n in label.empty]
            said = ", ".join(each)
            said += "" if is_used else f"; {UNMATCHED}"
            rows.append((case, folder, f"{label.kind} {label.path.relative_to(root)}", said))
        try:
            image, grid = read_series(one.series)
            masks, doubts = _read_masks(one, grid, names)
        except (ValueError, IngestError) as fault:
            faults.append(f"case {case} ({folder}): {fault}")
            continue
        for doubt in doubts:
            logger.warning("case %s: %s", case, doubt)
        total.update({label: int(mask.sum()) for label, mask in masks.items()})
        path = _save(out / "images" / f"{case}.nii.gz", _narrow(image), grid)
        drawn = out / "labels" / f"{case}.nii.gz"
        pair = Pair(case, (path,), ("",), drawn, patient, kinds=(one.series.modality,))
        usable.append((pair, one, grid))
    empty = sorted(label for label, voxels in total.items() if not voxels)
    if empty and not faults and len(empty) < len(total):
        logger.warning("left out, without a voxel in any case: %s", shorten_list(empty))
        total = +total
    order = sorted(total, key=lambda label: (-total[label], label))
    values = {label: value for value, label in enumerate(order, start=1)}
    for pair, one, grid in usable:  # read again: the masks of all cases may be too much to keep
        masks, _ = _read_masks(one, grid, names)
        _save(out / "labels" / f"{pair.case}.nii.gz", _merge(masks, values, grid, pair.case), grid)
        pairs.append(pair)
    return ConvertedCases(pairs, values, rows, faults)


def _number_patients(labelled: Sequence[LabelledSeries]) -> list[str]:
    """A number for each patient: by PatientID, or by study where a file has none."""
    known: dict[str, str] = {}
    found = []
    for one in labelled:
        header = dcmread(one.series.files[0], stop_before_pixels=True)
        key = str(header.get("PatientID", "")).strip() or str(header.get("StudyInstanceUID", ""))
        found.append(known.setdefault(key, f"patient_{len(known) + 1:03d}"))
    return found


def _read_masks(
    one: LabelledSeries, geometry: Geometry, names: Mapping[str, str]
) -> tuple[dict[str, NDArray[np.bool_]], list[str]]:
    """The mask of each class of a case, and what is doubtful."""
    all_doubts: list[str] = []
    found: dict[str, NDArray[np.bool_]] = {}
    drawn_by: dict[str, Path] = {}
    for label in one.objects:
        doubts: list[tuple[str, str]] = []
        if label.kind == "SEG":
            masks = read_segments(label.path, geometry)
        else:
            masks, doubts = read_structures(label.path, geometry)
        all_doubts += [text for name, text in doubts if name in names]
        for name, mask in masks.items():
            if name not in names:
                continue
            other = drawn_by.setdefault(names[name], label.path)
            if other != label.path:
                raise ValueError(
                    f"{names[name]} is in {other.name} and in {label.path.name}: keep one of them"
                )
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
