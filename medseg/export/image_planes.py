"""Image planes: which images of the source lie on the planes of a grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from medseg.export.source.images import SourceImages
from medseg.geometry import GRID_TOLERANCE_VOXELS, ORTHOGONALITY_TOLERANCE, Geometry


def refer_to(header: Dataset, frame: int | None = None) -> Dataset:
    """A reference to an image, or to one frame of it, counted from 1 (PS3.3 section 10.3)."""
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item


def find_images(images: SourceImages, geometry: Geometry) -> Mapping[int, list[Dataset]]:
    """References to the images that lie on each plane (I, J) of a grid, by its index k.

    Planes without an image are left out: those of a resampled grid, or all planes where the grid is
    turned. Where an image lies on its plane does not matter, so a cropped grid has its images.

    Example:
        >>> find_images(images, geometry)[0][0].ReferencedSOPInstanceUID  # doctest: +SKIP
        '1.2.840.4'
    """
    axes = geometry.affine_lps[:3, :3] / geometry.spacing_mm
    found: dict[int, list[Dataset]] = {}
    for reference, position, orientation in _list_planes(images):
        normal = np.cross(orientation[:3], orientation[3:])
        if np.abs(normal @ axes[:, :2]).max() > ORTHOGONALITY_TOLERANCE:
            continue
        offset_mm = (position - geometry.affine_lps[:3, 3]) @ axes[:, 2]
        k = float(offset_mm / geometry.spacing_mm[2])
        if abs(k - round(k)) <= GRID_TOLERANCE_VOXELS and 0 <= round(k) < geometry.shape[2]:
            found.setdefault(round(k), []).append(reference)
    return found


def _list_planes(
    images: SourceImages,
) -> Iterator[tuple[Dataset, NDArray[np.float64], NDArray[np.float64]]]:
    """A reference to each image, with its position and its orientation in LPS+."""
    if not images.is_multiframe:
        for header in images.headers:
            yield (
                refer_to(header),
                np.array(header.ImagePositionPatient, float),
                np.array(header.ImageOrientationPatient, float),
            )
        return
    (header,) = images.headers
    shared = (header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    for number, frame in enumerate(header.get("PerFrameFunctionalGroupsSequence") or [], start=1):
        position = _find(frame, shared, "PlanePositionSequence", "ImagePositionPatient")
        turn = _find(frame, shared, "PlaneOrientationSequence", "ImageOrientationPatient")
        if position is not None and turn is not None:
            yield refer_to(header, number), position, turn


def _find(frame: Dataset, shared: Dataset, group: str, keyword: str) -> NDArray[np.float64] | None:
    """The numbers in a functional group, of the frame or of all."""
    for groups in (frame, shared):
        for item in groups.get(group) or []:
            if keyword in item:
                return np.array(item[keyword].value, float)
    return None
