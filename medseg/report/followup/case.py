"""Case: the result of a segmentation to compare: label map, label table, image and date."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.geometry import Geometry
from medseg.inference.cases.report import DONE
from medseg.inference.outputs.label_files import JSON_FILE, read_table
from medseg.inference.outputs.value_unit import get_unit, guess_unit
from medseg.ingest.checks import check_finite, to_labels
from medseg.ingest.dicom.read_series import read_series
from medseg.ingest.dicom.series_label import read_series_label
from medseg.ingest.formats import is_volume_file, strip_suffix
from medseg.ingest.load import LoadOptions, find_one_series, load
from medseg.labels import LabelTable
from medseg.report.record_segmentation import SCHEMA

_MASK = ".nii.gz"


@dataclass(frozen=True, eq=False)
class Case:
    """One study of a patient, segmented.

    Attributes:
        name: of the case.
        mask_file: its label map.
        mask: (I, J, K), label values.
        geometry: its grid.
        labels: what the values mean.
        image: on the same grid; None where it was not asked for.
        image_file: where it was read from, likewise.
        date: of the series, from its header or as it was given; None where it is not known.
        made_by: the bundle and its version; "" where no record says it.
        patient: what tells whether two studies are of one patient; "" where it is not known. It is
            compared, and never shown.
        unit: of the values of the image: "HU", or "" where it is not known.
    """

    name: str
    mask_file: Path
    mask: NDArray[np.integer]
    geometry: Geometry
    labels: LabelTable
    image: NDArray | None
    image_file: Path | None
    date: date | None
    made_by: str
    patient: str
    unit: str = ""


def read_case(
    path: Path, *, side: str, image: Path | None, day: date | None, needs_image: bool
) -> Case:
    """Read a case from a folder of results or from a label map in it.

    The image is `image`, or else the one that the record of the segmentation names; it has to be
    on the grid of the label map. Where it is DICOM, its date is taken from there.

    Args:
        path: a folder of `medseg segment` with one case, or a label map in such a folder.
        side: "before" or "after", for the names of the options in messages.
        image: the image that was segmented; None for the record's.
        day: of the study; None for that of its header.
        needs_image: whether it is an error that the image cannot be found.

    Raises:
        OSError: a file cannot be read.
        IngestError: the label map or the image is refused.
        ValueError: the folder has no case or several, no label table describes the label map, or
            the image is not found, or on another grid.
    """
    mask_file = _find_mask(path, side)
    folder = mask_file.parent
    labels = _read_labels(folder, mask_file)
    values, geometry = load(mask_file)
    mask = to_labels(values, [label.index for label in labels], name=str(mask_file))
    known = _read_records(folder).get(mask_file.name, {})
    place = image or _find_place(known)
    uid = None if image else known.get("series_uid") or None  # some series state none
    array, patient, unit = None, "", ""
    if place is not None and (needs_image or image or place.exists()):
        _check_there(place, mask_file, side)
        array, grid, stated, patient, unit = _read_image(place, uid)
        _check_grid(grid, geometry, place, mask_file, side)
        day = day or stated
    elif needs_image:
        raise ValueError(
            f"no record beside {mask_file} says where its image lies: pass --{side}-image, or "
            "--no-registration if both masks are on one grid"
        )
    return Case(
        name=strip_suffix(mask_file.name),
        mask_file=mask_file,
        mask=mask,
        geometry=geometry,
        labels=labels,
        image=array,
        image_file=None if array is None else place,
        date=day,
        made_by=str(known.get("bundle", "")),
        patient=patient,
        unit=unit,
    )


def _find_mask(path: Path, side: str) -> Path:
    """The label map that a path stands for."""
    if not path.exists():
        raise FileNotFoundError(
            f"no such file or folder: {path.absolute()} (--{side} takes a folder of medseg segment "
            "with one case, or a label map in it)"
        )
    if path.is_file():
        return path
    known = [path / name for name in _read_records(path) if (path / name).is_file()]
    masks = sorted(known or path.glob(f"*{_MASK}"))
    if len(masks) != 1:
        names = ", ".join(mask.name for mask in masks[:5]) + " ..." * (len(masks) > 5)
        holds = f"{len(masks)} label maps ({names})" if masks else "no label map"
        remedy = f"pass one of them, such as {masks[0]}" if masks else "run medseg segment first"
        raise ValueError(f"--{side} must be one case, and {path} holds {holds}: {remedy}")
    return masks[0]


def _find_place(known: dict[str, Any]) -> Path | None:
    """Where the image of a record lies; FOLDER/UID, of one series of several, is that folder."""
    if not known.get("image"):
        return None
    place = Path(known["image"])
    is_series = place.name == known.get("series_uid") and not place.exists()
    return place.parent if is_series else place


def _read_labels(folder: Path, mask_file: Path) -> LabelTable:
    if not (folder / JSON_FILE).is_file():
        raise ValueError(
            f"no {JSON_FILE} beside {mask_file} says what its values mean: pass a folder of medseg "
            f"segment, or put that {JSON_FILE} there"
        )
    return read_table(folder / JSON_FILE)


def _read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """What the records of a folder say of each label map; the latest counts."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob("segmentation_*.json"), key=lambda f: f.stat().st_mtime_ns):
        try:
            record = json.loads(file.read_text("utf-8"))
            if record["schema"] != SCHEMA:
                continue
            for case in record["cases"]:
                if case["status"] == DONE and case.get("mask", "").endswith(_MASK):
                    found[case["mask"]] = {"bundle": record["bundle"], **case}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{file} is no record of medseg segment ({error!r}): move it away"
            ) from error
    return found


def _check_there(image: Path, mask_file: Path, side: str) -> None:
    if not image.exists():
        raise FileNotFoundError(
            f"the image of {mask_file} is not at {image}: pass --{side}-image with its place, or "
            "--no-registration if both masks are on one grid"
        )


def _read_image(place: Path, uid: str | None) -> tuple[NDArray, Geometry, date | None, str, str]:
    """Voxels, grid, date, patient and unit of the values.

    Irregular slices are resampled; the grid is checked later.
    """
    if is_volume_file(place):
        array, geometry = load(place)
        check_finite(array, name=str(place))
        return array, geometry, None, "", guess_unit(array)
    series = find_one_series(place, LoadOptions(series_uid=uid, resample=True))
    array, geometry = read_series(series)
    stated = read_series_label(series).date
    patient = series.slices[0].origin.patient
    return array, geometry, parse_date(stated), patient, get_unit(series.modality)


def parse_date(text: str) -> date | None:
    """A date from ISO 8601, such as "2026-01-31"; None where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _check_grid(
    grid: Geometry, geometry: Geometry, image: Path, mask_file: Path, side: str
) -> None:
    if difference := geometry.describe_difference(grid):
        raise ValueError(
            f"{image} is not the image of {mask_file} ({difference}): pass --{side}-image with the "
            "image that was segmented"
        )
