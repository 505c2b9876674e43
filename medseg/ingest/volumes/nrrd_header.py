"""NRRD header: `.nrrd`, `.nhdr` with detached voxels, and `.seg.nrrd`, as teem defines them.

Where the voxels lie in the patient is stated by `space`, `space directions` and `space origin`. A
space that is not one of the patient's, or none, is no orientation, and the file is refused.

Source: Kindlmann, Definition of NRRD File Format, http://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.volumes.header import (
    Choices,
    VolumeHeader,
    find_millimetre_factor,
    make_grid,
    make_no_volume_error,
)
from medseg.ingest.volumes.nrrd_fields import (
    Fields,
    find_voxel_files,
    get_dimension,
    get_field,
    get_whole,
    read_fields,
)
from medseg.ingest.volumes.nrrd_segments import find_uncropped_grid, read_segments
from medseg.ingest.volumes.text_header import parse_numbers, parse_whole_numbers

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": (
        *("longlong", "long long", "long long int", "signed long long", "signed long long int"),
        *("int64", "int64_t"),
    ),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_PACKINGS = {
    "raw": "",
    "gzip": "gzip",
    "gz": "gzip",
    "bzip2": "bzip2",
    "bz2": "bzip2",
    "hex": "hex",
    **dict.fromkeys(("txt", "text", "ascii"), "text"),
}
_SPACES = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
}
"""What turns the space's axes into RAS+; a fourth axis, of time, is left out."""

_UNITS_MM = {
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1.0),
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer"), 1e-3),
    **dict.fromkeys(("cm", "centimeter"), 10.0),
    **dict.fromkeys(("m", "meter", "metre"), 1e3),
}


def parse_nrrd(path: Path, *, choices: Choices) -> VolumeHeader:
    """Read and check the header of a NRRD file.

    Axes without a place in the patient (components, layers, time) are volumes to choose from. The
    voxels of a detached header are looked for in its own folder and below.

    Raises:
        IngestError: "unreadable", "voxel-type", "pixel-format", "not-3d", "not-millimetres",
            "no-orientation", "invalid-geometry", "sheared-affine", "invalid-rescale",
            "unsafe-path" or "not-found".
    """
    fields, keys, listed, end = read_fields(path)
    shape = tuple(parse_whole_numbers(get_field(fields, "sizes", path), field="sizes", path=path))
    if len(shape) != get_dimension(fields, path) or min(shape, default=0) < 1:
        raise make_no_volume_error(path, shape)
    for name in ("old min", "old max"):
        if name in fields:
            finding = f"{path} states {name} {fields[name]}: its values were quantised"
            raise IngestError(Reason.INVALID_RESCALE, finding)
    axes, affine = _read_affine(fields, shape, path)
    factor, notes = _read_unit(fields, path, choices)
    grid = make_grid(
        tuple(shape[axis] for axis in axes), np.diag([factor] * 3 + [1.0]) @ affine, path=path
    )
    packing = _find_packing(fields, path)
    files, start = find_voxel_files(fields, listed, path, end)
    skipped = get_whole(fields, ("byte skip", "byteskip"), path)
    if packing and skipped < 0:
        raise IngestError(Reason.UNREADABLE, f"{path} states byte skip {skipped} of packed voxels")
    segments, note = read_segments(keys, path)
    if "space origin" not in fields:
        said = f"{path} states no space origin: its first voxel is taken to lie at 0, 0, 0"
        note = ((Reason.ASSUMED_ORIENTATION, f"{said}, as ITK does"), *note)
    return VolumeHeader(
        path=path,
        format="NRRD",
        shape=shape,
        geometry=grid,
        dtype=_read_dtype(fields, path),
        offset=skipped if packing or skipped < 0 else start + skipped,
        axes=axes,
        files=files,
        packing=packing,
        packed_from=start if packing else 0,
        notes=(*notes, *note),
        segments=segments,
        crop_of=find_uncropped_grid(keys, grid) if segments else None,
    )


