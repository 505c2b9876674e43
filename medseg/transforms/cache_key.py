"""Cache key: a short text that changes when files, or the transform that reads them, change."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any

import monai
import numpy as np
import torch
from monai.transforms import Transform

import medseg
from medseg.base.channels.case_paths import list_paths

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_TEXT_HEADERS = (".mhd", ".nhdr")
_PAIRS = (".hdr", ".hdr.gz", ".img", ".img.gz")
_HEADER_BYTES = 2**20
_STATE = {"R", "_tracing"}
"""Attributes of MONAI's transforms that are not settings: random state, and what it records."""


def compute_fingerprint(paths: Iterable[Path], description: str) -> str:
    """Name the result of a transform for `paths`: 16 hexadecimal digits, equal in every process.

    Files count by absolute path, size and time of change; a folder by all files below it, and a
    header whose voxels lie in other files by these too. The versions of medseg and MONAI count.

    Args:
        paths: files and folders.
        description: of the transform, from `describe`.

    Raises:
        FileNotFoundError: a path does not exist.

    Example:
        >>> compute_fingerprint([Path("ct.nii")], describe(LoadImaged("image")))  # doctest: +SKIP
        '5a0e1f6c3d2b9a87'
    """
    text = [medseg.__version__, monai.__version__, description]
    for path in paths:
        found = path.absolute()
        files = (
            sorted(p for p in found.rglob("*") if p.is_file())
            if found.is_dir()
            else _find_voxel_files(found)
        )
        for file in files:
            stat = file.stat()
            text.append(f"{file}:{stat.st_size}:{stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(text).encode()).hexdigest()[:16]


def _find_voxel_files(path: Path) -> list[Path]:
    """List a file, and every file beside or below it that may hold its voxels."""
    name, text = path.name.lower(), ""
    if name.endswith(_TEXT_HEADERS):
        text = path.read_bytes()[:_HEADER_BYTES].decode("latin-1")
        beside = (p for p in path.parent.rglob("*") if p.name in text or "%" in text)
    elif name.endswith(_PAIRS):
        stem = re.sub(r"\.(hdr|img)(\.gz)?$", "", path.name, flags=re.IGNORECASE)
        beside = (p for p in path.parent.iterdir() if p.name.startswith(f"{stem}."))
    else:
        return [path]
    return sorted({path, *(p for p in beside if p.is_file())})


class CaseHash:
    """`hash_func` of `StoredDataset` and MONAI's `PersistentDataset`: when a case is read anew.

    MONAI's own hash knows the names of a case's files alone: a file of another content, or a `load`
    of other settings, would find what the old one left.

    Args:
        load: the deterministic transform whose result is kept.

    Example:
        >>> PersistentDataset(cases, load, "cache", hash_func=CaseHash(load))  # doctest: +SKIP
    """

    def __init__(self, load: Any) -> None:
        self.description = describe(load)

    def __call__(self, case: Mapping[str, Any]) -> bytes:
        """The name, in ASCII, of what `load` makes of a case, whose files are those that exist."""
        found = [v.values() if isinstance(v, Mapping) else [v] for v in case.values()]
        values = [value for each in found for value in each]
        paths = [path for value in values for path in list_paths(value) if os.path.exists(path)]
        files = [Path(path) for path in paths]
        return compute_fingerprint(files, "\n".join([self.description, *map(str, values)])).encode()


def describe(value: Any) -> str:
    """A transform, its settings and theirs in turn, as text without memory addresses.

    Code and captured variables of functions count; what a transform remembers of its calls does
    not, so that the text is the same before its first call and after.
    """
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{describe(k)}:{describe(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (set, frozenset)):
        return "set[" + ",".join(sorted(map(describe, value))) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(describe, value)) + "]"
    if isinstance(value, (np.ndarray, torch.Tensor)):
        array = np.ascontiguousarray(value)
        return f"array {array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
    if isinstance(value, (FunctionType, MethodType, CodeType, partial)):
        return describe(_list_parts(value))
    if isinstance(value, Transform) or type(value).__repr__ is object.__repr__:
        settings = {k: v for k, v in sorted(vars(value).items()) if k not in _STATE}
        return f"{type(value).__module__}.{type(value).__qualname__}{describe(settings)}"
    return _ADDRESS.sub("", repr(value))


def _list_parts(value: Any) -> list[Any]:
    """What a callable does: its code, constants, defaults and captured values."""
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, CodeType):
        return [value.co_name, value.co_code.hex(), value.co_names, value.co_consts]
    captured = [cell.cell_contents for cell in value.__closure__ or ()]
    return [value.__module__, value.__code__, value.__defaults__, value.__kwdefaults__, captured]
