"""NRRD fields: the fields, keys and values in the header of a NRRD, and the files that it names."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.volumes.header import find_detached_file
from medseg.ingest.volumes.text_header import (
    MOST_FILES,
    NUMBERED_NAME,
    parse_whole_numbers,
    read_lines,
)

_MAGIC = re.compile(r"NRRD000[1-5]")

_NUMBERED = re.compile(
    r"(?P<pattern>.+?)\s+(?P<first>-?\d{1,9})\s+(?P<last>-?\d{1,9})\s+(?P<step>-?\d{1,9})(\s+\d+)?"
)


Fields = dict[str, str]
"""What a header states, by the name of each field in small letters."""


def read_fields(path: Path) -> tuple[Fields, Fields, list[str], int]:
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
            if get_data_file(fields).upper().startswith("LIST"):
                names = list(itertools.islice((text for text, _ in lines), MOST_FILES))
                return fields, keys, [text.strip() for text in names if text.strip()], end
        else:
            finding = f"the header of {path} has the line {line[:80]!r}"
            raise IngestError(Reason.UNREADABLE, finding)
    if not get_data_file(fields):
        raise IngestError(Reason.TRUNCATED, f"{path} ends within its header")
    return fields, keys, [], end


def get_field(fields: Fields, name: str, path: Path) -> str:
    """The text of a field. Raises IngestError, "unreadable", where it is absent."""
    if name not in fields:
        raise IngestError(Reason.UNREADABLE, f"the header of {path} lacks the field {name}")
    return fields[name]


def get_data_file(fields: Fields) -> str:
    """The name of the file that holds the voxels; "" where the header's own file does."""
    return fields.get("data file", fields.get("datafile", ""))


def get_whole(fields: Fields, names: tuple[str, ...], path: Path) -> int:
    """The whole number of a field that may be absent: 0 then."""
    text = next((fields[name] for name in names if name in fields), "0")
    found = parse_whole_numbers(text, field=names[0], path=path)
    if len(found) != 1:
        raise IngestError(Reason.UNREADABLE, f"{path} states {text[:80]!r} for {names[0]}")
    return found[0]


def get_dimension(fields: Fields, path: Path) -> int:
    """The number of axes. Raises IngestError, "unreadable", where it is absent."""
    get_field(fields, "dimension", path)
    return get_whole(fields, ("dimension",), path)


def find_voxel_files(
    fields: Fields, listed: list[str], path: Path, end: int
) -> tuple[tuple[Path, ...], int]:
    """The files of the voxels, and the byte of each at which the encoded part starts."""
    name = get_data_file(fields)
    skipped = get_whole(fields, ("line skip", "lineskip"), path)
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
    if not found or not NUMBERED_NAME.fullmatch(found["pattern"]):
        return []
    first, last, step = (int(found[part]) for part in ("first", "last", "step"))
    count = (last - first) // step + 1 if step else 0
    if not 0 < count <= MOST_FILES:
        raise IngestError(Reason.UNREADABLE, f"{path} states the data file {name[:80]!r}")
    return [
        found["pattern"] % number for number in range(first, last + (1 if step > 0 else -1), step)
    ]
