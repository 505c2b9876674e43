"""Slices: the 2D slices of 3D volumes as a dataset that decompresses every volume once.

Drawing random slices from compressed volumes would decompress a whole volume for each of them. Here
each volume is read once, checked, and written as one uncompressed array with the slice index first;
a slice is then one contiguous read through a memory map (`docs/explanation/slices.md` has the
measurement). A changed source file or another `load` makes a new copy.
"""

import json
import logging
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose
from monai.transforms.traits import RandomizableTrait
from monai.utils import ensure_tuple
from torch.utils.data import Dataset

from medseg.base.files import whole
from medseg.base.scratch import remove_abandoned
from medseg.base.text import name_cases
from medseg.transforms.cache_key import compute_fingerprint, describe
from medseg.transforms.refused_cases import read_all
from medseg.transforms.stored_dataset import name_keys_of_cache

logger = logging.getLogger(__name__)

_DTYPES = (np.uint8, np.int16, np.uint16)
_LONGEST_NAME = 100  # of a case in the name of its copy, which the fingerprint makes its own


class SliceDataset(Dataset):
    """2D slices, along one axis, of the volumes of a datalist.

    An item is a dictionary: each of `keys` as a (C, I, J) float32 tensor, of the two other axes in
    their order, with the affine of its slice, and the case's other entries, with `slice` the index
    of the slice. It then goes through `transform`.

    A copy takes one or two bytes a voxel where the values are whole numbers of uint8, int16 or
    uint16, else four. Copies are named after case, source files and `load`; several processes may
    share the folder. Copies that no run uses any more are left there: delete the folder at will.

    Args:
        data: cases, dictionaries that hold file names under `keys`; one without a name under
            "case" is named after its image.
        load: deterministic transform of a case to (C, I, J, K) volumes under `keys`, all of one
            spatial shape. It runs in several threads.
        transform: applied to each slice (windowing, augmentation).
        cache_dir: folder of the uncompressed copies; made if absent.
        keys: the image keys, the label key last; a single key is an image without label.
        background: slices without foreground kept, as a fraction of those with it, evenly spaced
            over the volume. A volume without any foreground keeps all its slices.
        foreground: the label values that are foreground, such as `list_target_values(classes)`;
            None for every value but 0.
        step: take every `step`-th of these slices only, to make validation cheap.
        axis: of the volume that is cut along, 0, 1 or 2.
        num_workers: volumes that are prepared at the same time.

    Raises:
        ValueError: no case, a `load` that is random, or cases that `load` refuses: all of them are
            named, with their reason.

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
        foreground: Collection[int] | None = None,
        step: int = 1,
        axis: int = 2,
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
        _check_deterministic(load)
        self.transform = transform
        self.keys = tuple(keys)
        remove_abandoned(cache_dir)
        self.axis = axis
        copies = _Copies(load, describe(load), Path(cache_dir), self.keys, axis)
        self.volumes = read_all(copies.make, name_cases(data), threads=num_workers)
        self.index = [
            (v, k)
            for v, volume in enumerate(self.volumes)
            for k in choose_slices(
                _mark_foreground(volume["about"]["values"], foreground), background=background
            )[::step]
        ]
        logger.info("%d slices of %d volumes are used", len(self.index), len(self.volumes))

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> Any:
        v, k = self.index[item]
        volume = self.volumes[v]
        out = {**volume["case"], "slice": k}
        affine = _move_to_slice(volume["about"]["affine"], k, axis=self.axis)
        for key in self.keys:
            # opened anew: 0.2 ms a slice, against file handles held by every worker
            plane = np.load(volume["files"][key], mmap_mode="r")[k]
            out[key] = MetaTensor(torch.from_numpy(plane.astype(np.float32)), affine=affine)
        return out if self.transform is None else self.transform(out)


def choose_slices(labelled: Sequence[bool], *, background: float) -> list[int]:
    """Indices of the labelled slices and of evenly spaced others, in order.

    Args:
        labelled: whether each slice holds any label.
        background: number of other slices, as a fraction of the labelled ones, rounded up. Where
            no slice is labelled, all are taken.

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


def _check_deterministic(load: Callable) -> None:
    steps = load.flatten().transforms if isinstance(load, Compose) else [load]
    random = [type(step).__name__ for step in steps if isinstance(step, RandomizableTrait)]
    if random:
        raise ValueError(
            f"load is done once and kept, so it cannot be random, got {', '.join(random)}: "
            "move random transforms to `transform`"
        )


