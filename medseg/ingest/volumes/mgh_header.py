"""MGH header: FreeSurfer's `.mgz` and `.mgh`.

Source: FreeSurfer, https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from nibabel.freesurfer.mghformat import MGHHeader
from nibabel.spatialimages import HeaderDataError

from medseg.ingest.packing import choose_packing
from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.volumes.header import (
    Choices,
    VolumeHeader,
    find_millimetre_factor,
    make_grid,
    make_no_volume_error,
)
from medseg.ingest.volumes.streams import open_stream, read_up_to

MOST_FOOTER_BYTES = 2**20
"""So many bytes may follow the voxels. FreeSurfer writes 20 (TR, flip angle, TE, TI, field of view)
and tags: the commands that made the file and the names of its labels, about 100 kB at most."""

_HEADER_BYTES = 284
_DTYPES = {0: ">u1", 1: ">i4", 3: ">f4", 4: ">i2", 10: ">u2"}
_GOOD_RAS = slice(28, 30)
_VERSION = 1


def parse_mgh(path: Path, *, choices: Choices) -> VolumeHeader:
    """Read and check the header of a FreeSurfer volume.

    Frames are volumes to choose from. A header whose goodRASFlag is not set states no orientation:
    FreeSurfer then takes LIA and nibabel LSP, so that neither is a convention.

    Raises:
        IngestError: "truncated", "unreadable", "unknown-format", "voxel-type", "not-3d",
            "no-orientation", "invalid-geometry" or "sheared-affine".
    """
    named = "" if path.name.lower().endswith(".mgh") else "gzip"
    packing = choose_packing(path, named=named, plain=(_VERSION.to_bytes(4, "big"),))
    with open_stream(path, packing) as stream:
        block = bytes(read_up_to(stream, _HEADER_BYTES))
    if len(block) < _HEADER_BYTES:
        raise IngestError(Reason.TRUNCATED, f"{path} ends within its header")
    raw = MGHHeader(block, check=False)
    if int(raw["version"]) != _VERSION:
        raise IngestError(Reason.UNREADABLE, f"{path} lacks the signature of MGH")
    shape = tuple(int(n) for n in raw["dims"])
    if min(shape) < 1:
        raise make_no_volume_error(path, shape)
    if int(raw["type"]) not in _DTYPES:
        raise IngestError(Reason.VOXEL_TYPE, f"{path} holds voxels of MGH type {int(raw['type'])}")
    factor, notes = find_millimetre_factor(None, "no unit", path=path, units=choices.units)
    if not any(block[_GOOD_RAS]):  # nibabel puts a default in its place
        raise IngestError(Reason.NO_ORIENTATION, f"{path} states no orientation (goodRASFlag 0)")
    affine = _read_affine(raw, path)
    return VolumeHeader(
        path=path,
        format="MGH",
        shape=shape,
        geometry=make_grid(shape[:3], np.diag([factor] * 3 + [1.0]) @ affine, path=path),
        dtype=np.dtype(_DTYPES[int(raw["type"])]),
        offset=_HEADER_BYTES,
        axes=(0, 1, 2),
        files=(path,),
        packing=packing,
        notes=notes,
        footer_bytes=MOST_FOOTER_BYTES,
    )


def _read_affine(raw: MGHHeader, path: Path) -> np.ndarray:
    """RAS+ millimetres of the voxels, (4, 4)."""
    if not (np.asarray(raw["delta"]) > 0).all():
        finding = f"{path} states the spacing {np.asarray(raw['delta']).tolist()}"
        raise IngestError(Reason.INVALID_GEOMETRY, finding)
    try:
        return np.asarray(raw.get_affine(), dtype=np.float64)
    except (HeaderDataError, ValueError) as error:
        raise IngestError(Reason.INVALID_GEOMETRY, f"{path}: {error}") from error
