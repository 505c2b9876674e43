"""MetaImage header: `.mha`, and `.mhd` with detached voxels, as MetaIO defines them.

The world is LPS+ millimetres, as ITK reads it: `Offset` is the centre of the first voxel, and
`TransformMatrix` lists the direction of each axis in turn. Without a matrix the axes are those of
the world, which is MetaIO's default; a note says so.

Source: MetaIO, https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np

from medseg.geometry import LPS_TO_RAS, Geometry
from medseg.ingest.reasons import IngestError, Note, Reason
from medseg.ingest.volumes.header import (
    Choices,
    VolumeHeader,
    find_detached_file,
    find_millimetre_factor,
    make_grid,
    make_no_volume_error,
)
from medseg.ingest.volumes.text_header import (
    MOST_FILES,
    NUMBERED_NAME,
    parse_numbers,
    parse_whole_numbers,
    read_lines,
)

_TYPES = {
    **{"CHAR": "i1", "UCHAR": "u1", "SHORT": "i2", "USHORT": "u2", "INT": "i4", "UINT": "u4"},
    **{"LONG": "i4", "ULONG": "u4", "LONG_LONG": "i8", "ULONG_LONG": "u8"},
    **{"FLOAT": "f4", "DOUBLE": "f8"},
}
_OTHER_NAMES = {
    "Position": "Offset",
    "Origin": "Offset",
    "Orientation": "TransformMatrix",
    "Rotation": "TransformMatrix",
    "ElementByteOrderMSB": "BinaryDataByteOrderMSB",
}
_LOCAL = ("LOCAL", "Local", "local")
_UNITS_MM = {"mm": 1.0, "cm": 10.0, "um": 1e-3, "m": 1e3}
_UNKNOWN = ("", "?", "??", "???", "????")
_IDENTITY_CODE = "RAI"
"""ITK's name for axes along LPS: it tells where an axis comes from."""


Fields = dict[str, str]


def parse_metaimage(path: Path, *, choices: Choices) -> VolumeHeader:
    """Read and check the header of a MetaImage.

    Channels, and a fourth axis, are volumes to choose from. The voxels of a detached header are
    looked for in its own folder and below.

    Raises:
        IngestError: "unreadable", "truncated", "voxel-type", "not-3d", "not-millimetres",
            "no-orientation", "conflicting-orientation", "invalid-geometry", "sheared-affine",
            "invalid-rescale", "unsafe-path" or "not-found".
    """
    fields, listed, end = _read(path)
    if fields.get("ObjectType", "Image") != "Image":
        finding = f"{path} is a MetaIO {fields['ObjectType'][:40]}, not an image"
        raise IngestError(Reason.VOXEL_TYPE, finding)
    _check_values(fields, path)
    axes_count = _get_one(fields, "NDims", path)
    shape = tuple(_get_whole(fields, "DimSize", path))
    if axes_count not in (3, 4) or len(shape) != axes_count or min(shape) < 1:
        raise make_no_volume_error(path, shape)
    grid, notes = _make_grid(fields, shape, path, choices)
    channels = _get_one(fields, "ElementNumberOfChannels", path, default=1)
    if channels < 1:
        raise IngestError(Reason.UNREADABLE, f"{path} states {channels} channels")
    first = int(channels > 1)
    packing = _find_packing(fields, path)
    files, start, offset = _find_voxel_files(fields, listed, path, end)
    return VolumeHeader(
        path=path,
        format="MetaImage",
        shape=(*(channels,) * first, *shape),
        geometry=grid,
        dtype=_read_dtype(fields, path),
        offset=offset if packing or offset < 0 else start + offset,
        axes=tuple(range(first, first + 3)),
        files=files,
        packing=packing,
        packed_from=start if packing else 0,
        notes=notes,
    )