def _read_dtype(fields: Fields, path: Path) -> np.dtype:
    name = get_field(fields, "type", path).lower()
    code = next((code for code, names in _TYPES.items() if name in names), None)
    if code is None:
        raise IngestError(Reason.VOXEL_TYPE, f"{path} holds voxels of type {name[:80]}")
    order = fields.get("endian", "").lower()
    if np.dtype(code).itemsize > 1 and _find_packing(fields, path) != "text":
        if order not in ("little", "big"):
            raise IngestError(Reason.UNREADABLE, f"the header of {path} lacks the field endian")
        code = ("<" if order == "little" else ">") + code
    return np.dtype(code)


def _find_packing(fields: Fields, path: Path) -> str:
    encoding = get_field(fields, "encoding", path).lower()
    if encoding not in _PACKINGS:
        finding = f"{path} has the encoding {encoding[:80]}, not one of {', '.join(_PACKINGS)}"
        raise IngestError(Reason.PIXEL_FORMAT, finding)
    return _PACKINGS[encoding]


def _read_affine(
    fields: Fields, shape: tuple[int, ...], path: Path
) -> tuple[tuple[int, ...], np.ndarray]:
    """The axes that have a place in the patient, and what maps them to RAS+."""
    space = fields.get("space", "").lower()
    signs = _SPACES.get(space.removesuffix("-time").removesuffix("t"), _SPACES.get(space))
    if signs is None or "space directions" not in fields:
        stated = f"the space {space[:40]}" if space and signs is None else "no space and directions"
        finding = f"{path} states {stated}, which gives no position in the patient"
        raise IngestError(Reason.NO_ORIENTATION, finding)
    vectors = _parse_vectors(fields["space directions"], "space directions", path)
    if len(vectors) != len(shape):
        finding = f"{path} has {len(shape)} axes and {len(vectors)} space directions"
        raise IngestError(Reason.INVALID_GEOMETRY, finding)
    axes = tuple(axis for axis, vector in enumerate(vectors) if vector and any(vector[:3]))
    if len(axes) != 3:
        finding = f"{path} has {len(axes)} axes with a place in the patient, not three"
        raise IngestError(Reason.NOT_3D, finding)
    (origin,) = _parse_vectors(fields.get("space origin", "(0,0,0)"), "space origin", path) or [
        None
    ]
    if origin is None:
        raise IngestError(Reason.INVALID_GEOMETRY, f"{path} states no place for its space origin")
    affine = np.eye(4)
    affine[:3, :3] = np.array([(vectors[axis] or ())[:3] for axis in axes]).T
    affine[:3, 3] = origin[:3]
    return axes, np.diag([*signs, 1.0]) @ affine


def _parse_vectors(text: str, field: str, path: Path) -> list[tuple[float, ...] | None]:
    """The vectors of a field, None for an axis that has none."""
    words = re.findall(r"none|\([^()]*\)", text.lower())
    if re.sub(r"none|\([^()]*\)|\s", "", text.lower()):
        raise IngestError(Reason.UNREADABLE, f"{path} states {text[:80]!r} for {field}")
    found: list[tuple[float, ...] | None] = []
    for word in words:
        if word == "none":
            found.append(None)
            continue
        vector = tuple(parse_numbers(word[1:-1].replace(",", " "), field=field, path=path))
        if len(vector) not in (3, 4):
            finding = f"{path} has {len(vector)} numbers in a vector of {field}, not 3"
            raise IngestError(Reason.NOT_3D, finding)
        found.append(None if any(map(math.isnan, vector)) else vector)
    return found


def _read_unit(
    fields: Fields, path: Path, choices: Choices
) -> tuple[float, tuple[tuple[Reason, str], ...]]:
    text = fields.get("space units", "")
    names = {name.strip().lower() for name in re.findall(r'"([^"]*)"', text)[:3]} - {"", "???"}
    stated = {_UNITS_MM.get(name, math.nan) for name in names}
    unit = stated.pop() if len(stated) == 1 else (math.nan if stated else None)
    said = " and ".join(sorted(names)) or "no unit"
    return find_millimetre_factor(unit, said[:80], path=path, units=choices.units)
