"""Convert: write DICOM series and what was drawn on them as NIfTI images and label maps."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from medseg.base.files import whole
from medseg.base.text import count_noun, make_file_name, shorten_list
from medseg.datasets.own.channels import ChannelRules
from medseg.datasets.own.dicom.class_mapping import NameRule, map_names
from medseg.datasets.own.dicom.dicom_cases import (
    DicomCase,
    DicomChoices,
    describe_case,
    list_cases,
)
from medseg.datasets.own.dicom.labelled_series import LabelledSeries, LabelObject
from medseg.datasets.own.dicom.segmentation_object import read_segments
from medseg.datasets.own.dicom.structure_set import read_structures
from medseg.datasets.own.pair_files import Pair
from medseg.geometry import Geometry
from medseg.ingest.channels import lay_onto
from medseg.ingest.dicom.read_series import read_series
from medseg.ingest.dicom.selection import describe_briefly

logger = logging.getLogger(__name__)


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
    labelled: Sequence[LabelledSeries],
    out: Path,
    *,
    root: Path,
    rules: Sequence[NameRule] = (),
    several_readers: bool = False,
    channels: ChannelRules | None = None,
) -> ConvertedCases:
    """Write the image and the label map of each series to `out`, on the grid of the series.

    With channels, the image is those of its study, each in a file of its own on that grid.

    Cases are numbered, and so are patients, by their PatientID: neither appears in a name. Where
    structures overlap, the one that is smaller over all cases has the voxels.

    Args:
        labelled: the series.
        out: folder that gets the folders images and labels; or readers, of several readers.
        root: folder of the series, for messages.
        rules: which names belong to which class; none makes a class of each name.
        several_readers: whether objects of one series are of a reader each, see `name_drawings`.
        channels: which series of a study are the channels, see `find_images`.

    Raises:
        ValueError: a rule has no name, or a channel is in no study.
        OSError: a file cannot be written.
    """
    names = map_names((name for one in labelled for o in one.objects for name in o.names), rules)
    channels = channels or ChannelRules()
    choices = DicomChoices(names, root, channels, several_readers)
    cases, faults = list_cases(labelled, choices)
    rows = [row for case in cases for row in describe_case(case, names, root)]
    total: Counter[str] = Counter(dict.fromkeys(names.values(), 0))
    usable: list[tuple[DicomCase, Pair, Geometry]] = []
    for case in cases:
        if case.name in faults:
            continue
        try:
            pair, grid = _write_images(case, out, resample=channels.resample)
            drawn, doubts = _read_drawings(case, grid, names)
        except ValueError as fault:
            faults[case.name] = str(fault)
            continue
        for doubt in doubts:
            logger.warning("case %s: %s", case.name, doubt)
        for masks in drawn.values():
            total.update({label: int(mask.sum()) for label, mask in masks.items()})
        usable.append((case, pair, grid))
    if channels.resample:
        _warn_of_first(cases, channels)
    values = _number_classes(total, is_whole=not faults)
    pairs = [_write_labels(out, *each, names, values) for each in usable]
    told = [
        f"case {case.name} ({case.folder}): {faults[case.name]}"
        for case in cases
        if case.name in faults
    ]
    return ConvertedCases(pairs, values, rows, told)


def _write_images(case: DicomCase, out: Path, *, resample: bool) -> tuple[Pair, Geometry]:
    """Write the channels of a case on the grid of the series that was drawn on."""
    grid = case.series.geometry or read_series(case.series)[1]  # which says why it is refused
    files = []
    for channel, series in case.images.items():
        image, own = read_series(series)
        called = (
            f"{describe_briefly(case.series)} of the labels",
            f"{describe_briefly(series)} of {channel}",
        )
        image, covered = lay_onto(image, own, grid, names=called, resample=resample)
        if covered is not None:
            logger.warning(
                "case %s: %s was resampled onto the series of the labels, and covers %.0f %% of it",
                *(case.name, channel, 100 * covered),
            )
        name = f"{case.name}_{channel}" if channel else case.name
        files.append(_save(out / "images" / f"{make_file_name(name)}.nii.gz", _narrow(image), grid))
    kinds = tuple(series.modality for series in case.images.values())
    return Pair(case.name, tuple(files), tuple(case.images), None, case.patient, kinds=kinds), grid


def _warn_of_first(cases: Iterable[DicomCase], channels: ChannelRules) -> None:
    """Say where labels were drawn on another series than the one that sets the grid later."""
    first = next(iter(channels.names), "")
    others = [case.name for case in cases if first and case.images.get(first) is not case.series]
    if others:
        logger.warning(
            "labels were drawn on another series than %s: %s; medseg segment resamples onto the "
            "first channel: name first in --channels the one that most labels were drawn on",
            *(first, shorten_list(others)),
        )


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
    case: DicomCase,
    pair: Pair,
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
    return replace(pair, label=label, readers=readers)


def _read_drawings(
    case: DicomCase, grid: Geometry, names: Mapping[str, str]
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