def _read(path: Path) -> tuple[Fields, list[str], int]:
    """The fields, the files of a list, and the byte at which local voxels start."""
    fields: Fields = {}
    lines = read_lines(path)
    for line, end in lines:
        name, is_field, value = line.partition("=")
        name = name.strip()
        if not is_field and line.strip() and "NDims" not in fields:
            raise IngestError(Reason.UNREADABLE, f"{path} has no MetaImage header")
        if is_field:  # names of any kind: ITK adds its own, such as dim[0] or 0008|0060
            fields[_OTHER_NAMES.get(name, name)] = value.strip()
        if name == "ElementDataFile":
            is_list = fields[name].upper().startswith("LIST")
            names = (text.strip() for text, _ in lines) if is_list else iter(())
            return fields, [text for text in itertools.islice(names, MOST_FILES) if text], end
    reason = Reason.TRUNCATED if "NDims" in fields else Reason.UNREADABLE
    raise IngestError(reason, f"the header of {path} lacks ElementDataFile")


def _get_whole(fields: Fields, name: str, path: Path) -> list[int]:
    if name not in fields:
        raise IngestError(Reason.UNREADABLE, f"the header of {path} lacks {name}")
    return parse_whole_numbers(fields[name], field=name, path=path)


def _get_one(fields: Fields, name: str, path: Path, *, default: int | None = None) -> int:
    if name not in fields and default is not None:
        return default
    found = _get_whole(fields, name, path)
    if len(found) != 1:
        raise IngestError(Reason.UNREADABLE, f"{path} states {fields[name][:80]!r} for {name}")
    return found[0]


def _is_true(fields: Fields, name: str, *, default: bool = False) -> bool:
    return fields.get(name, str(default))[:1].lower() in ("t", "1")


def _check_values(fields: Fields, path: Path) -> None:
    """Refuse a scaling, which ITK leaves out and other software applies."""
    slope, shift = "ElementToIntensityFunctionSlope", "ElementToIntensityFunctionOffset"
    stated = [
        parse_numbers(fields.get(name, default), field=name, path=path)
        for name, default in ((slope, "1"), (shift, "0"))
    ]
    if stated != [[1.0], [0.0]]:
        finding = f"{path} states {slope} {stated[0]} and {shift} {stated[1]}"
        raise IngestError(Reason.INVALID_RESCALE, finding)


def _read_dtype(fields: Fields, path: Path) -> np.dtype:
    name = fields.get("ElementType", "").upper()
    code = _TYPES.get(name.removeprefix("MET_").removesuffix("_ARRAY"))
    if code is None or not name.startswith("MET_"):
        raise IngestError(Reason.VOXEL_TYPE, f"{path} holds voxels of type {name[:40] or 'none'}")
    return np.dtype((">" if _is_true(fields, "BinaryDataByteOrderMSB") else "<") + code)


def _find_packing(fields: Fields, path: Path) -> str:
    is_packed = _is_true(fields, "CompressedData")
    if not _is_true(fields, "BinaryData", default=True):
        if is_packed:
            raise IngestError(Reason.UNREADABLE, f"{path} states packed text")
        return "text"
    return "zlib" if is_packed else ""


