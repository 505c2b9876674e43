"""Chest phantom: synthetic chest CT with nodules and four readers, in the layout of LIDC-IDRI.

Lungs, heart, ribs and spine are those of the abdomen's trunk, seen above the diaphragm. Written are

- `LIDC-IDRI/<patient>/<study>/<series>/*.dcm` with the XML of the series among them, and the same
  XML once more in `LIDC-XML-only/tcia-lidc-xml/<n>/<m>.xml`, as the collection has them;
- `truth/<patient>.nii.gz`: what each reader meant, bit n - 1 for reader n, exact at voxel centres.

Every nodule of the first rank is outlined by all four readers, the others by two to four of them;
one outline has a hole. Each scan also has a small nodule and a non-nodule, marked by points.
Patients are numbered from LIDC-IDRI-9001, beyond those of the collection.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import nibabel as nib
import numpy as np
import pydicom
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter

from medseg.datasets.lidc.annotations_xml import SCALES
from medseg.datasets.phantom.canvas import Canvas, Grid, Mask
from medseg.datasets.phantom.dicom_series import HU_RANGE, write_ct_series
from medseg.datasets.phantom.trunk import paint_chest, paint_spine, paint_table, paint_wall

READERS = 4
FIELD_OF_VIEW_MM = 340.0
_LOWEST_MM = 78.0  # above the domes of the diaphragm
_LUNG_HU = (-900, -700)
_NODULE_HU = (-80.0, 60.0)
_RADIUS_MM = (5.0, 10.0)
_RADIUS_PIXELS = 1.8  # at least, so that an outline has something inside
_GAP_MM = 3.0
_NOISE_HU = 15.0


@dataclass(frozen=True, eq=False)
class Scan:
    """One patient: CT numbers (I, J, K), RAS+; the outlines of each reader, and points."""

    hu: NDArray[np.int16]
    affine: NDArray[np.float64]
    outlined: tuple[dict[int, Mask], ...]  # for each nodule: reader -> what is inside the outline
    hole: tuple[int, int, int]  # a voxel that reader 2 cut out of the first nodule
    small: tuple[int, int, int]
    non_nodule: tuple[int, int, int]


def write(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    """Write the scans of `cases` + `test_cases` patients; the collection has no test set.

    Args:
        root: folder to write.
        grid: 48 pixels or more, 8 slices or more.
        cases: number of patients.
        test_cases: patients beyond those.
        seed: seed of all that is random.
    """
    for number in range(cases + test_cases):
        rng = np.random.default_rng((seed, number))
        patient = f"LIDC-IDRI-{9001 + number}"
        scan = _draw_scan(rng, grid)
        series = root / "series"
        write_ct_series(scan.hu, scan.affine, out_dir=series, patient=patient, rng=rng)
        headers = _relabel(series)
        study_uid, series_uid = headers[0].StudyInstanceUID, headers[0].SeriesInstanceUID
        folder = root / "LIDC-IDRI" / patient / f"01-01-2000-NA-NA-{study_uid[-5:]}"
        folder.mkdir(parents=True)
        series = series.rename(folder / f"3000000.000000-NA-{series_uid[-5:]}")
        text = ElementTree.tostring(_read_message(scan, headers, rng), encoding="UTF-8")
        tree = root / "LIDC-XML-only" / "tcia-lidc-xml" / "157" / f"{158 + number:03d}.xml"
        for file in (series / f"{158 + number:03d}.xml", tree):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text)
        _write_truth(scan, root / "truth" / f"{patient}.nii.gz")


def trace_outline(mask: Mask) -> list[tuple[int, int]]:
    """Draw a closed outline of the first pixels outside a mask, (x, y) in array order.

    Args:
        mask: (x, y), a shape that can be seen whole from its middle, not at the border.
    """
    ring = np.argwhere(binary_dilation(mask) & ~mask)
    low, high = np.argwhere(mask).min(axis=0), np.argwhere(mask).max(axis=0)
    x, y = (ring - (low + high) / 2).T
    around = ring[np.argsort(np.arctan2(y, x), kind="stable")].tolist()
    return [(x, y) for x, y in [*around, around[0]]]


def _draw_scan(rng: np.random.Generator, grid: Grid) -> Scan:
    in_plane_mm = round(FIELD_OF_VIEW_MM / grid.size * rng.uniform(0.97, 1.04), 4)
    spacing_mm = np.array([in_plane_mm, in_plane_mm, grid.thickness_mm])
    shape = (grid.size, grid.size, grid.slices)
    centre_mm = rng.uniform((-4, -14, 0), (4, -6, 0))
    start_mm = centre_mm - (np.array(shape) - 1) / 2 * spacing_mm
    start_mm[2] = _LOWEST_MM
    axes = [
        (start + step * np.arange(n)).astype(np.float32)
        for start, step, n in zip(start_mm, spacing_mm, shape, strict=True)
    ]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    canvas = Canvas(x, y, z)
    paint_table(canvas, y, back_mm=-112)
    paint_wall(canvas)
    paint_chest(canvas)
    paint_spine(canvas)
    lung = (canvas.hu > _LUNG_HU[0]) & (canvas.hu < _LUNG_HU[1]) & (y > -90)
    lung[:, :, [0, -1]] = False
    nodules = _place_nodules(lung, spacing_mm, rng)
    voxels = np.moveaxis(np.indices(shape), 0, -1)
    for nodule in nodules:
        canvas.hu[nodule.measure_level(voxels) > 0] = rng.uniform(*_NODULE_HU)
    outlined = tuple(
        _outline_nodules(nodule, voxels, rank, rng) for rank, nodule in enumerate(nodules)
    )
    hole = _find_voxel(np.rint(nodules[0].centre))
    outlined[0][2][hole] = False
    free = lung & ~np.any([m for masks in outlined for m in masks.values()], axis=0)
    spots = rng.permutation(np.argwhere(free))
    small, other = _find_voxel(spots[0]), _find_voxel(_is_far(spots, spots[0]))
    noise = rng.normal(0, _NOISE_HU, shape)
    hu = np.rint(gaussian_filter(canvas.hu, (0.5, 0.5, 0)) + noise)
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = np.round(start_mm + np.array([0, 0, rng.uniform(-400, 100)]), 2)
    hu = np.clip(hu, *HU_RANGE).astype(np.int16)
    return Scan(hu, affine, outlined, hole, small, other)


@dataclass(frozen=True, eq=False)
class _Ellipsoid:
    """A nodule in voxels."""

    centre: NDArray[np.float64]
    radii: NDArray[np.float64]

    def measure_level(self, voxels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Positive inside."""
        return 1 - np.linalg.norm((voxels - self.centre) / self.radii, axis=-1)


