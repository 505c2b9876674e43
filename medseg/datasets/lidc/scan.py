"""LIDC case: the nodules of one scan, measured, and cut out as patches and slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from medseg.base.arguments import is_count, is_number, is_whole, require_bool
from medseg.base.files import whole
from medseg.datasets.lidc.annotations_xml import Reads
from medseg.datasets.lidc.consensus import find_consensus, run_staple
from medseg.datasets.lidc.marks import Fault, Voxels, locate_marks
from medseg.datasets.lidc.measure import Row, find_centre_mm, measure
from medseg.datasets.lidc.nodules import Group, group
from medseg.datasets.lidc.patch import Patch, cut, list_planes
from medseg.datasets.lidc.source import make_stack
from medseg.geometry import Geometry
from medseg.ingest import Series

METHODS = ("agreement", "staple")
VIEWS = ("patches", "slices")


@dataclass(frozen=True)
class Settings:
    """How nodules become patches.

    Args:
        method: "agreement", the voxels that enough readers drew, or "staple".
        agreement: share of the readers of a nodule that must have drawn a voxel, above 0, at most
            1; "staple" does not use it.
        min_readers: nodules outlined by fewer readers are in the table but are background in the
            images, 1 to 4.
        size: voxels a side of a patch, 8 or more.
        spacing_mm: distance of the voxels of a patch.
        resample: resample series whose slices are tilted, unevenly spaced or missing, and the marks
            with them, see `medseg.datasets.lidc.slices_as_scanned`; False leaves them out.

    Raises:
        ValueError: a value out of range, or one of another kind.
        TypeError: `resample` is neither True nor False.
    """

    method: str = "agreement"
    agreement: float = 0.5
    min_readers: int = 1
    size: int = 64
    spacing_mm: float = 1.0
    resample: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method {self.method!r} is unknown: choose {' or '.join(METHODS)}")
        if not (is_number(self.agreement) and 0 < self.agreement <= 1):
            raise ValueError(f"agreement is {self.agreement}: choose a share above 0, at most 1")
        if not is_whole(self.min_readers, 1, 4):
            raise ValueError(f"min_readers is {self.min_readers}: choose 1 to 4")
        if not is_count(self.size, 8):
            raise ValueError(f"size is {self.size} voxels: choose 8 or more")
        if not (is_number(self.spacing_mm) and 0.1 <= self.spacing_mm <= 10):
            raise ValueError(f"spacing_mm is {self.spacing_mm}: choose 0.1 to 10")
        require_bool(self.resample, "resample")


@dataclass(frozen=True, eq=False)
class Converted:
    """What became of a scan: rows of the table, items of either view, and what was left out."""

    rows: Sequence[Row]
    items: dict[str, list[dict[str, str]]]
    faults: Sequence[Fault]


def convert(
    reads: Reads,
    series: Series,
    volume: NDArray[Any],
    geometry: Geometry,
    *,
    out: Path,
    case: str,
    settings: Settings,
) -> Converted:
    """Write the patches and slices of one scan below `out`, and describe its nodules.

    Args:
        reads: what the readers marked.
        series: the CT as found, for the places of its slices.
        volume: the CT in HU, axes column, row, slice.
        geometry: its grid.
        out: folder with the folders of both views; paths of items start from those.
        case: name of the scan, the beginning of all file names.
        settings: see `Settings`.
    """
    stack = make_stack(series, geometry)
    regions, faults = locate_marks(reads.marks, stack)
    nodules = [
        (members, _merge_readers(members, geometry, settings))
        for members in group(regions, geometry)
    ]
    mask = _draw_mask(
        [voxels for members, voxels in nodules if _is_shown(members, settings)], geometry
    )
    rows: list[Row] = []
    items: dict[str, list[dict[str, str]]] = {"patches": [], "slices": []}
    for number, (members, voxels) in enumerate(nodules, start=1):
        row: Row = {"nodule": number} | measure(
            members, voxels, geometry, interpolated_slices=stack.interpolated_slices
        )
        if voxels.size and _is_shown(members, settings):
            name = f"{case}_n{number}"
            patch = cut(
                volume,
                mask,
                geometry,
                centre_mm=find_centre_mm(voxels, geometry),
                size=settings.size,
                spacing_mm=settings.spacing_mm,
            )
            items["patches"].append(_write(patch, out / "patches", name))
            items["slices"] += [
                _write(plane, out / "slices", f"{name}_z{k:03d}") for k, plane in list_planes(patch)
            ]
            row["patch"] = name
        rows.append(row)
    return Converted(rows, items, faults)


def _is_shown(members: Group, settings: Settings) -> bool:
    return len(members.outlined_regions) >= settings.min_readers


def _merge_readers(members: Group, geometry: Geometry, settings: Settings) -> Voxels:
    """The voxels of a nodule; none where nobody drew an outline."""
    readers = [region.voxels for region in members.outlined_regions]
    if not readers:
        return np.empty(0, np.int64)
    if settings.method == "staple":
        return run_staple(readers, geometry.shape)
    return find_consensus(readers, agreement=settings.agreement)


def _draw_mask(nodules: Sequence[Voxels], geometry: Geometry) -> NDArray[np.uint8]:
    mask = np.zeros(geometry.shape, np.uint8)
    for voxels in nodules:
        mask.ravel()[voxels] = 1
    return mask


def _write(patch: Patch, folder: Path, name: str) -> dict[str, str]:
    for part, array in (("images", patch.image), ("labels", patch.label)):
        image = nib.Nifti1Image(array, patch.affine)
        image.set_qform(patch.affine, code=1)
        image.set_sform(patch.affine, code=1)
        image.header.set_xyzt_units("mm")
        with whole(folder / part / f"{name}.nii.gz") as partial:
            nib.save(image, partial)
    return {
        "case": name,
        "image": f"images/{name}.nii.gz",
        "label": f"labels/{name}.nii.gz",
    }