@dataclass(frozen=True)
class _Copies:
    """The memory-mapped copies of cases in a folder; the side file marks a copy as whole."""

    load: Callable
    description: str
    cache_dir: Path
    keys: tuple[str, ...]
    axis: int

    def make(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """The copy of a case, made where it is missing; the side file is written last."""
        name = re.sub(r"[^\w.-]", "_", str(case["case"]), flags=re.ASCII)[:_LONGEST_NAME]
        along = f", axis {self.axis}" if self.axis != 2 else ""
        digest = compute_fingerprint(_list_sources(case, self.keys), self.description + along)
        stem = f"{name}-{digest}"
        side = self.cache_dir / f"{stem}.json"
        files = {key: self.cache_dir / f"{stem}-{key}.npy" for key in self.keys}
        about = _read_side(side)
        if about is None or not all(path.exists() for path in files.values()):
            volumes = self.load(dict(case))
            affine = getattr(volumes[self.keys[0]], "affine", np.eye(4))
            with name_keys_of_cache():
                values = _write_volumes(volumes, files, axis=self.axis)
                about = {"values": values, "affine": np.asarray(affine, dtype=float).tolist()}
                with whole(side) as partial:
                    partial.write_text(json.dumps(about))
        plain = {k: v for k, v in case.items() if k not in self.keys}
        return {"case": plain, "files": files, "about": about}


def _list_sources(case: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[Path]:
    for key in keys:
        if key not in case:
            raise ValueError(f"it names no {key}: add the file, or leave {key} out of keys")
        yield from map(Path, ensure_tuple(case[key]))


def _read_side(side: Path) -> dict[str, Any] | None:
    """What a side file knows: the label values of each slice, and the affine of the volume.

    None if it is absent or of another version.
    """
    about = json.loads(side.read_text()) if side.exists() else {}
    return about if about.keys() >= {"values", "affine"} else None


def _move_to_slice(affine: Sequence[Sequence[float]], index: int, *, axis: int = 2) -> torch.Tensor:
    """The affine of a slice: its pixel (i, j) is the voxel (i, j, index) of the volume.

    Along another axis, (index, i, j) or (i, index, j).
    """
    moved = torch.tensor(affine, dtype=torch.float64)
    moved[:3, 3] += index * moved[:3, axis]
    order = [*(a for a in range(3) if a != axis), axis, 3]
    return moved[:, order]


def _mark_foreground(
    values: Sequence[Sequence[float]], foreground: Collection[int] | None
) -> list[bool]:
    """Whether each slice holds foreground."""
    if foreground is None:
        return [any(value != 0 for value in found) for found in values]
    return [not set(foreground).isdisjoint(found) for found in values]


def _write_volumes(
    volumes: Mapping[str, Any], files: Mapping[str, Path], *, axis: int
) -> list[list[float]]:
    """Write each volume; the values in each slice of the last one, the label."""
    arrays = {key: np.asarray(volumes[key]) for key in files}
    shapes = {array.shape[1:] for array in arrays.values()}
    if len(shapes) > 1:
        raise ValueError(f"{' and '.join(files)} differ in shape, {shapes}: bring them to one grid")
    for key, path in files.items():
        _write_slices(path, arrays[key], axis=axis)
    label = arrays[list(files)[-1]]
    if len(files) == 1:
        return [[] for _ in range(label.shape[axis + 1])]
    return [np.unique(plane).tolist() for plane in np.moveaxis(label, axis + 1, 0)]


def _write_slices(path: Path, volume: np.ndarray, *, axis: int) -> None:
    """Write (C, I, J, K) as (K, C, I, J), of another axis likewise, in the smallest type that holds
    every value exactly."""
    slices = np.moveaxis(volume, axis + 1, 0)
    with whole(path) as partial:
        np.save(partial, np.ascontiguousarray(slices, dtype=_find_smallest_dtype(slices)))


def _find_smallest_dtype(slices: np.ndarray) -> type[np.generic]:
    """One of uint8, int16, uint16; float32 for fractions, other ranges, NaN and infinity."""
    low, high = slices.min(), slices.max()
    for dtype in _DTYPES:
        limits = np.iinfo(dtype)
        if low >= limits.min and high <= limits.max:  # false with NaN
            return dtype if all((s == np.rint(s)).all() for s in slices) else np.float32
    return np.float32