def _place_nodules(
    lung: Mask, spacing_mm: NDArray[np.float64], rng: np.random.Generator
) -> list[_Ellipsoid]:
    """Place two or three nodules in the lung, the first one where there is most room."""
    room_mm = distance_transform_edt(lung, sampling=spacing_mm)
    least = max(_RADIUS_MM[0], _RADIUS_PIXELS * float(spacing_mm[0]))
    nodules: list[_Ellipsoid] = []
    for _ in range(int(rng.integers(2, 4))):
        radius = rng.uniform(least, max(least * 1.3, _RADIUS_MM[1]))
        spots = np.argwhere(room_mm >= min(1.3 * radius, room_mm.max()))
        centre = spots[rng.integers(len(spots))]
        radii = radius * rng.uniform(0.85, 1.15, 3) / spacing_mm
        nodules.append(_Ellipsoid(centre + rng.uniform(-0.3, 0.3, 3), np.maximum(radii, 1.6)))
        away = np.linalg.norm((np.indices(lung.shape).T - centre) * spacing_mm, axis=-1).T
        room_mm = np.minimum(room_mm, np.maximum(away - 1.3 * radius - _GAP_MM, 0))
    return nodules


def _outline_nodules(
    nodule: _Ellipsoid, voxels: NDArray[np.int64], rank: int, rng: np.random.Generator
) -> dict[int, Mask]:
    """What each reader takes the nodule for; only the first nodule is seen by all for sure."""
    count = READERS if rank == 0 else int(rng.integers(2, READERS + 1))
    masks = {}
    for reader in sorted(rng.permutation(READERS)[:count] + 1):
        centre = nodule.centre + rng.uniform(-0.25, 0.25, 3)
        seen = _Ellipsoid(centre, nodule.radii * rng.uniform(0.95, 1.12, 3))
        masks[int(reader)] = seen.measure_level(voxels) > 0
    return masks


def _find_voxel(place: NDArray[np.generic]) -> tuple[int, int, int]:
    i, j, k = place.tolist()
    return int(i), int(j), int(k)


def _is_far(spots: NDArray[np.int64], spot: NDArray[np.int64]) -> NDArray[np.int64]:
    return spots[np.linalg.norm(spots - spot, axis=1).argmax()]


