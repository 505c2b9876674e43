"""NRRD header: `.nrrd`, `.nhdr` with detached voxels, and `.seg.nrrd`, as teem defines them.

Where the voxels lie in the patient is stated by `space`, `space directions` and `space origin`. A
space that is not one of the patient's, or none, is no orientation, and the file is refused.

Source: Kindlmann, Definition of NRRD File Format, http://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import numpy as np

from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.volumes.header import (
    Choices,
    VolumeHeader,
    find_detached_file,
    find_millimetre_factor,
    make_grid,
    make_no_volume_error,
)
from medseg.ingest.volumes.nrrd_segments import find_uncropped_grid, read_segments
from medseg.ingest.volumes.text_header import parse_numbers, parse_whole_numbers, read_lines

_MAGIC = re.compile(r"NRRD000[1-5]")
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
_PATTERN = re.compile(r"[^%]*%0?\d*d[^%]*")
_NUMBERED = re.compile(
    r"(?P<pattern>.+?)\s+(?P<first>-?\d{1,9})\s+(?P<last>-?\d{1,9})\s+(?P<step>-?\d{1,9})(\s+\d+)?"
)
_MOST_FILES = 100_000

Fields = dict[str, str]


def parse_nrrd(path: Path, *, choices: Choices) -> VolumeHeader:
    """Read and check the header of a NRRD file.

    Axes without a place in the patient (components, layers, time) are volumes to choose from. The
    voxels of a detached header are looked for in its own folder and below.

    Raises:
        IngestError: "unreadable", "voxel-type", "pixel-format", "not-3d", "not-millimetres",
            "no-orientation", "invalid-geometry", "sheared-affine", "invalid-rescale",
            "unsafe-path" or "not-found".
    """
    fields, keys, listed, end = _read(path)
    shape = tuple(parse_whole_numbers(_get_field(fields, "sizes", path), field="sizes", path=path))
    if len(shape) != _get_dimension(fields, path) or min(shape, default=0) < 1:
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
    files, start = _find_voxel_files(fields, listed, path, end)
    skipped = _get_whole(fields, ("byte skip", "byteskip"), path)
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


def _read(path: Path) -> tuple[Fields, Fields, list[str], int]:
    """The fields, the keys and values, the files of a list, and the byte that follows."""
    fields: Fields = {}
    keys: Fields = {}
    lines = read_lines(path)
    first, end = next(lines, ("", 0))
    if not _MAGIC.fullmatch(first.strip()):
        raise IngestError(Reason.UNREADABLE, f"{path} lacks the signature of NRRD")
    for line, end in lines:
        if not line:
            return fields, keys, [], end
        if line.startswith("#"):
            continue
        key, is_key, value = line.partition(":=")
        name, is_field, content = f"{line} ".partition(": ")
        if is_key and len(key) <= len(name):
            keys[key] = value
        elif is_field and (name := name.strip().lower()) not in fields:
            fields[name] = content.strip()
            if _get_data_file(fields).upper().startswith("LIST"):
                names = list(itertools.islice((text for text, _ in lines), _MOST_FILES))
                return fields, keys, [text.strip() for text in names if text.strip()], end
        else:
            finding = f"the header of {path} has the line {line[:80]!r}"
            raise IngestError(Reason.UNREADABLE, finding)
    if not _get_data_file(fields):
        raise IngestError(Reason.TRUNCATED, f"{path} ends within its header")
    return fields, keys, [], end


def _get_field(fields: Fields, name: str, path: Path) -> str:
    if name not in fields:
        raise IngestError(Reason.UNREADABLE, f"the header of {path} lacks the field {name}")
    return fields[name]


def _get_data_file(fields: Fields) -> str:
    return fields.get("data file", fields.get("datafile", ""))


def _get_whole(fields: Fields, names: tuple[str, ...], path: Path) -> int:
    """The whole number of a field that may be absent: 0 then."""
    text = next((fields[name] for name in names if name in fields), "0")
    found = parse_whole_numbers(text, field=names[0], path=path)
    if len(found) != 1:
        raise IngestError(Reason.UNREADABLE, f"{path} states {text[:80]!r} for {names[0]}")
    return found[0]


def _get_dimension(fields: Fields, path: Path) -> int:
    _get_field(fields, "dimension", path)
    return _get_whole(fields, ("dimension",), path)


def _read_dtype(fields: Fields, path: Path) -> np.dtype:
    name = _get_field(fields, "type", path).lower()
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
    encoding = _get_field(fields, "encoding", path).lower()
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


def _find_voxel_files(
    fields: Fields, listed: list[str], path: Path, end: int
) -> tuple[tuple[Path, ...], int]:
    """The files of the voxels, and the byte of each at which the encoded part starts."""
    name = _get_data_file(fields)
    skipped = _get_whole(fields, ("line skip", "lineskip"), path)
    files: tuple[Path, ...] = (path,)
    start = end
    if name:
        names = listed or _list_numbered(name, path) or [name]
        files, start = tuple(find_detached_file(path, each) for each in names), 0
    if skipped < 0 or (skipped and len(files) > 1):
        raise IngestError(Reason.UNREADABLE, f"{path} states line skip {skipped}")
    return files, _skip_lines(files[0], skipped, start)


def _skip_lines(file: Path, count: int, start: int) -> int:
    """The byte after so many lines from `start` on."""
    with file.open("rb") as stream:
        stream.seek(start)
        for _ in range(count):
            stream.readline(2**16)
        return stream.tell()


def _list_numbered(name: str, path: Path) -> list[str]:
    """The names that a pattern such as `slice%03d.raw 1 20 1` stands for; none where it is none.

    A fourth number, the dimension of what each file holds, tells nothing that the sizes do not:
    files hold equal parts.
    """
    found = _NUMBERED.fullmatch(name)
    if not found or not _PATTERN.fullmatch(found["pattern"]):
        return []
    first, last, step = (int(found[part]) for part in ("first", "last", "step"))
    count = (last - first) // step + 1 if step else 0
    if not 0 < count <= _MOST_FILES:
        raise IngestError(Reason.UNREADABLE, f"{path} states the data file {name[:80]!r}")
    return [
        found["pattern"] % number for number in range(first, last + (1 if step > 0 else -1), step)
    ]
