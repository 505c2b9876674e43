"""Slices: the 2D slices of 3D volumes as a dataset that decompresses every volume once.

Drawing random slices from compressed volumes would decompress a whole volume for each of them. Here
each volume is read once, checked, and written as one uncompressed array with the slice index first;
a slice is then one contiguous read through a memory map (`docs/explanation/slices.md` has the
measurement). A changed source file or another `load` makes a new copy.
"""

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Transform
from torch.utils.data import Dataset
from tqdm import tqdm

from medseg.errors import root_cause

logger = logging.getLogger(__name__)


class SliceDataset(Dataset):
    """2D slices, along the last axis, of the volumes of a datalist.

    An item is a dictionary: each of `keys` as a (C, I, J) float32 tensor, and the case's other
    entries, with `slice` the index of the slice. It then goes through `transform`.

    Args:
        data: cases, dictionaries that hold file names under `keys`, and a `case` name.
        load: deterministic transform of a case to (C, I, J, K) volumes under `keys`, all of one
            spatial shape.
        transform: applied to each slice (windowing, augmentation).
        cache_dir: folder of the uncompressed copies; made if absent. They take two bytes a voxel for
            int16 images and one for labels.
        keys: the image key first, then the label key.
        background: slices without label kept, as a fraction of those with label, evenly spaced over
            the volume. A volume without any labelled slice keeps all its slices.
        step: take every `step`-th slice only, to make validation cheap.
        num_workers: volumes that are prepared at the same time.

    Raises:
        ValueError: no case, or cases that `load` refuses: all of them are named, with their reason.

    Example:
        >>> SliceDataset(cases, load=load, transform=augment, cache_dir="cache/liver")
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        *,
        load: Callable,
        transform: Callable | None = None,
        cache_dir: str | os.PathLike,
        keys: Sequence[str] = ("image", "label"),
        background: float = 0.25,
        step: int = 1,
        num_workers: int = 2,
    ) -> None:
        if not data:
            raise ValueError(
                "a slice dataset needs at least one case, got none: check the datalist"
            )
        if background < 0 or step < 1:
            raise ValueError(
                f"background must be >= 0 and step >= 1, got {background} and {step}: correct them"
            )
        self.transform = transform
        self.keys = tuple(keys)
        self.volumes = _prepare(data, load, Path(cache_dir), self.keys, num_workers)
        self.index = [
            (v, k)
            for v, volume in enumerate(self.volumes)
            for k in choose_slices(volume["labelled"], background=background)[::step]
        ]
        logger.info("%d slices of %d volumes", len(self.index), len(self.volumes))

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> Any:
        v, k = self.index[item]
        volume = self.volumes[v]
        out = {**volume["case"], "slice": k}
        for key in self.keys:
            plane = np.load(volume["files"][key], mmap_mode="r")[k]
            out[key] = MetaTensor(torch.from_numpy(plane.astype(np.float32)))
        return out if self.transform is None else self.transform(out)


def choose_slices(labelled: Sequence[bool], *, background: float) -> list[int]:
    """Indices of the labelled slices and of evenly spaced others, in order.

    Args:
        labelled: whether each slice holds any label.
        background: number of other slices, as a fraction of the labelled ones, rounded up.

    Example:
        >>> choose_slices([False, False, True, True, False, False], background=0.5)
        [0, 2, 3]
    """
    flags = np.asarray(labelled, dtype=bool)
    foreground, others = np.flatnonzero(flags), np.flatnonzero(~flags)
    if len(foreground) == 0:
        return others.tolist()
    count = min(len(others), int(np.ceil(background * len(foreground))))
    picked = others[np.arange(count) * len(others) // max(count, 1)]
    return sorted([*foreground.tolist(), *picked.tolist()])


def _prepare(
    data: Sequence[Mapping[str, Any]],
    load: Callable,
    cache_dir: Path,
    keys: tuple[str, ...],
    num_workers: int,
) -> list[dict[str, Any]]:
    """Copies of all cases, made where they are missing; every refused case is named at once."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    refused: list[str] = []

    def one(case: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            return _copy(case, load, cache_dir, keys)
        except (ValueError, OSError, RuntimeError) as error:
            refused.append(f"case {case.get('case')}: {root_cause(error)}")
            return None

    with ThreadPoolExecutor(max_workers=max(1, num_workers)) as pool:
        volumes = list(tqdm(pool.map(one, data), "reading volumes", len(data), leave=False))
    if refused:
        raise ValueError(f"{len(refused)} of {len(data)} cases refused: " + "; ".join(refused))
    return [volume for volume in volumes if volume is not None]


def _copy(
    case: Mapping[str, Any], load: Callable, cache_dir: Path, keys: tuple[str, ...]
) -> dict[str, Any]:
    """The memory-mapped copy of one case; the side file is written last and marks it as whole."""
    stem = cache_dir / f"{case['case']}-{_fingerprint(case, load, keys)}"
    side = stem.with_name(stem.name + ".json")
    files = {key: stem.with_name(f"{stem.name}-{key}.npy") for key in keys}
    if not side.exists():
        volumes = load(dict(case))
        for key in keys:
            _write_slices(files[key], np.asarray(volumes[key]))
        label = np.asarray(volumes[keys[-1]])
        labelled = label.any(axis=tuple(range(label.ndim - 1))).tolist()
        partial = side.with_name(side.name + f".{os.getpid()}")
        partial.write_text(json.dumps({"labelled": labelled}))
        partial.replace(side)
    labelled = json.loads(side.read_text())["labelled"]
    plain = {k: v for k, v in case.items() if k not in keys}
    return {"case": plain, "files": files, "labelled": labelled}


def _write_slices(path: Path, volume: np.ndarray) -> None:
    """Write (C, I, J, K) as (K, C, I, J) in the smallest exact type of uint8, int16, float32."""
    slices = np.moveaxis(volume, -1, 0)
    for dtype in (np.uint8, np.int16):
        limits = np.iinfo(dtype)
        fits = slices.min() >= limits.min and slices.max() <= limits.max
        if fits and (slices == np.rint(slices)).all():
            break
    else:
        dtype = np.float32
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        np.save(file, np.ascontiguousarray(slices, dtype=dtype))
    partial.replace(path)


def _fingerprint(case: Mapping[str, Any], load: Callable, keys: tuple[str, ...]) -> str:
    """Changes when a source file or the loading transform does."""
    digest = hashlib.sha256(_describe(load).encode())
    for key in keys:
        path = Path(case[key]).resolve()
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            stat = file.stat()
            digest.update(f"{file}:{stat.st_size}:{stat.st_mtime_ns};".encode())
    return digest.hexdigest()[:16]


def _describe(value: Any) -> str:
    """A transform and its settings as text that is the same in every process."""
    if isinstance(value, (list, tuple, set)):
        return "[" + ",".join(_describe(v) for v in value) + "]"
    if isinstance(value, Transform):
        settings = ((k, v) for k, v in sorted(vars(value).items()) if k != "R")
        return type(value).__qualname__ + str([(k, _describe(v)) for k, v in settings])
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
