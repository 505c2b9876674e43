"""Tiling: the rules by which windows are laid on an image for a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from medseg.base.arguments import check_choice, check_integers, is_finite_number, repeat_per_axis
from medseg.inference.tiles.halo import find_halo
from medseg.inference.tiles.skip import Skip, find_bounding_box
from medseg.inference.tiles.windows import (
    EDGES,
    Axis,
    Layout,
    blend_axis,
    crop_axis,
    crop_whole_windows,
    round_up,
)
from medseg.networks.output import takes_window_statistics

MODES = ("crop", "blend")

Numbers = int | Sequence[int]
PerAxis = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """The arguments of `OverlapTileInferer` that say where windows lie, with their meaning there.

    Raises:
        ValueError: one is out of range.

    Example:
        >>> tiling = Tiling(roi_size=64, halo=8)
        >>> tiling.make_layout(torch.zeros(1, 1, 100, 40), None).size
        (50, 56)
    """

    roi_size: Numbers
    mode: str = "crop"
    halo: Numbers | str = "auto"
    edge: str = "mirror"
    overlap: float = 0.25
    even: bool = False
    slices: int | None = None
    stride: Numbers | str = "auto"
    skip: Skip | None = None

    def __post_init__(self) -> None:
        check_choice("mode", self.mode, MODES)
        check_choice("edge", self.edge, EDGES)
        rule = "a window must have 1 voxel or more along each axis"
        check_integers("roi_size", self.roi_size, least=1, rule=rule)
        for name, least in (("halo", 0), ("stride", 1)):
            value = getattr(self, name)
            if value != "auto":
                rule = f"{name} must be {least} or more, or 'auto'"
                check_integers(name, value, least=least, rule=rule)
        if not is_finite_number(self.overlap) or not 0 <= self.overlap < 1:
            raise ValueError(
                f"overlap must be 0 or more and below 1, got {self.overlap!r}: pass 0.25"
            )
        if not (self.skip is None or callable(self.skip) or is_finite_number(self.skip)):
            raise ValueError(
                "skip must be None, a finite number that windows must exceed, or a function of a "
                f"window, got {self.skip!r}: pass for instance 0"
            )

    def make_layout(self, image: Tensor, network: nn.Module | None) -> Layout:
        """Where the windows lie on images (B, C, *spatial).

        Args:
            image: its values matter only where `skip` is a number.
            network: its layers give the halo and the stride, where these are "auto"; None if they
                are not known.

        Raises:
            ValueError: numbers of entries that do not fit the image, windows with nothing between
                their halos, or a halo or stride that cannot be worked out.
        """
        size = tuple(image.shape[2:])
        if not size:
            raise ValueError(
                f"images must be (B, C, *spatial), got shape {tuple(image.shape)}: add the axes "
                "that are missing"
            )
        if 0 in image.shape:
            raise ValueError(f"the image is empty, of shape {tuple(image.shape)}: leave it out")
        self._check_axes(len(size), network)
        roi = self._repeat_per_axis(self.roi_size, len(size), "roi_size", of_slices=1)
        if self.mode == "blend":
            lines = [
                blend_axis(n, window=r, overlap=self.overlap, even=self.even)
                for n, r in zip(size, roi, strict=True)
            ]
            layout = Layout(tuple(lines), fill="zero")
            self._check_divides(layout, network)
            self._check_statistics(layout, network)
            return layout
        self._check_stride(network)
        step = self.find_step(len(size), network)
        halo = (0,) * len(size)
        if self._needs_halo(size, roi, step):
            halo = self._repeat_per_axis(
                self._find_halo(network, image, step), len(size), "halo", of_slices=0
            )
        lines = [
            self._make_axis(box, n, window=r, halo=h, step=s)
            for box, n, r, h, s in zip(self._find_boxes(image), size, roi, halo, step, strict=True)
        ]
        fill = "edge" if self.edge == "network" else self.edge
        layout = Layout(tuple(lines), fill=fill, halo=halo)
        if self.edge == "zero":
            self._check_divides(layout, network)
        self._check_statistics(layout, network)
        return layout

    def check_network(self, network: nn.Module) -> None:
        """Refuse windows that do not fit this network whatever the image, before an image is read.

        A network that does not state its stride along each axis passes.

        Raises:
            ValueError: `roi_size` has another number of entries than the network has axes, is
                smaller than its stride, is no multiple of it where windows keep it, or shrinks to
                one voxel before a layer that takes statistics of its window.
        """
        own = getattr(network, "total_stride", 1)
        if isinstance(own, int):
            return
        repeat_per_axis(self.roi_size, len(own), "roi_size")
        axes = len(own) + (self.slices is not None)
        step = self.find_step(axes, network)
        roi = self._repeat_per_axis(self.roi_size, axes, "roi_size", of_slices=1)
        if self.mode == "blend":
            lines = tuple(blend_axis(n, window=n, overlap=self.overlap) for n in roi)
            layout = Layout(lines, fill="zero")
            self._check_divides(layout, network)
            self._check_statistics(layout, network)
        elif any(n < s for n, s in zip(roi, step, strict=True)):
            raise ValueError(
                f"roi_size {self.roi_size} is smaller than the network's stride {list(own)}: pass "
                "the stride or more along each axis, such as the size of the training patches"
            )

    def _check_axes(self, axes: int, network: nn.Module | None) -> None:
        """Refuse a network of another number of axes than the windows have."""
        own = getattr(network, "total_stride", 1)
        windows = axes - (self.slices is not None)
        if isinstance(own, int) or len(own) == windows:
            return
        remedy = "pass an image of as many axes"
        if len(own) == axes:
            remedy = "pass slices=None"
        elif len(own) == windows - 1:
            remedy = "pass slices, the axis along which it goes slice by slice"
        raise ValueError(f"the network is {len(own)}D, the windows are {windows}D: {remedy}")

    def _check_stride(self, network: nn.Module | None) -> None:
        """Refuse a network with strides that does not state its total stride."""
        if self.stride != "auto" or network is None or hasattr(network, "total_stride"):
            return
        if any(_is_strided(layer) for layer in network.modules()):
            raise ValueError(
                f"a {type(network).__name__} has layers of stride 2 or more and no total_stride: "
                "pass stride, the product of those on the way down"
            )

    def _check_divides(self, layout: Layout, network: nn.Module | None) -> None:
        """Refuse windows whose size is no multiple of the stride of a network that does not pad."""
        step = self.find_step(len(layout.size), network)
        fits = [round_up(n, s) for n, s in zip(layout.size, step, strict=True)]
        if getattr(network, "pad_input", False) or list(layout.size) == fits:
            return
        along = self.slice_axis(len(step))
        stride, least = (
            [n for axis, n in enumerate(numbers) if axis != along] for numbers in (step, fits)
        )
        raise ValueError(
            f"roi_size must be a multiple of the network's stride {stride} where windows keep it, "
            f"got {self.roi_size}: pass {least}"
        )

    def _check_statistics(self, layout: Layout, network: nn.Module | None) -> None:
        """Refuse windows that shrink to one voxel before a layer that takes statistics of them."""
        step = self.find_step(len(layout.size), network)
        along = self.slice_axis(len(step))
        larger = [n > s for n, s in zip(layout.size, step, strict=True)]
        if any(axis != along and more for axis, more in enumerate(larger)):
            return
        if network is None or not takes_window_statistics(network):
            return
        size, least = ("x".join(map(str, n)) for n in (layout.size, [2 * s for s in step]))
        raise ValueError(
            f"windows of {size} shrink to one voxel at the deepest level, and the norm cannot "
            f"compute a mean and a spread from one value: pass an image and a roi_size of "
            f"more voxels, such as {least}"
        )

    def find_step(self, axes: int, network: nn.Module | None) -> tuple[int, ...]:
        """The network's stride per axis of an image: sizes of windows are multiples of it."""
        return self._repeat_per_axis(self._find_stride(network), axes, "stride", of_slices=1)

    def slice_axis(self, axes: int) -> int | None:
        """The axis of an image along which a 2D network goes, None for no such axis.

        Raises:
            ValueError: the image has no such axis.
        """
        if self.slices is None:
            return None
        if not -axes <= self.slices < axes:
            raise ValueError(
                f"slices must be an axis of the image, 0 to {axes - 1}, got {self.slices}: pass "
                f"{axes - 1}"
            )
        return self.slices % axes

    def _needs_halo(self, size: Sequence[int], roi: Sequence[int], step: Sequence[int]) -> bool:
        """Whether the halo matters. If it does not, it is not worked out, since that takes long."""
        along = self.slice_axis(len(size))
        axes = enumerate(zip(size, roi, step, strict=True))
        fits = all(axis == along or round_up(n, s) <= r // s * s for axis, (n, r, s) in axes)
        whole = self.skip is None or callable(self.skip)
        return not (fits and whole and self.edge == "network")

    def _make_axis(
        self, box: tuple[int, int], size: int, *, window: int, halo: int, step: int
    ) -> Axis:
        """Windows over the box along one axis, with context from the image around the box."""
        first, stop = box
        around = 0 if self.edge == "mirror" else halo
        least = min(2 * step, size)  # of one stride, one voxel would be left to the norm
        start = max(min(first - around, size - least), 0) // step * step
        stop = max(min(stop + around, size), start + least)
        if self.edge == "zero":
            return crop_whole_windows(stop - start, window=window, halo=halo).shift(start)
        axis = crop_axis(stop - start, window=window, halo=halo, step=step, edge=self.edge)
        return axis.shift(start)

    def _find_boxes(self, image: Tensor) -> list[tuple[int, int]]:
        if self.skip is None or callable(self.skip):
            return [(0, n) for n in image.shape[2:]]
        return find_bounding_box(image, self.skip)

    def _repeat_per_axis(
        self, value: Numbers, axes: int, name: str, *, of_slices: int
    ) -> tuple[int, ...]:
        """One number per axis of the image, `of_slices` for the axis of the slices."""
        along = self.slice_axis(axes)
        if along is None:
            return repeat_per_axis(value, axes, name)
        values = list(repeat_per_axis(value, axes - 1, name))
        return (*values[:along], of_slices, *values[along:])

    def _find_stride(self, network: nn.Module | None) -> Numbers:
        if not isinstance(self.stride, str):
            return self.stride
        stride = getattr(network, "total_stride", 1)
        return stride if isinstance(stride, int) else [int(s) for s in stride]

    def _find_halo(self, network: nn.Module | None, image: Tensor, step: Sequence[int]) -> Numbers:
        along = self.slice_axis(len(step))
        stride = tuple(s for axis, s in enumerate(step) if axis != along)
        return find_halo(self.halo, network, in_channels=image.shape[1], stride=stride)


def check_windows(inferer: Any, network: nn.Module) -> None:
    """Ask an inferer that has a `Tiling` to check its windows for a network; others pass.

    Raises:
        ValueError: see `Tiling.check_network`.
    """
    tiling = getattr(inferer, "tiling", None)
    if isinstance(tiling, Tiling):
        tiling.check_network(network)


def _is_strided(layer: nn.Module) -> bool:
    stride = getattr(layer, "stride", None)
    return any(n > 1 for n in (stride if isinstance(stride, tuple) else (stride or 1,)))
