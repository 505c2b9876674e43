"""Canvas: takes the logits of an image box by box, and keeps only what is asked for.

A voxel that no box covers is background: there its logit is 0 and that of every class is `ABSENT`.
"""

import errno
import mmap
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from medseg.base.files import whole
from medseg.networks.class_guide import ABSENT
from medseg.transforms.classes import make_label_map

Box = tuple[slice, ...]


class Canvas(Protocol):
    """Collects the result for an image."""

    def put(self, box: Box, logits: Tensor) -> None:
        """Take the logits, (B, C, *size of the box), of a box; boxes never overlap."""

    def get_result(self) -> Tensor:
        """Return the result, once every box was given."""


class LogitsCanvas:
    """Keeps all logits, (B, C, *size), in the type of the first ones.

    Args:
        size: of the image, per axis.
        regions: see `fill_background`.
        device: where they are kept.
    """

    def __init__(self, size: Sequence[int], *, regions: bool, device: torch.device) -> None:
        self.size = tuple(size)
        self.regions = regions
        self.device = device
        self._logits: Tensor | None = None

    def put(self, box: Box, logits: Tensor) -> None:
        """Keep the logits; the first ones set the number of classes and the type."""
        if self._logits is None:
            shape = (*logits.shape[:2], *self.size)
            empty = torch.empty(shape, dtype=logits.dtype, device=self.device)
            self._logits = fill_background(empty, regions=self.regions)
        place = (slice(None), slice(None), *box)
        self._logits[place] = logits.to(self.device)

    def get_result(self) -> Tensor:
        """The logits of all boxes.

        Raises:
            ValueError: no box was given.
        """
        if self._logits is None:
            raise ValueError(
                "skip excluded every window, so the number of classes is unknown: pass a skip that "
                "excludes fewer windows"
            )
        return self._logits


class LabelCanvas:
    """Keeps only the most likely class of each voxel, uint8, (B, 1, *size).

    Args:
        shape: (B, *size) of the images.
        regions: whether the channels are the sigmoid logits of regions, see `make_label_map`.
        device: where the labels are kept.
    """

    def __init__(self, shape: Sequence[int], *, regions: bool, device: torch.device) -> None:
        self.regions = regions
        self._label = torch.zeros(shape, dtype=torch.uint8, device=device).unsqueeze(1)

    def put(self, box: Box, logits: Tensor) -> None:
        """Keep the classes of the box."""
        for label, each in zip(self._label, logits, strict=True):
            label[0][box] = make_label_map(each, regions=self.regions)[0].to(label)

    def get_result(self) -> Tensor:
        """The classes of all boxes; 0, the background, where no box lay."""
        return self._label


class ProbabilityFile:
    """Writes the probabilities of one image, float16, (C, *size), into a .npy file as they come.

    The file is mapped into memory, and what a box wrote is handed to the system at once. Its whole
    length is reserved on the disk at the first box, so a disk that is too small is noticed then.

    Args:
        path: of the file, which is made.
        canvas: receives the same logits, and gives the result.
        size: of the image, per axis.
        regions: whether the channels are the sigmoid logits of regions.
        axis: along which boxes come. If it is the last, the file is in Fortran order, so that the
            voxels of a box lie together.
        filled: fill the file with the background first, for voxels that no box covers.

    Raises:
        OSError: in `put`, the disk has no room.
    """

    def __init__(
        self,
        path: Path,
        canvas: Canvas,
        *,
        size: Sequence[int],
        regions: bool,
        axis: int = 0,
        filled: bool = True,
    ) -> None:
        self.path = path
        self.canvas = canvas
        self.size = tuple(size)
        self.regions = regions
        self.axis = axis
        self.filled = filled
        self._values: np.memmap | None = None

    def put(self, box: Box, logits: Tensor) -> None:
        """Write the probabilities of the box, and pass the logits on."""
        if logits.shape[0] != 1:
            raise ValueError(
                f"probabilities must be written for one image at a time, got {logits.shape[0]}: "
                "pass them one by one"
            )
        if self._values is None:
            last = self.axis == len(self.size) - 1
            self._values = _reserve(self.path, (logits.shape[1], *self.size), fortran=last)
            if self.filled and logits.shape[1] > 1 and not self.regions:
                planes = np.moveaxis(self._values[0], self.axis, 0)
                for plane in range(len(planes)):
                    planes[plane] = 1
                    _release_pages(self._values)
        values = to_probabilities(logits[0], regions=self.regions)
        place = (slice(None), *box)
        self._values[place] = values.to(torch.float16).cpu().numpy()
        _release_pages(self._values)
        self.canvas.put(box, logits)

    def get_result(self) -> Tensor:
        """Return the result of the other canvas, once all probabilities are on the disk."""
        if self._values is not None:
            self._values.flush()
        return self.canvas.get_result()


@contextmanager
def open_probability_file(
    path: str | os.PathLike, canvas: Canvas, **options: Any
) -> Iterator[ProbabilityFile]:
    """A `ProbabilityFile` that is at `path` once the block has ended without an error."""
    with whole(path) as partial:
        yield ProbabilityFile(partial, canvas, **options)


def to_probabilities(logits: Tensor, *, regions: bool) -> Tensor:
    """Sigmoid of one channel and of regions, softmax of several classes; float32, (C, *spatial).

    Example:
        >>> to_probabilities(torch.zeros(2, 1), regions=False).flatten().tolist()
        [0.5, 0.5]
    """
    logits = logits.float()
    return logits.sigmoid() if regions or logits.shape[0] == 1 else logits.softmax(0)


def fill_background(logits: Tensor, *, regions: bool) -> Tensor:
    """Fill (B, C, *spatial) with the logits of the background, and return it.

    Several channels that are not regions have one for the background, the first.
    """
    logits.fill_(ABSENT)
    if not regions and logits.shape[1] > 1:
        logits[:, 0] = 0
    return logits


def _reserve(path: Path, shape: tuple[int, ...], *, fortran: bool) -> np.memmap:
    """Make a .npy file of float16 zeros whose blocks are reserved on the disk. In a file with
    holes, a write through the map would kill the process if the disk is full."""
    values = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float16, shape=shape, fortran_order=fortran
    )
    size = path.stat().st_size
    with path.open("r+b") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        elif disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return values


def _release_pages(values: np.memmap) -> None:
    """Release the pages of a mapped file from this process; what was written stays in the file."""
    pages = values.base
    if isinstance(pages, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)
