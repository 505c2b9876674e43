"""Windows: where the windows of an inference lie on an image, and which voxels each one gives.

All of this is arithmetic on one axis at a time; the windows of an image are the product of those of
its axes. A window may reach over the image's edge; its voxels there are filled in from those
inside.
"""

from dataclasses import dataclass
from itertools import pairwise, product
from math import ceil, prod

import torch
from monai.data.utils import dense_patch_slices
from torch import Tensor

from medseg.networks.padding import reflect_indices

EDGES = ("mirror", "network", "zero")


@dataclass(frozen=True)
class Span:
    """One window along one axis, in voxels of the image.

    Attributes:
        start: its first voxel, negative where the window reaches over the near edge.
        first: the first voxel that it gives.
        stop: the voxel after the last that it gives.
    """

    start: int
    first: int
    stop: int


@dataclass(frozen=True)
class Window:
    """One window of an image: a span for each axis."""

    spans: tuple[Span, ...]

    @property
    def given(self) -> tuple[slice, ...]:
        """The voxels of the image that the window gives."""
        return tuple(slice(s.first, s.stop) for s in self.spans)

    @property
    def inner(self) -> tuple[slice, ...]:
        """The same voxels, counted from the window's own start."""
        return tuple(slice(s.first - s.start, s.stop - s.start) for s in self.spans)


@dataclass(frozen=True)
class Axis:
    """The windows along one axis: the size of all of them, and where each one lies."""

    size: int
    spans: tuple[Span, ...]

    def shift(self, by: int) -> "Axis":
        """The same windows, moved on by this many voxels."""
        spans = (Span(s.start + by, s.first + by, s.stop + by) for s in self.spans)
        return Axis(self.size, tuple(spans))


@dataclass(frozen=True)
class Layout:
    """The windows of an image.

    Attributes:
        axes: one per spatial axis.
        fill: what lies beyond the image's edge: "mirror", "edge" (the edge voxel repeated) or
            "zero".
        halo: voxels of context of a window inside the image, per axis; None where windows blend.
    """

    axes: tuple[Axis, ...]
    fill: str
    halo: tuple[int, ...] | None = None

    @property
    def size(self) -> tuple[int, ...]:
        """Voxels of each window, per axis."""
        return tuple(axis.size for axis in self.axes)

    @property
    def count(self) -> int:
        """Number of windows."""
        return prod(len(axis.spans) for axis in self.axes)

    @property
    def slowest(self) -> int:
        """The axis along which windows follow one another: the longest, measured in windows."""
        reach = [axis.spans[-1].stop / axis.size for axis in self.axes]
        return reach.index(max(reach))

    def list_windows(self) -> list[Window]:
        """All windows, ordered by their start along the slowest axis."""
        order = sorted(range(len(self.axes)), key=lambda axis: axis != self.slowest)
        combined = product(*(self.axes[axis].spans for axis in order))
        return [Window(tuple(spans[order.index(a)] for a in sorted(order))) for spans in combined]


