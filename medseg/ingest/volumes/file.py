"""Volume file: one volume of a NIfTI, NRRD, MetaImage or MGH file whose header can be trusted.

Checked alike for all formats: the files hold exactly what the header promises, checksums included;
one volume, or one that was chosen; real scalar voxels; finite values; an orientation that is
stated, is in millimetres, does not contradict itself and has no shear.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from medseg.base.text import warn_once
from medseg.geometry import Geometry
from medseg.ingest.checks import check_finite, check_room
from medseg.ingest.content import make_content_error
from medseg.ingest.formats import SUFFIXES, find_pair_image, find_suffix
from medseg.ingest.packing import check_is_file, check_unpacked
from medseg.ingest.reasons import IngestError, Reason, explain
from medseg.ingest.volumes.header import STATED, Choices, VolumeHeader
from medseg.ingest.volumes.metaimage_header import parse_metaimage
from medseg.ingest.volumes.mgh_header import parse_mgh
from medseg.ingest.volumes.nifti_header import parse_nifti
from medseg.ingest.volumes.nrrd_header import parse_nrrd
from medseg.ingest.volumes.nrrd_segments import describe_segments, join_layers
from medseg.ingest.volumes.voxels import apply_scaling, check_promise, read_volumes, read_voxels

logger = logging.getLogger(__name__)

_PARSERS: dict[str, Callable[..., VolumeHeader]] = {
    "NIfTI": parse_nifti,
    "NRRD": parse_nrrd,
    "MetaImage": parse_metaimage,
    "MGH": parse_mgh,
}

_TEXT_FORMATS = (
    "NRRD",
    "MetaImage",
)  # their headers are lines, and say themselves how voxels are packed

_MAY_BE_OTHER_CONTENT = (Reason.UNREADABLE, Reason.UNKNOWN_FORMAT, Reason.TRUNCATED)


def load_file(
    path: str | Path,
    *,
    volume: int | None = None,
    affine: str | None = None,
    units: str | None = None,
) -> tuple[np.ndarray, Geometry]:
    """Load one volume from a file; its suffix tells the format, see `medseg.ingest.formats`.

    Trailing axes of length 1 are dropped, and a 2D NIfTI becomes a volume of one slice. Scaling is
    applied in double precision before values become single. The layers of a segmentation are joined
    to one label map, which is laid onto the grid that it was cropped from. What was assumed is
    logged.

    Args:
        path: the file; of a pair either half, of a detached header the header.
        volume: which one of several, counted from 0 in the order of the file (the first axis that
            is none of the patient's fastest); None refuses such a file.
        affine: "sform" or "qform" where a NIfTI states both, see
            `medseg.ingest.volumes.nifti_affine`.
        units: the unit of lengths, see `Choices`; an unstated unit is taken as millimetres.

    Returns:
        The volume (I, J, K) as stored, and its geometry. Integers without scaling keep their type;
        everything else is float32.

    Raises:
        IngestError: naming the file; `code` says why.
        ValueError: `affine` or `units` is none of those above.

    Example:
        >>> volume, geometry = load_file("case.nrrd")  # doctest: +SKIP
    """
    header = read_file_header(path, affine=affine, units=units)
    _log_notes(header)
    if header.segments and volume is None:
        array = join_layers(read_volumes(header), header.segments, path=header.path)
    else:
        array = apply_scaling(read_voxels(header, volume=volume), header.scaling)
        check_finite(array, name=str(path))
    return _undo_crop(array, header), header.grid


def load_volumes(
    path: str | Path, *, affine: str | None = None, units: str | None = None
) -> tuple[np.ndarray, Geometry]:
    """Load all volumes of a file, (volumes, I, J, K); the only one of a file as (I, J, K).

    Args:
        path: as that of `load_file`; likewise `affine` and `units`.

    Raises as `load_file`.

    Example:
        >>> channels, geometry = load_volumes("four_channels.nii.gz")  # doctest: +SKIP
    """
    header = read_file_header(path, affine=affine, units=units)
    if header.volumes == 1 or header.segments:
        return load_file(path, affine=affine, units=units)
    _log_notes(header)
    stored = read_volumes(header)
    array = np.stack([apply_scaling(one, header.scaling) for one in np.moveaxis(stored, -1, 0)])
    check_finite(array, name=str(path))
    return array, header.grid


def _log_notes(header: VolumeHeader) -> None:
    """Log what was assumed of a file; names of segments once for all files that share them."""
    for reason, finding in header.notes:
        if reason is Reason.SEGMENTS:
            warn_once(logger, explain(reason, describe_segments(header.segments)))
        else:
            logger.warning("%s", explain(reason, finding))


def read_file_header(
    path: str | Path, *, affine: str | None = None, units: str | None = None
) -> VolumeHeader:
    """Read and check the header alone, as `load_file` does before it reads any voxel.

    A file of several volumes passes; `volumes` tells how many it has.

    Raises:
        IngestError: as `load_file`, except for what only the voxels show.
    """
    path, choices = Path(path), Choices(affine, units)
    check_is_file(path)
    suffix = find_suffix(path.name)
    if not suffix:
        raise IngestError(Reason.UNKNOWN_FORMAT, f"{path} is not named like a volume file")
    if SUFFIXES[suffix] in _TEXT_FORMATS:
        check_unpacked(path)
    try:
        header = _PARSERS[SUFFIXES[suffix]](path, choices=choices)
        check_promise(header)
    except IngestError as error:
        if error.code not in _MAY_BE_OTHER_CONTENT:
            raise
        raise make_content_error(path, promised=SUFFIXES[suffix]) or error from error
    return header


def list_files_of(path: str | Path) -> set[Path]:
    """The file and those that hold its voxels; the file alone where its header cannot be read."""
    path = Path(path)
    found = {path, find_pair_image(path) or path}
    try:
        return found | set(read_file_header(path, units=STATED).files)
    except IngestError:
        return found


def _undo_crop(labels: np.ndarray, header: VolumeHeader) -> np.ndarray:
    """A label map on the grid that it was cropped from, where that is known."""
    if header.crop_of is None:
        return labels
    grid, first = header.crop_of
    check_room(header.path, math.prod(grid.shape) * labels.itemsize)
    whole = np.zeros(grid.shape, dtype=labels.dtype)
    whole[tuple(slice(a, a + n) for a, n in zip(first, labels.shape, strict=True))] = labels
    return whole
