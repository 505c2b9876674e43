"""Planner: plans an inference by its rules, and refuses what needs too much memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from medseg.inference.plan import MemoryLimitError, Plan, free_bytes, gib, network_bytes
from medseg.inference.predictor import layers_of
from medseg.inference.tiling import Tiling

Needed = tuple[int | None, int | None]


@dataclass(frozen=True, kw_only=True)
class Planner:
    """What the plan of an inference follows from, besides the image and the network.

    Attributes:
        tiling: where windows lie.
        batch_size: most windows that go through the network together.
        labels: whether the answer is labels and not logits.
        memory_limit: bytes that may be taken beside image and weights; None for what is free.
        device: where windows are computed; None for where the image is.
    """

    tiling: Tiling
    batch_size: int
    labels: bool
    memory_limit: int | None
    device: torch.device | None
    _known: WeakKeyDictionary[nn.Module, dict[tuple[int, ...], Needed]] = field(
        default_factory=WeakKeyDictionary, repr=False, compare=False
    )

    def plan(self, image: Tensor, network: Callable[..., Tensor]) -> Plan:
        """The plan for images (B, C, *spatial); nothing is computed.

        Raises:
            ValueError: see `Tiling.layout`.
            MemoryLimitError: the memory does not suffice; the setting that would do is named.
        """
        plan = self._unchecked(image, network)
        limit = self.memory_limit
        if limit is None:
            limit = free_bytes(self.device or image.device)
        if limit is not None and plan.needed_bytes > limit:
            raise MemoryLimitError(
                f"inference needs {gib(plan.needed_bytes)} of memory ({plan}), there is "
                f"{gib(limit)}: {self._remedy(plan, limit, image, network)}"
            )
        return plan

    def _unchecked(self, image: Tensor, network: Callable[..., Tensor]) -> Plan:
        layout = self.tiling.layout(image, layers_of(network))
        window = self._of_roi(layout.size)
        count = min(self.batch_size, layout.count)
        shape = (count * image.shape[0], image.shape[1], *window)
        needed, channels = self._network_bytes(network, shape)
        voxels = image.shape[0] * prod(image.shape[2:])
        answer = voxels if self.labels else 4 * voxels * (channels or 1)
        if self.tiling.mode == "blend":
            slab = voxels // image.shape[2 + layout.slowest] * layout.size[layout.slowest]
            answer += 2 * 4 * slab * ((channels or 1) + 1)  # sums and weights, moved by a copy
        return Plan(layout, count, needed, image.numel() * image.element_size(), answer)

    def _of_roi(self, values: Sequence[int]) -> list[int]:
        """Those of the numbers per axis of the image that `roi_size` has too."""
        along = self.tiling.slice_axis(len(values))
        return [value for axis, value in enumerate(values) if axis != along]

    def _network_bytes(self, network: Callable[..., Tensor], shape: tuple[int, ...]) -> Needed:
        """See `network_bytes`; worked out once for a network and a shape."""
        module = layers_of(network)
        if module is None:
            return network_bytes(network, shape)
        known = self._known.setdefault(module, {})
        if shape not in known:
            known[shape] = network_bytes(network, shape)
        return known[shape]

    def _remedy(self, plan: Plan, limit: int, image: Tensor, network: Callable[..., Tensor]) -> str:
        if plan.answer_bytes > limit:
            return "take a machine with more memory" if self.labels else "pass output='labels'"
        for other in self._smaller(plan, image, network):
            smaller = other._unchecked(image, network)
            if smaller.needed_bytes <= limit:
                if other.tiling is self.tiling:
                    return f"pass batch_size {other.batch_size} (windows_per_batch of a bundle)"
                also = " and batch_size 1" if plan.batch_size > 1 else ""
                return f"pass roi_size {other.tiling.roi_size}{also}"
        return "pass a smaller halo, or take more memory"

    def _smaller(
        self, plan: Plan, image: Tensor, network: Callable[..., Tensor]
    ) -> Iterator["Planner"]:
        """Planners that need ever less: fewer windows at a time, then one, ever smaller."""
        for batch in range(plan.batch_size - 1, 0, -1):
            yield replace(self, batch_size=batch)
        step = self.tiling.step(image.ndim - 2, layers_of(network))
        for roi in _shorter(self._of_roi(plan.layout.size), self._of_roi(step)):
            smaller = replace(self, tiling=replace(self.tiling, roi_size=roi), batch_size=1)
            try:
                smaller.tiling.layout(image, layers_of(network))
            except ValueError:  # nothing is left between the halos
                return
            yield smaller


def _shorter(size: Sequence[int], step: Sequence[int]) -> Iterator[list[int]]:
    """Sizes of windows, the longest axis each time an eighth shorter, in whole steps."""
    now = list(size)
    while longest := max((n for n, s in zip(now, step, strict=True) if n > s), default=0):
        axis = next(a for a, n in enumerate(now) if n == longest and n > step[a])
        now[axis] = max((longest - max(longest // 8, 1)) // step[axis], 1) * step[axis]
        yield list(now)