def _relabel(folder: Path) -> list[pydicom.Dataset]:
    """Name the body part in the files of a series; return their headers from foot to head."""
    headers = []
    for file in folder.iterdir():
        image = pydicom.dcmread(file)
        image.StudyDescription, image.SeriesDescription = "Synthetic chest", "Synthetic lung"
        image.BodyPartExamined = "CHEST"
        image.save_as(file, enforce_file_format=True)
        headers.append(image)
    return sorted(headers, key=lambda image: image.ImagePositionPatient[2])


def _read_message(
    scan: Scan, headers: Sequence[pydicom.Dataset], rng: np.random.Generator
) -> ElementTree.Element:
    """Make the XML of a scan: a session for each reader."""
    root = ElementTree.Element("LidcReadMessage", uid="2.25.0", xmlns="http://www.nih.gov")
    header = ElementTree.SubElement(root, "ResponseHeader")
    _add(header, "Version", "1.8.1")
    _add(header, "TaskDescription", "Second unblinded read")
    _add(header, "SeriesInstanceUid", headers[0].SeriesInstanceUID)
    _add(header, "StudyInstanceUID", headers[0].StudyInstanceUID)
    for reader in range(1, READERS + 1):
        session = ElementTree.SubElement(root, "readingSession")
        _add(session, "annotationVersion", "3.12")
        _add(session, "servicingRadiologistID", "anonymous")
        for rank, masks in enumerate(scan.outlined):
            if reader in masks:
                nodule = ElementTree.SubElement(session, "unblindedReadNodule")
                _add(nodule, "noduleID", f"{reader}{rank + 1}")
                ratings = ElementTree.SubElement(nodule, "characteristics")
                for name, last in SCALES.items():
                    _add(ratings, name, rng.integers(1, last + 1))
                _add_outlines(nodule, scan, masks[reader], headers, hole=(reader, rank) == (2, 0))
        if reader <= 2:
            nodule = ElementTree.SubElement(session, "unblindedReadNodule")
            _add(nodule, "noduleID", f"{reader}9")
            _add_roi(nodule, [scan.small[:2]], headers[scan.small[2]])
        if reader == READERS:
            _add_non_nodule(session, scan, headers[scan.non_nodule[2]])
    return root


def _add_outlines(
    nodule: ElementTree.Element,
    scan: Scan,
    mask: Mask,
    headers: Sequence[pydicom.Dataset],
    *,
    hole: bool,
) -> None:
    i, j, k = scan.hole
    for z, plane in _list_planes(mask):
        if hole and z == k:
            plane = plane.copy()
            plane[i, j] = True
        _add_roi(nodule, trace_outline(plane), headers[z])
    if hole:
        diamond = [(i + 1, j), (i, j + 1), (i - 1, j), (i, j - 1), (i + 1, j)]
        _add_roi(nodule, diamond, headers[k], inclusion=False)


def _list_planes(mask: Mask) -> Iterator[tuple[int, Mask]]:
    for z in np.flatnonzero(mask.any(axis=(0, 1))):
        yield int(z), mask[:, :, z]


def _add_roi(
    parent: ElementTree.Element,
    points: Sequence[Sequence[int]],
    header: pydicom.Dataset,
    *,
    inclusion: bool = True,
) -> None:
    roi = ElementTree.SubElement(parent, "roi")
    _add(roi, "imageZposition", float(header.ImagePositionPatient[2]))
    _add(roi, "imageSOP_UID", header.SOPInstanceUID)
    _add(roi, "inclusion", str(inclusion).upper())
    for point in points:
        _add_point(ElementTree.SubElement(roi, "edgeMap"), point, header)


def _add_non_nodule(parent: ElementTree.Element, scan: Scan, header: pydicom.Dataset) -> None:
    mark = ElementTree.SubElement(parent, "nonNodule")
    _add(mark, "nonNoduleID", "1")
    _add(mark, "imageZposition", float(header.ImagePositionPatient[2]))
    _add(mark, "imageSOP_UID", header.SOPInstanceUID)
    _add_point(ElementTree.SubElement(mark, "locus"), scan.non_nodule, header)


def _add_point(parent: ElementTree.Element, voxel: Sequence[int], header: pydicom.Dataset) -> None:
    """Write a voxel (i, j) of the RAS+ array as the column and row of the image."""
    _add(parent, "xCoord", header.Columns - 1 - voxel[0])
    _add(parent, "yCoord", header.Rows - 1 - voxel[1])


def _add(parent: ElementTree.Element, name: str, value: object) -> None:
    ElementTree.SubElement(parent, name).text = str(value)


def _write_truth(scan: Scan, path: Path) -> None:
    bits = np.zeros(scan.hu.shape, np.uint8)
    for masks in scan.outlined:
        for reader, mask in masks.items():
            bits |= mask.astype(np.uint8) << (reader - 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(bits, scan.affine), path)