def crop_axis(size: int, *, window: int, halo: int, step: int, edge: str) -> Axis:
    """The fewest windows that give each voxel of an axis once, a halo or more from their ends.

    The windows are then made as small as their number allows, and their starts are multiples of
    `step` apart, so that the pooling grids of all windows coincide.

    Args:
        size: of the image.
        window: the largest size of a window.
        halo: the least context on either side; what two windows share, twice the halo, is rounded
            up to a multiple of `step`. With the edge "network" a window at the edge of the image
            has none there.
        step: total stride of the network; sizes of windows are multiples of it.
        edge: "mirror" surrounds the image with a halo of its mirror image, "network" leaves its
            edge to the network's own padding.

    Raises:
        ValueError: the windows are too small: no voxel is a halo away from both ends.

    Example:
        >>> crop_axis(100, window=64, halo=8, step=4, edge="network").spans
        (Span(start=0, first=0, stop=50), Span(start=40, first=50, stop=100))
    """
    over = round_up(halo, step) if edge == "mirror" else 0
    whole = round_up(size + 2 * over, step)
    largest = window // step * step
    if whole <= largest:
        return Axis(whole, (Span(-over, 0, size),))
    overlap = round_up(2 * halo, step)
    if largest <= overlap:
        raise ValueError(_say_too_small(window, halo, least=overlap + step))
    count = ceil((whole - overlap) / (largest - overlap))
    used = round_up(ceil((whole - overlap) / count), step) + overlap
    slack = (whole - used) // step
    starts = [place * slack // (count - 1) * step - over for place in range(count)]
    cuts = [(near + used + far) // 2 for near, far in pairwise(starts)]
    bounds = zip(starts, [0, *cuts], [*cuts, size], strict=True)
    return Axis(used, tuple(Span(start, first, stop) for start, first, stop in bounds))


def crop_whole_windows(size: int, *, window: int, halo: int) -> Axis:
    """The fewest windows of a whole size that give each voxel of an axis once, evenly placed.

    Each voxel is a halo or more from the ends of its window, save at the edge of the image. An
    image smaller than a window has the window centred on it.

    Args:
        size: of the image.
        window: size of a window.
        halo: the least context on either side.

    Raises:
        ValueError: the windows are too small: no voxel is a halo away from both ends.

    Example:
        >>> crop_whole_windows(100, window=64, halo=8).spans
        (Span(start=0, first=0, stop=50), Span(start=36, first=50, stop=100))
    """
    if window <= 2 * halo:
        raise ValueError(_say_too_small(window, halo, least=2 * halo + 1))
    starts = [
        span.start
        for span in blend_axis(size, window=window, overlap=2 * halo / window, even=True).spans
    ]
    cuts = [(near + window + far) // 2 for near, far in pairwise(starts)]
    bounds = zip(starts, [0, *cuts], [*cuts, size], strict=True)
    return Axis(window, tuple(Span(start, first, stop) for start, first, stop in bounds))


def _say_too_small(window: int, halo: int, *, least: int) -> str:
    return (
        f"nothing is left of a window of {window} voxels between halos of {halo}: enlarge "
        f"roi_size to {least} or more, or give a smaller halo"
    )


def blend_axis(size: int, *, window: int, overlap: float, even: bool = False) -> Axis:
    """Overlapping windows; each gives all of its voxels.

    An image smaller than a window has the window centred on it.

    Args:
        size: of the image.
        window: size of a window.
        overlap: the part of a window that overlaps with the next.
        even: all overlap alike, and at least so much, as nnU-Net places them; else as MONAI's
            `sliding_window_inference` does, where the last one overlaps more than the others.

    Example:
        >>> [span.start for span in blend_axis(11, window=4, overlap=0.5).spans]
        [0, 2, 4, 6, 7]
        >>> [span.start for span in blend_axis(11, window=4, overlap=0.5, even=True).spans]
        [0, 2, 4, 5, 7]
    """
    padded = max(size, window)
    near = (padded - size) // 2
    list_starts = _list_even_starts if even else _list_starts
    starts = [start - near for start in list_starts(padded, window, overlap)]
    return Axis(window, tuple(Span(s, max(s, 0), min(s + window, size)) for s in starts))


def _list_starts(size: int, window: int, overlap: float) -> list[int]:
    interval = window if window == size else max(int(window * (1 - overlap)), 1)
    return [int(place.start) for (place,) in dense_patch_slices((size,), (window,), (interval,))]


def _list_even_starts(size: int, window: int, overlap: float) -> list[int]:
    count = ceil((size - window) / max(window * (1 - overlap), 1)) + 1
    return [round((size - window) * place / max(count - 1, 1)) for place in range(count)]


def fetch(image: Tensor, window: Window, layout: Layout) -> Tensor:
    """What the network sees of an image, (B, C, *size of the windows); a view where it can be."""
    for axis, (span, used) in enumerate(zip(window.spans, layout.size, strict=True)):
        image = _take_line(
            image, axis + 2, start=span.start, stop=span.start + used, fill=layout.fill
        )
    return image


def _take_line(image: Tensor, dim: int, *, start: int, stop: int, fill: str) -> Tensor:
    """The voxels from `start` to `stop` along one dimension, also those outside the image."""
    size = image.shape[dim]
    if start >= 0 and stop <= size:
        return image.narrow(dim, start, stop - start)
    place = torch.arange(start, stop, device=image.device)
    if fill == "mirror":
        place = reflect_indices(place, size)
    line = image.index_select(dim, place.clamp(0, size - 1))
    if fill == "zero":
        outside = ((place < 0) | (place >= size)).nonzero().flatten()
        line.index_fill_(dim, outside, 0)
    return line


def round_up(value: int, step: int) -> int:
    """The least multiple of a step that is no less than a value."""
    return ceil(value / step) * step
