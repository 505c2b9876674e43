"""Loaded dataset: cases that are read once, kept, and transformed anew each time."""

import os
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, Protocol, TypeVar

from monai.data import CacheDataset
from monai.data import Dataset as MonaiDataset
from monai.transforms import Transform
from torch.utils.data import Dataset
from tqdm import tqdm

from medseg.base.console_streams import is_on_terminal
from medseg.base.memory import find_available_bytes
from medseg.base.text import count_noun, name_cases
from medseg.transforms.refused_cases import (
    ReadOrExplain,
    Refusal,
    raise_if_refused,
    read_or_explain,
)
from medseg.transforms.stored_dataset import StoredDataset

_FEWEST_READ = 3
"""So many cases tell how much memory all take."""


class _HasTransform(Protocol):
    transform: Any


_Transformed = TypeVar("_Transformed", bound=_HasTransform)


class LoadedDataset(Dataset):
    """The cases of `data`, each read by `load` and then changed by `transform`.

    `data` alone says which cases there are, as dictionaries of paths, so that another program may
    put its own list in its place; `load` reads them. What was read is kept, `transform` is done
    again each time.

    Args:
        data: cases, dictionaries that hold paths, for instance under "image" and "label"; a case
            without a name under "case" is named after its image.
        load: deterministic transform that reads a case; None where `transform` reads it.
        transform: what is done to it after that, random or not; None gives the case as read.
        cache: where read cases are kept: "memory" (MONAI's `CacheDataset`), "disk" (`StoredDataset`
            in `cache_dir`) or "none".
        cache_dir: folder of the files of "disk".

    Raises:
        ValueError: another word for `cache`, or "disk" without a folder; with "memory" also cases
            that `load` refuses, all of which are named.
        MemoryError: with "memory", the first cases show that all need more than is free.

    Example:
        >>> data = LoadedDataset([{"image": "a.nii.gz"}], load=lambda case: case, cache="none")
        >>> data[0]
        {'image': 'a.nii.gz', 'case': 'a'}
    """

    def __init__(
        self,
        data: Sequence[Mapping[str, Any]],
        load: Callable[[Mapping[str, Any]], Any] | None = None,
        transform: Callable[[Any], Any] | None = None,
        *,
        cache: str = "memory",
        cache_dir: str | os.PathLike | None = None,
    ) -> None:
        self.data = name_cases(data)
        self.loaded = _keep_loaded(self.data, load, cache=cache, cache_dir=cache_dir)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.loaded)

    def __getitem__(self, index: int) -> Any:
        item = self.loaded[index]
        return item if self.transform is None else self.transform(item)

    def check(self) -> None:
        """Read each case once and keep none, to name all at once that cannot be used.

        With "memory" this was done as they were read; with "disk" they are stored on the way.

        Raises:
            ValueError: `load` refuses some; the line names each.
        """
        if not isinstance(self.loaded, CacheDataset):
            everyone = range(len(self))
            places = tqdm(everyone, "reading cases", leave=False, disable=not is_on_terminal())
            raise_if_refused([self._find_refusal(index) for index in places])

    def _find_refusal(self, index: int) -> Refusal | None:
        found = read_or_explain(lambda _: self.loaded[index], self.data[index])
        return found if isinstance(found, Refusal) else None


class _ReadIntoMemory(Transform):
    """Read cases that are kept, and stop as soon as it shows that all do not fit.

    Those that are still to be read are taken to be as small as the smallest so far, so that a few
    large cases at the start do not refuse what would fit.
    """

    def __init__(self, read: Callable[[Any], Any], cases: int) -> None:
        self.read = read
        self.cases = cases
        self.done = 0
        self.kept_bytes = self.smallest_bytes = 0
        self.free = find_available_bytes()

    def __call__(self, data: Any) -> Any:
        self._check()  # before a case is read too: MONAI's threads go on after one has failed
        found = self.read(data)
        size = _count_bytes(found)
        self.done += 1
        self.kept_bytes += size
        if size:  # none where the case could not be read
            self.smallest_bytes = min(self.smallest_bytes or size, size)
        self._check()
        return found

    def _check(self) -> None:
        if self.free is None or self.done < min(_FEWEST_READ, self.cases):
            return
        needed = self.kept_bytes + (self.cases - self.done) * self.smallest_bytes
        if needed > self.free:
            raise MemoryError(
                f"{count_noun(self.cases, 'case')} take at least {needed / 2**30:.3g} GiB of "
                f"memory as read, and {self.free / 2**30:.3g} GiB are free: pass --cache disk "
                "with a --cache_dir that has room, or --cache none"
            )


def _count_bytes(found: Any) -> int:
    """Bytes of the arrays and tensors of a case."""
    values = found.values() if isinstance(found, Mapping) else ()
    return sum(int(getattr(value, "nbytes", 0)) for value in values)


def copy_untransformed(dataset: _Transformed) -> _Transformed:
    """The same cases, or slices, as they are read or stored: without the dataset's `transform`.

    Args:
        dataset: a `LoadedDataset` or a `SliceDataset`; it stays as it is, and what it has read is
            shared.

    Example:
        >>> data = LoadedDataset([{"image": 1}], transform=lambda case: {}, cache="none")
        >>> copy_untransformed(data)[0]["image"]
        1
    """
    plain = copy(dataset)
    plain.transform = None
    return plain


def _keep_loaded(
    cases: Sequence[Mapping[str, Any]],
    load: Callable[[Mapping[str, Any]], Any] | None,
    *,
    cache: str,
    cache_dir: str | os.PathLike | None,
) -> MonaiDataset:
    if load is None or cache == "none":
        return MonaiDataset(cases, load)
    if cache == "memory":
        read = _ReadIntoMemory(ReadOrExplain(load), len(cases))
        kept = CacheDataset(cases, read, progress=is_on_terminal())
        raise_if_refused(kept._cache)
        return kept
    if cache == "disk" and cache_dir is not None:
        return StoredDataset(cases, load, cache_dir)
    raise ValueError(
        f"cache is {cache!r}, with cache_dir {cache_dir}: pass memory, disk or none, and for disk "
        "a folder as cache_dir"
    )
