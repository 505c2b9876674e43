"""Script archive: the zip file of a TorchScript program, equal to the byte when written again."""

import hashlib
import io
import itertools
import zipfile
from collections.abc import Mapping
from pathlib import Path

_ALIGNMENT, _ZIP_HEADER = 64, 30
_SERIAL = ".data/serialization_id"


def rewrite_archive(path: Path, configs: Mapping[str, str], *, root: str) -> None:
    """Add configs to the archive of a TorchScript file, and make equal exports equal files.

    MONAI Deploy looks for configs in a folder named like the file, so all lies in `root`. Python
    orders the constants of a layer anew in each process, so they are sorted. Times are the first
    that a zip file can state. What torch keeps for its messages of errors, the place of each line
    of code on this machine, is left out.

    Args:
        path: a file that `torch.jit.save` wrote; it is replaced.
        configs: name -> text, kept in the folder `extra`, where torch finds `_extra_files`.
        root: the folder within the archive that holds everything.
    """
    with zipfile.ZipFile(path) as archive:
        entries = {
            name.partition("/")[2]: archive.read(name)
            for name in archive.namelist()
            if not name.endswith(".debug_pkl")
        }
    for name in entries:
        if name.startswith("code/") and name.endswith(".py"):
            entries[name] = _sort_constants(entries[name])
    entries |= {f"extra/{name}": text.encode() for name, text in sorted(configs.items())}
    entries[_SERIAL] = _digest(entries)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in entries.items():
            _write_aligned(archive, f"{root}/{name}", data, content.tell())
    path.write_bytes(content.getbuffer())


def _sort_constants(code: bytes) -> bytes:
    lines = code.splitlines(keepends=True)
    groups = itertools.groupby(lines, key=lambda line: b" : Final[" in line)
    return b"".join(b"".join(sorted(group) if final else group) for final, group in groups)


def _digest(entries: Mapping[str, bytes]) -> bytes:
    """A number of 40 digits for the content of an archive, as torch gives each."""
    total = hashlib.sha256()
    for name, data in entries.items():
        if name != _SERIAL:
            total.update(f"{name} {len(data)} ".encode() + data)
    return str(int(total.hexdigest(), 16) % 10**40).zfill(40).encode()


def _write_aligned(archive: zipfile.ZipFile, name: str, data: bytes, position: int) -> None:
    """Write an entry whose data begin at a multiple of 64 bytes, as torch's own files have them."""
    entry = zipfile.ZipInfo(name)
    padding = -(position + _ZIP_HEADER + len(name.encode()) + 4) % _ALIGNMENT
    entry.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
    archive.writestr(entry, data)
