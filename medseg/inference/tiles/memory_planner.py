"""Planner: plan an inference, and refuse one that needs too much memory."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import floor, prod
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from medseg.base.memory import release_freed_memory
from medseg.inference.predictor.predictor import Predictor, find_layers
from medseg.inference.tiles.memory_plan import (
    MemoryLimitError,
    Plan,
    count_float32_bytes,
    estimate_network_bytes,
    find_backend_and_dtype,
    find_device,
    format_bytes,
    free_bytes,
)
from medseg.inference.tiles.settings import Settings
from medseg.inference.tiles.windows import Layout, round_up
from medseg.networks.output import takes_window_statistics

FILE_WORKSPACE = 10
"""Bytes per probability of a window: as float32, as float16, and the pages of the file."""

MOST_LABEL_CHANNELS = 256
"""A network whose labels are asked for has at most this many channels: labels are uint8."""

LABEL_WORKSPACE = 10
"""Bytes per voxel of a window whose labels are taken: the label, the best logit so far and the
next, and masks; of many classes, a byte for each."""

Needed = tuple[int | None, int | None]
Free = Callable[[torch.device], int | None]


@dataclass(frozen=True)
class Planner:
    """Makes the plan of an inference from its settings, the image and the network."""

    settings: Settings
    _known: WeakKeyDictionary[nn.Module, dict[Hashable, Needed]] = field(
        default_factory=WeakKeyDictionary, repr=False, compare=False
    )

    def plan(self, image: Tensor, network: Callable[..., Tensor]) -> Plan:
        """The plan for images (B, C, *spatial); nothing is computed.

        Raises:
            ValueError: see `Tiling.make_layout`.
            MemoryLimitError: the memory does not suffice; the error names a setting that fits.
        """
        plan = self._plan_unchecked(image, network)
        shortfall = self._find_shortfall(plan, image, network, free_bytes)
        if shortfall is None:
            return plan
        release_freed_memory()
        free = cache(free_bytes)  # asked once, for all settings that are tried
        if shortfall := self._find_shortfall(plan, image, network, free):
            needed, there = shortfall
            limited = there == self.settings.memory_limit
            least = f"{'the limit' if limited else 'there'} is {format_bytes(there, floor)}"
            raise MemoryLimitError(
                f"inference needs {format_bytes(needed)} of memory ({plan}), {least}",
                self._describe_remedy(plan, image, network, free, limited=limited),
            )
        return plan

    def _find_shortfall(
        self, plan: Plan, image: Tensor, network: Callable[..., Tensor], free: Free
    ) -> tuple[int, int] | None:
        """Needed and available bytes where memory does not suffice; None where it does.

        Windows are computed where the network is, and the result is kept where the image is. The
        limit applies to both. Memory that this process already holds need not be free.
        """
        at = self.settings.device or find_device(network) or image.device
        limits = [(plan.needed_bytes, self.settings.memory_limit)]
        further = self._estimate_further_bytes(plan, image, network)
        if at == image.device:
            limits.append((further + plan.answer_bytes, free(at)))
        else:
            limits.append((further, free(at)))
            limits.append((plan.answer_bytes, free(image.device)))
        short = ((needed, there) for needed, there in limits if there is not None)
        return next(((needed, there) for needed, there in short if needed > there), None)

    def _estimate_further_bytes(
        self, plan: Plan, image: Tensor, network: Callable[..., Tensor]
    ) -> int:
        """Bytes that a pass takes beyond what this process kept from a pass of the same shape."""
        shape = self._make_shape(plan.batch_size, plan.layout, image)
        if not (isinstance(network, Predictor) and network.holds(shape)):
            return plan.network_bytes or 0
        _, channels = self._estimate_network_bytes(network, shape)
        return count_float32_bytes(shape, shape[1] + (channels or 1))  # the windows and the logits

    def _plan_unchecked(self, image: Tensor, network: Callable[..., Tensor]) -> Plan:
        layout = self.settings.tiling.make_layout(image, find_layers(network))
        count = min(self.settings.batch_size, layout.count)
        needed, channels = self._estimate_network_bytes(
            network, self._make_shape(count, layout, image)
        )
        expected = self.settings.channels
        if None not in (channels, expected) and channels != expected:
            raise ValueError(
                f"the classes need {expected} channels, the network gives {channels}: load the "
                "weights and the classes of one training"
            )
        if self.settings.labels and (channels or 1) > MOST_LABEL_CHANNELS:
            raise ValueError(
                f"labels must be 0 to {MOST_LABEL_CHANNELS - 1}, and the network gives "
                f"{channels} channels: pass output='logits'"
            )
        classes = channels or 1
        return Plan(
            layout,
            count,
            needed,
            image.numel() * image.element_size(),
            self._count_answer_bytes(layout, count, image, classes),
            2 * image[:, 0].numel() * classes if self.settings.probabilities else 0,
        )

    def _make_shape(self, count: int, layout: Layout, image: Tensor) -> tuple[int, ...]:
        """The shape of a batch of windows, as the network is given them."""
        return (count * image.shape[0], image.shape[1], *self._drop_slice_axis(layout.size))

    def _count_answer_bytes(self, layout: Layout, count: int, image: Tensor, classes: int) -> int:
        """See `Plan.answer_bytes`."""
        voxels = image[:, 0].numel()
        window = count * image.shape[0] * prod(layout.size)
        answer = voxels if self.settings.labels else 4 * voxels * classes
        if self.settings.labels:
            answer += window * max(classes, LABEL_WORKSPACE)
        if self.settings.probabilities:
            answer += FILE_WORKSPACE * window * classes
        if self.settings.tiling.mode == "blend":
            along, length = image.shape[2 + layout.slowest], layout.size[layout.slowest]
            slab = voxels // along * min(length, along)
            answer += 4 * (slab * (classes + 1) + window * classes)
        if self.settings.flips:
            # the sum, the logits (their memory may be taken in between), and the flipped window
            answer += 4 * window * (2 * classes + image.shape[1])
        return answer

    def _drop_slice_axis(self, values: Sequence[int]) -> list[int]:
        """The numbers per axis of the image, without the axis that a 2D network goes along."""
        along = self.settings.tiling.slice_axis(len(values))
        return [value for axis, value in enumerate(values) if axis != along]

    def _estimate_network_bytes(
        self, network: Callable[..., Tensor], shape: tuple[int, ...]
    ) -> Needed:
        """See `estimate_network_bytes`; worked out once for a way to run a network and a shape."""
        module = find_layers(network)
        if module is None:
            return estimate_network_bytes(network, shape)
        known = self._known.setdefault(module, {})
        way = (find_backend_and_dtype(network), shape)
        if way not in known:
            known[way] = estimate_network_bytes(network, shape)
        return known[way]

    def _describe_remedy(
        self,
        plan: Plan,
        image: Tensor,
        network: Callable[..., Tensor],
        free: Free,
        *,
        limited: bool,
    ) -> str:
        """What to pass instead: the first setting that fits, beginning with the least change.

        Not every caller can take labels instead of logits, so smaller windows are named too.
        """
        trained, rounds = self._list_alternatives(plan, image, network)
        least: list[int] = []

        def find_first(planners: Sequence[Planner]) -> str | None:
            """Describe the first that fits, or return None and add what they need to `least`."""
            for other in planners:
                try:
                    planned = other._plan_unchecked(image, network)
                except ValueError:  # too small for the halo, or for the network
                    continue
                if shortfall := other._find_shortfall(planned, image, network, free):
                    least.append(shortfall[0])
                    continue
                same = planned.layout.size == plan.layout.size
                effect = (
                    ""
                    if same
                    else ", as in training"
                    if trained
                    else self._describe_effect(network)
                )
                return " and ".join(other._list_changed_settings(self)) + effect
            return None

        for choices in rounds:
            if named := [text for planners in choices if (text := find_first(planners))]:
                return f"pass {', or '.join(named)}"
        more = "raise the limit" if limited else "use a machine with more memory"
        layout = ", with windows as in training," if trained else ""
        return f"the least that works{layout} is {format_bytes(min(least))}: {more}"

    def _list_alternatives(
        self, plan: Plan, image: Tensor, network: Callable[..., Tensor]
    ) -> tuple[bool, list[list[list["Planner"]]]]:
        """Whether windows must stay as in training, and what to try, round by round.

        Of each list of a round the first planner that fits is named.
        """
        step = self.settings.tiling.find_step(image.ndim - 2, find_layers(network))
        sizes = zip(plan.layout.size, image.shape[2:], step, strict=True)
        largest = self._drop_slice_axis([min(n, round_up(size, s)) for n, size, s in sizes])
        batches = [self._change(batch_size=n) for n in range(plan.batch_size, 0, -1)]
        steps = self._drop_slice_axis(step)
        trained = self._use_training_windows(image, network, steps)
        windows = trained or [
            self._use_windows(roi) for roi in _list_smaller_windows(largest, steps)
        ]
        labels_of_batches, labels_of_windows = (
            [planner._change(output="labels") for planner in planners]
            for planners in (batches, windows)
        )
        rounds = [[batches], [labels_of_batches, windows], [labels_of_windows]]
        return bool(trained), rounds

    def _use_training_windows(
        self, image: Tensor, network: Callable[..., Tensor], step: Sequence[int]
    ) -> list["Planner"]:
        """A planner for windows as in training, if the result depends on them and they fit."""
        patch = self.settings.patch_size or ()
        if len(patch) != len(step) or not _does_normalise(network):
            return []
        roi = [round_up(n, s) for n, s in zip(patch, step, strict=True)]
        planner = self._use_windows(roi)
        try:
            planner.settings.tiling.make_layout(image, find_layers(network))
        except ValueError:  # nothing between their halos
            return []
        return [planner]

    def _change(self, **settings: Any) -> "Planner":
        """The same planner with other settings; it shares what is known of networks."""
        return replace(self, settings=replace(self.settings, **settings))

    def _use_windows(self, roi_size: Sequence[int]) -> "Planner":
        """The same planner for windows of that size, one at a time."""
        return self._change(tiling=replace(self.settings.tiling, roi_size=roi_size), batch_size=1)

    def _describe_effect(self, network: Callable[..., Tensor]) -> str:
        """How windows of another size change the label map, as the end of a sentence."""
        if _does_normalise(network):
            return ", which changes the label map: the network normalises over its window"
        if self.settings.tiling.mode == "crop" and self.settings.tiling.halo == "auto":
            return ""
        return ", which may change the label map: less is seen around a voxel"

    def _list_changed_settings(self, other: "Planner") -> Iterator[str]:
        """The arguments to pass where these settings differ from another planner's."""
        if self.settings.labels != other.settings.labels:
            yield "output='labels' (where logits are not needed)"
        if self.settings.tiling is not other.settings.tiling:
            yield f"roi_size {self.settings.tiling.roi_size}"
        if self.settings.batch_size < other.settings.batch_size:
            yield f"batch_size {self.settings.batch_size} (of a bundle: windows_per_batch)"


def _does_normalise(network: Callable[..., Tensor]) -> bool:
    module = find_layers(network)
    return module is not None and takes_window_statistics(module)


def _list_smaller_windows(size: Sequence[int], step: Sequence[int]) -> Iterator[list[int]]:
    """Sizes of windows from the largest on: each time the longest axis is an eighth shorter."""
    now = list(size)
    yield list(now)
    while longest := max((n for n, s in zip(now, step, strict=True) if n > s), default=0):
        axis = next(a for a, n in enumerate(now) if n == longest and n > step[a])
        now[axis] = max((longest - max(longest // 8, 1)) // step[axis], 1) * step[axis]
        yield list(now)
