"""Planner: plans an inference by its rules, and refuses what needs too much memory."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from medseg.inference.plan import (
    MemoryLimitError,
    Plan,
    device_of,
    free_bytes,
    network_bytes,
    told,
    way_to_run,
)
from medseg.inference.predictor import Predictor, layers_of
from medseg.inference.tiling import Tiling
from medseg.inference.windows import Layout

FILE_WORKSPACE = 10
"""Bytes per probability of a window: as float32, as float16, and the pages of the file."""

MOST_CLASSES = 256
"""Channels of a network whose labels are asked for: they are uint8."""

Needed = tuple[int | None, int | None]


@dataclass(frozen=True, kw_only=True)
class Planner:
    """What the plan of an inference follows from, besides the image and the network.

    Attributes:
        tiling: where windows lie.
        batch_size: most windows that go through the network together.
        labels: whether the answer is labels and not logits.
        probabilities: whether a file of them is written, too.
        flips: whether the logits are the mean over flips.
        channels: that the classes need, None for any number.
        memory_limit: bytes that may be taken beside image and weights, and no more than are free;
            None for what is free.
        device: where windows are computed; None for where the image is.
    """

    tiling: Tiling
    batch_size: int
    labels: bool
    probabilities: bool
    flips: bool
    channels: int | None
    memory_limit: int | None
    device: torch.device | None
    _known: WeakKeyDictionary[nn.Module, dict[Hashable, Needed]] = field(
        default_factory=WeakKeyDictionary, repr=False, compare=False
    )

    def plan(self, image: Tensor, network: Callable[..., Tensor]) -> Plan:
        """The plan for images (B, C, *spatial); nothing is computed.

        Raises:
            ValueError: see `Tiling.layout`.
            MemoryLimitError: the memory does not suffice; the setting that would do is named.
        """
        plan = self._unchecked(image, network)
        if lack := self._lack(plan, image, network):
            needed, there = lack
            raise MemoryLimitError(
                f"inference needs {told(needed)} of memory ({plan}), there is {told(there)}: "
                f"{self._remedy(plan, image, network, limited=there == self.memory_limit)}"
            )
        return plan

    def _lack(
        self, plan: Plan, image: Tensor, network: Callable[..., Tensor]
    ) -> tuple[int, int] | None:
        """What is needed of a memory and what there is, where that does not suffice.

        Windows are computed where the network is, and the answer is kept where the image is. A
        limit is for all of it; of what is free, no more is needed than this process has not yet.
        """
        at = self.device or device_of(network) or image.device
        limits = [(plan.needed_bytes, self.memory_limit)]
        held = isinstance(network, Predictor) and network.holds(
            self._shape(plan.batch_size, plan.layout, image)
        )
        further = 0 if held else plan.network_bytes or 0
        if at == image.device:
            limits.append((further + plan.answer_bytes, free_bytes(at)))
        else:
            limits.append((further, free_bytes(at)))
            limits.append((plan.answer_bytes, free_bytes(image.device)))
        short = ((needed, there) for needed, there in limits if there is not None)
        return next(((needed, there) for needed, there in short if needed > there), None)

    def _unchecked(self, image: Tensor, network: Callable[..., Tensor]) -> Plan:
        layout = self.tiling.layout(image, layers_of(network))
        count = min(self.batch_size, layout.count)
        needed, channels = self._network_bytes(network, self._shape(count, layout, image))
        if None not in (channels, self.channels) and channels != self.channels:
            raise ValueError(
                f"the classes need {self.channels} channels, the network gives {channels}: load "
                "the weights and the classes of one training"
            )
        if self.labels and (channels or 1) > MOST_CLASSES:
            raise ValueError(
                f"labels are 0 to {MOST_CLASSES - 1}, the network gives {channels} channels: pass "
                "output='logits'"
            )
        classes = channels or 1
        return Plan(
            layout,
            count,
            needed,
            image.numel() * image.element_size(),
            self._answer_bytes(layout, count, image, classes),
            2 * image[:, 0].numel() * classes if self.probabilities else 0,
        )

    def _shape(self, count: int, layout: Layout, image: Tensor) -> tuple[int, ...]:
        """Of so many windows, as the network is given them."""
        return (count * image.shape[0], image.shape[1], *self._of_roi(layout.size))

    def _answer_bytes(self, layout: Layout, count: int, image: Tensor, classes: int) -> int:
        """See `Plan.answer_bytes`."""
        voxels = image[:, 0].numel()
        window = count * image.shape[0] * prod(layout.size)
        answer = voxels if self.labels else 4 * voxels * classes
        if self.probabilities:
            answer += FILE_WORKSPACE * window * classes
        if self.tiling.mode == "blend":
            along, length = image.shape[2 + layout.slowest], layout.size[layout.slowest]
            slab = voxels // along * min(length, along)
            answer += 4 * (slab * (classes + 1) + window * classes)
        if self.flips:
            answer += 4 * window * (2 * classes + image.shape[1])  # sum, logits and window, flipped
        return answer

    def _of_roi(self, values: Sequence[int]) -> list[int]:
        """Those of the numbers per axis of the image that `roi_size` has too."""
        along = self.tiling.slice_axis(len(values))
        return [value for axis, value in enumerate(values) if axis != along]

    def _network_bytes(self, network: Callable[..., Tensor], shape: tuple[int, ...]) -> Needed:
        """See `network_bytes`; worked out once for a way to run a network and a shape."""
        module = layers_of(network)
        if module is None:
            return network_bytes(network, shape)
        known = self._known.setdefault(module, {})
        way = (way_to_run(network), shape)
        if way not in known:
            known[way] = network_bytes(network, shape)
        return known[way]

    def _remedy(
        self, plan: Plan, image: Tensor, network: Callable[..., Tensor], *, limited: bool
    ) -> str:
        """The first setting that fits, of those that change the answer least."""
        least = plan.needed_bytes
        for other in self._thriftier(plan, image, network):
            try:
                planned = other._unchecked(image, network)
            except ValueError:  # too small for the halo, or for the network
                continue
            if other._lack(planned, image, network) is None:
                return f"pass {' and '.join(other._unlike(self))}"
            least = min(least, planned.needed_bytes)
        more = "raise the limit" if limited else "take a machine with more memory"
        return f"no setting needs less than {told(least)}, {more}"

    def _thriftier(
        self, plan: Plan, image: Tensor, network: Callable[..., Tensor]
    ) -> Iterator["Planner"]:
        """Planners of fewer windows at a time, of labels, then of one window, ever smaller."""
        planners = [self] if self.labels else [self, replace(self, labels=True)]
        for planner in planners:
            for batch in range(plan.batch_size, 0, -1):
                yield replace(planner, batch_size=batch)
        step = self.tiling.step(image.ndim - 2, layers_of(network))
        for planner in planners:
            for roi in _shorter(self._of_roi(plan.layout.size), self._of_roi(step)):
                tiling = replace(self.tiling, roi_size=roi)
                yield replace(planner, tiling=tiling, batch_size=1)

    def _unlike(self, other: "Planner") -> Iterator[str]:
        """The arguments that differ from another's."""
        if self.labels != other.labels:
            yield "output='labels'"
        if self.tiling is not other.tiling:
            yield f"roi_size {self.tiling.roi_size}"
        if self.batch_size < other.batch_size:
            yield f"batch_size {self.batch_size} (windows_per_batch of a bundle)"


def _shorter(size: Sequence[int], step: Sequence[int]) -> Iterator[list[int]]:
    """Sizes of windows, the longest axis each time an eighth shorter, in whole steps."""
    now = list(size)
    while longest := max((n for n, s in zip(now, step, strict=True) if n > s), default=0):
        axis = next(a for a, n in enumerate(now) if n == longest and n > step[a])
        now[axis] = max((longest - max(longest // 8, 1)) // step[axis], 1) * step[axis]
        yield list(now)
