"""Planned inferer: plan the memory of an inference whose windows one of MONAI's inferers makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monai.inferers import Inferer, SimpleInferer, SliceInferer, SlidingWindowInferer
from monai.utils import fall_back_tuple
from torch import Tensor

from medseg.inference.tiles.inferer import OverlapTileInferer
from medseg.inference.tiles.memory_plan import MemoryLimitError, Plan

_REMEDY = (
    "lower --inferer#sw_batch_size or --inferer#roi_size where the config has them, or use a "
    "machine with more memory"
)


class PlannedInferer(Inferer):
    """Runs another inferer as it is, after a plan where its windows are known.

    They are those of MONAI's `SimpleInferer`, `SlidingWindowInferer` and `SliceInferer`.

    Args:
        inferer: of MONAI's interface.
        memory_limit: see `OverlapTileInferer`.

    Raises:
        MemoryLimitError: in `plan`, the memory does not suffice.
    """

    def __init__(self, inferer: Inferer, *, memory_limit: int | str | None = None) -> None:
        super().__init__()
        self.inferer = inferer
        self.memory_limit = memory_limit

    def __call__(
        self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any
    ) -> Tensor:
        return self.inferer(inputs, network, *args, **kwargs)

    def plan(self, images: Tensor, network: Callable[..., Tensor]) -> Plan | None:
        """The windows and memory for images (B, C, *spatial); None where they are not known."""
        settings = self._find_windows(images)
        if settings is None:
            return None
        same = OverlapTileInferer(mode="blend", memory_limit=self.memory_limit, **settings)
        try:
            return same.plan(images.float(), network)
        except MemoryLimitError as error:
            raise MemoryLimitError(error.finding, _REMEDY) from None

    def _find_windows(self, images: Tensor) -> dict[str, Any] | None:
        """The same windows as arguments of `OverlapTileInferer`."""
        kind, size = type(self.inferer), list(images.shape[2:])
        if kind is SimpleInferer:
            return {"roi_size": size, "overlap": 0.0}
        if not isinstance(self.inferer, SlidingWindowInferer):
            return None
        along = self.inferer.spatial_dim if kind is SliceInferer else None
        if kind not in (SliceInferer, SlidingWindowInferer):
            return None
        sizes = [n for axis, n in enumerate(size) if axis != along]
        roi = getattr(self.inferer, "orig_roi_size", self.inferer.roi_size)
        overlap = self.inferer.overlap
        return {
            "roi_size": list(fall_back_tuple(roi, sizes)),
            "overlap": overlap if isinstance(overlap, float) else max(overlap),
            "batch_size": int(self.inferer.sw_batch_size),
            "slices": along,
        }