def _make_grid(
    fields: Fields, shape: tuple[int, ...], path: Path, choices: Choices
) -> tuple[Geometry, tuple[Note, ...]]:
    count = len(shape)
    spacing = fields.get("ElementSpacing", fields.get("ElementSize"))
    if spacing is None:
        raise IngestError(Reason.MISSING_GEOMETRY, f"the header of {path} lacks ElementSpacing")
    values = {
        "ElementSpacing": spacing,
        "Offset": fields.get("Offset", " ".join(["0"] * count)),
        "CenterOfRotation": fields.get("CenterOfRotation", " ".join(["0"] * count)),
    }
    found = {}
    for name, text in values.items():
        found[name] = np.array(parse_numbers(text, field=name, path=path))
        if len(found[name]) != count:
            finding = f"{path} has {count} axes and {len(found[name])} numbers in {name}"
            raise IngestError(Reason.INVALID_GEOMETRY, finding)
    if not (found["ElementSpacing"][:3] > 0).all():
        finding = f"{path} states the spacing {values['ElementSpacing'][:80]}"
        raise IngestError(Reason.INVALID_GEOMETRY, finding)
    matrix, notes = _read_matrix(fields, count, path)
    if found["CenterOfRotation"].any() and not np.allclose(matrix, np.eye(3)):
        finding = f"{path} turns its axes about {values['CenterOfRotation'][:80]}, not its origin"
        raise IngestError(Reason.INVALID_GEOMETRY, finding)
    unit = fields.get("DistanceUnits", "").lower()
    stated = None if unit in _UNKNOWN else _UNITS_MM.get(unit, math.nan)
    factor, more = find_millimetre_factor(
        stated, unit[:40] or "no unit", path=path, units=choices.units
    )
    if "Offset" not in fields:
        said = f"{path} states no Offset: its first voxel is taken to lie at 0, 0, 0, as ITK does"
        notes = (*notes, (Reason.ASSUMED_ORIENTATION, said))
    affine = np.eye(4)
    affine[:3, :3] = matrix * found["ElementSpacing"][:3] * factor
    affine[:3, 3] = found["Offset"][:3] * factor
    return make_grid(shape[:3], LPS_TO_RAS @ affine, path=path), (*more, *notes)


def _read_matrix(fields: Fields, count: int, path: Path) -> tuple[np.ndarray, tuple[Note, ...]]:
    """The directions of the first three axes as columns, in LPS."""
    code = fields.get("AnatomicalOrientation", "").upper()
    if "TransformMatrix" not in fields:
        if code not in (*_UNKNOWN, _IDENTITY_CODE):
            finding = f"{path} states AnatomicalOrientation {code[:40]} and no TransformMatrix"
            raise IngestError(Reason.CONFLICTING_ORIENTATION, finding)
        said = f"{path} states no TransformMatrix: its axes are taken as {_LPS}, as ITK does"
        return np.eye(3), ((Reason.ASSUMED_ORIENTATION, said),)
    listed = parse_numbers(fields["TransformMatrix"], field="TransformMatrix", path=path)
    if len(listed) != count * count:
        finding = f"{path} has {count} axes and {len(listed)} numbers in TransformMatrix"
        raise IngestError(Reason.INVALID_GEOMETRY, finding)
    matrix = np.array(listed).reshape(count, count).T[:3, :3]
    if not np.allclose(np.linalg.norm(matrix, axis=0), 1.0, atol=1e-3):
        finding = f"the directions in TransformMatrix of {path} are not of length 1"
        raise IngestError(Reason.INVALID_GEOMETRY, finding)
    return matrix, ()


_LPS = "left, posterior and superior"


def _find_voxel_files(
    fields: Fields, listed: list[str], path: Path, end: int
) -> tuple[tuple[Path, ...], int, int]:
    """The files of the voxels, the byte at which they start, and what is passed over then."""
    name = fields["ElementDataFile"]
    skipped = _get_one(fields, "HeaderSize", path, default=0)
    if skipped < -1 or (skipped == -1 and _find_packing(fields, path)):
        raise IngestError(Reason.UNREADABLE, f"{path} states HeaderSize {skipped}")
    if name in _LOCAL:
        return (path,), end, max(skipped, 0)
    names = listed or _list_numbered(name, path) or [name]
    return tuple(find_detached_file(path, each) for each in names), 0, skipped


def _list_numbered(name: str, path: Path) -> list[str]:
    """The names that a pattern such as `slice%03d.raw 1 20 1` stands for; none where it is none."""
    words = name.rsplit(maxsplit=3)
    if len(words) < 4 or not NUMBERED_NAME.fullmatch(words[0]):
        return []
    first, last, step = parse_whole_numbers(" ".join(words[1:]), field="ElementDataFile", path=path)
    if step < 1 or not 0 < (last - first) // step + 1 <= MOST_FILES:
        raise IngestError(Reason.UNREADABLE, f"{path} states the data file {name[:80]!r}")
    return [words[0] % number for number in range(first, last + 1, step)]
