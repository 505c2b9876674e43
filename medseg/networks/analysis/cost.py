"""Cost: measure networks on this machine: parameters, multiply-adds, latency, peak memory."""

from __future__ import annotations

import copy
import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from medseg.base.memory import measure_resident_peak

Forward = Callable[[Tensor, nn.Module], Tensor]
"""How an image goes through a network: a MONAI inferer, for instance."""


class Cost(NamedTuple):
    """What one forward pass of a network costs.

    Attributes:
        parameters: number of weights.
        multiply_adds: of the convolutions and matrix products; normalisations are not counted.
        seconds: median of the passes.
        peak_mib: growth of the process's resident memory during a pass, weights left out; on a GPU,
            of the memory that torch has allocated there.
    """

    parameters: int
    multiply_adds: int
    seconds: float
    peak_mib: float


def measure(
    networks: Mapping[str, nn.Module],
    shape: Sequence[int],
    *,
    forward: Forward,
    repeats: int = 10,
) -> dict[str, Cost]:
    """Measure networks side by side, on the device where they are.

    Passes are timed in turns, each network once per turn, so that a machine that slows down slows
    all of them alike; a first turn is not counted. On the CPU the peak memory is that of a process
    of its own for each network.

    Args:
        networks: by name, in eval mode, all on one device.
        shape: of the image, (B, C, *spatial).
        forward: called as `forward(image, network)`; a process may be started with it, so it must
            be picklable.
        repeats: turns that count, 1 or more.

    Example:
        >>> network = NestedUNet(2, 1, 1, channels=(4, 8, 16), deep_supervision=True).eval()
        >>> levels = {f"L{level}": network.prune(level) for level in (1, 2)}
        >>> costs = measure(levels, (1, 1, 64, 64), forward=SimpleInferer())
        >>> costs["L1"].multiply_adds < costs["L2"].multiply_adds
        True
    """
    seconds = measure_seconds(networks, shape, forward=forward, repeats=repeats)
    return {
        name: Cost(
            parameters=sum(p.numel() for p in network.parameters()),
            multiply_adds=count_multiply_adds(network, shape),
            seconds=seconds[name],
            peak_mib=measure_peak_bytes(network, shape, forward=forward) / 2**20,
        )
        for name, network in networks.items()
    }


def measure_seconds(
    networks: Mapping[str, nn.Module], shape: Sequence[int], *, forward: Forward, repeats: int
) -> dict[str, float]:
    """The median time of a pass of each network, in seconds; see `measure`."""
    if repeats < 1:
        raise ValueError(f"repeats must be 1 or more, got {repeats}: pass for instance 10")
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    with torch.inference_mode():
        for turn in range(repeats + 1):
            for name, network in networks.items():
                image = torch.rand(*shape, device=_find_device(network))
                _synchronise(image.device)
                start = time.perf_counter()
                forward(image, network)
                _synchronise(image.device)
                if turn > 0:
                    seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def count_multiply_adds(network: nn.Module, shape: Sequence[int]) -> int:
    """Multiply-adds of one pass, counted without computing it; a transposed convolution counts too.

    Example:
        >>> count_multiply_adds(nn.Conv2d(1, 2, 3, padding=1), (1, 1, 10, 10))  # 10 x 10 x 2 x 9
        1800
    """
    ghost = copy.deepcopy(network).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        ghost(torch.empty(*shape, device="meta"))
    return counter.get_total_flops() // 2


def measure_peak_bytes(network: nn.Module, shape: Sequence[int], *, forward: Forward) -> int:
    """How far the memory grows during one pass, in bytes; see `Cost.peak_mib`."""
    device = _find_device(network)
    if device.type == "cuda":
        return _measure_peak_on_gpu(network, shape, forward=forward)
    threads = torch.get_num_threads()
    with _make_process_context().Pool(1) as pool:
        return pool.apply(_measure_peak_here, (network, tuple(shape), forward, threads))


def _make_process_context() -> Any:
    """A context that starts processes which have only imported what is needed."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["medseg.networks.analysis.cost", "monai.inferers"])
    return server


def measure_growth(work: Callable[[], object]) -> int:
    """Bytes by which the peak of this process's resident memory grew during the work."""
    before = measure_resident_peak(reset=True)
    work()
    return measure_resident_peak(reset=False) - before


def _measure_peak_on_gpu(network: nn.Module, shape: Sequence[int], *, forward: Forward) -> int:
    device = _find_device(network)
    image = torch.rand(*shape, device=device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    with torch.inference_mode():
        forward(image, network)
    return torch.cuda.max_memory_allocated(device) - before


def _measure_peak_here(
    network: nn.Module, shape: Sequence[int], forward: Forward, threads: int
) -> int:
    """Growth of this process's peak during a pass; meant for a process that did nothing else.

    The weights and the kernels are brought into memory before: by a pass over a small image.
    """
    torch.set_num_threads(threads)
    image = torch.rand(*shape)
    network = copy.deepcopy(network)  # out of the pages shared with the process that sent it
    with torch.inference_mode():
        forward(_cut_corner(image, network), network)
    with torch.inference_mode():
        return measure_growth(lambda: forward(image, network))


def _cut_corner(image: Tensor, network: nn.Module) -> Tensor:
    """The smallest part of an image that a NestedUNet takes; all of it for any other network."""
    for axis, stride in enumerate(getattr(network, "total_stride", ()), 2):
        image = image.narrow(axis, 0, min(2 * stride, image.shape[axis]))
    return image


def _find_device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
