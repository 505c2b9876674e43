"""Workloads: segment a CT or train a network in each of the ways that are compared."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _time_side_by_side import time_side_by_side
from benchmark_memory import CHANNELS, twin
from monai.inferers import Inferer, SliceInferer, SlidingWindowInferer
from monai.networks.nets import BasicUNetPlusPlus
from torch import Tensor, nn

from medseg.base.memory import keep_freed_pages, measure_resident_peak
from medseg.inference import OverlapTileInferer, Predictor
from medseg.inference.predictor.precision import find_fastest_precision
from medseg.networks import NestedUNet, to_device
from medseg.networks.analysis.cost import count_multiply_adds

STOCK, TUNED = "MONAI as documented", "MONAI tuned by hand"
OURS, SKIPPING = "medseg", "medseg, air skipped"
AGAIN = "MONAI as documented, other initial weights"
SEGMENTING, TRAINING = (STOCK, TUNED, OURS, SKIPPING), (STOCK, TUNED, OURS, AGAIN)
CLASSES = 2
NORM = "batch"
"""As in MONAI's spleen bundle; its answer does not depend on the window, so they compare."""
TRUTH = "truth.npy"
MATRIX = 3000
"""Rows and columns of the matrices whose product is what a network is measured by."""


@dataclass(frozen=True)
class Workload:
    """What is computed.

    `dims` are those of the network, `crop` the voxels in the middle of the volume that are taken
    (None for all), `window` what MONAI's windows and the patches of a training step are, and `tile`
    the most that medseg's windows are.
    """

    title: str
    dims: int
    window: tuple[int, ...]
    tile: tuple[int, ...] = ()
    crop: tuple[int, ...] | None = None
    steps: int = 0

    @property
    def ways(self) -> tuple[str, ...]:
        """Those that are compared."""
        return TRAINING if self.steps else SEGMENTING


CUBE = (96, 96, 96)

WORKLOADS = {
    "slices": Workload("2D network over 512x512 slices", 2, (512, 512), (512, 512)),
    "crop": Workload(
        "3D network over 256x256 pixels of the volume", 3, CUBE, (256, 144, 144), crop=(256, 256)
    ),
    "volume": Workload("3D network over the whole volume", 3, CUBE, (192, 192, 144)),
    "training-2d": Workload("training step, 2D, batch of 2", 2, (256, 256), steps=40),
    "training-3d": Workload("training step, 3D, batch of 2", 3, (64, 64, 64), steps=20),
}


@dataclass
class Meter:
    """Passes through a network: how it is run, the shape of the images of each, and its seconds."""

    run: str
    precision: torch.dtype
    passes: list[tuple[tuple[int, ...], float]] = field(default_factory=list)

    def time(self, run: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """One pass."""
        started = time.perf_counter()
        logits = run(images)
        self.passes.append((tuple(images.shape), time.perf_counter() - started))
        return logits

    def flop(self, network: nn.Module) -> dict[str, float]:
        """Operations of all passes, the seconds of all, and the rate of a usual pass."""
        shapes = {shape for shape, _ in self.passes}
        costs = {shape: 2 * count_multiply_adds(network, shape) for shape in shapes}
        rates = [costs[shape] / seconds / 1e9 for shape, seconds in self.passes]
        return {
            "tflop": sum(costs[shape] for shape, _ in self.passes) / 1e12,
            "network_seconds": sum(seconds for _, seconds in self.passes),
            "network_gflops": statistics.median(rates),
        }


class MeteredPredictor(Predictor):
    """Ours, with each pass measured."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__(network, "cpu")
        self.meter = Meter(repr(self), self.precision)

    def __call__(self, images: Tensor) -> Tensor:
        return self.meter.time(super().__call__, images)


class MeteredNetwork(nn.Module):
    """MONAI's, which puts its logits in a list, with each pass measured."""

    def __init__(self, network: nn.Module, precision: torch.dtype) -> None:
        super().__init__()
        self.network = network
        self.meter = Meter(f"{type(network).__name__}, PyTorch, {precision}", precision)

    def forward(self, image: Tensor) -> Tensor:
        return self.meter.time(lambda given: self.network(given)[0], image)


def run_job(*, name: str, way: str, image: str, weights: str | None) -> dict[str, Any]:
    """Run a workload in one way.

    `image` is a .npy file, beside which the label map is written; a training learns what is in
    `truth.npy` beside it.
    """
    workload = WORKLOADS[name]
    if way not in (STOCK, AGAIN):
        keep_freed_pages()
    network = build(workload.dims, way, weights, training=workload.steps > 0)
    volume = centre(torch.from_numpy(np.load(image))[None, None], workload.crop)
    if workload.steps:
        truth = torch.from_numpy(np.load(Path(image).with_name(TRUTH)))[None, None]
        seconds, losses = train(network, workload, way, volume, centre(truth, workload.crop))
        return {"seconds": seconds, "peak_gib": peak_gib(), "losses": losses}
    started = time.perf_counter()
    found, meter = infer(network, volume, workload, way)
    precision = meter.precision
    seconds, peak = time.perf_counter() - started, peak_gib()
    label = Path(image).with_name(f"{name}-{workload.ways.index(way)}.npy")
    np.save(label, found.numpy())
    return {
        "seconds": seconds,
        "peak_gib": peak,
        "label": str(label),
        "run": meter.run,
        "matrix_gflops": matrix_gflops(precision),
        **meter.flop(build(workload.dims, OURS, None, training=False)),
    }


def centre(volume: Tensor, crop: Sequence[int] | None) -> Tensor:
    """The middle of the first axes of a volume (B, C, I, J, K)."""
    for axis, size in enumerate(crop or ()):
        volume = volume.narrow(axis + 2, (volume.shape[axis + 2] - size) // 2, size)
    return volume.contiguous()


def build(dims: int, way: str, weights: str | None, *, training: bool) -> nn.Module:
    """MONAI's network or ours, with the same weights."""
    torch.manual_seed(1 if way == AGAIN else 0)
    monai = BasicUNetPlusPlus(dims, 1, CLASSES, features=(*CHANNELS, CHANNELS[0]), norm=NORM)
    nested = NestedUNet(dims, 1, CLASSES, channels=CHANNELS, norm=NORM)
    state = monai.state_dict()
    mine = {key: state[twin(key)] for key in nested.state_dict()}
    if weights is not None:
        mine = torch.load(weights, weights_only=True)
        monai.load_state_dict({twin(key): value for key, value in mine.items()}, strict=False)
    if way in (OURS, SKIPPING):
        nested.load_state_dict(mine)
        return to_device(nested, "cpu").train(training)
    monai = to_device(monai, "cpu") if way == TUNED else monai
    return MeteredNetwork(monai, precision_of(way)).train(training)


def precision_of(way: str) -> torch.dtype:
    """What a way computes in: MONAI as documented in float32, all else in what pays on this CPU."""
    return torch.float32 if way in (STOCK, AGAIN) else find_fastest_precision("cpu")


@torch.inference_mode()
def infer(network: nn.Module, volume: Tensor, workload: Workload, way: str) -> tuple[Tensor, Meter]:
    """The label map of a volume, (I, J, K), uint8, and the passes that it took."""
    if way in (OURS, SKIPPING):
        predictor = MeteredPredictor(network)
        inferer = ours(workload, skip=0.0 if way == SKIPPING else None)
        return inferer(volume, predictor)[0, 0], predictor.meter
    with torch.autocast("cpu", torch.bfloat16, enabled=precision_of(way) == torch.bfloat16):
        logits = theirs(workload, tuned=way == TUNED)(volume, network)
    return logits[0].argmax(0).to(torch.uint8), network.meter


def theirs(workload: Workload, *, tuned: bool) -> Inferer:
    """MONAI's inferer: as its spleen bundle documents it, or with less overlap and a batch of 1."""
    settings_ = {"roi_size": workload.window, "overlap": 0.25 if tuned else 0.5}
    settings_ |= {"sw_batch_size": 1, "mode": "gaussian"} if tuned else {"sw_batch_size": 4}
    if workload.dims == 2:
        return SliceInferer(spatial_dim=2, **settings_)
    return SlidingWindowInferer(**settings_)


def ours(workload: Workload, *, skip: float | None = None) -> OverlapTileInferer:
    """Crop mode: whole slices in 2D; in 3D large windows with a halo of 16."""
    size = workload.tile
    if workload.dims == 2:
        return OverlapTileInferer(size, edge="network", slices=2, output="labels", skip=skip)
    return OverlapTileInferer(size, halo=16, edge="network", output="labels", skip=skip)


def train(
    network: nn.Module, workload: Workload, way: str, volume: Tensor, truth: Tensor
) -> tuple[float, list[float]]:
    """Seconds of one step, the median after the first two, and the loss of each.

    The task is to find the organ in patches that lie anywhere in the volume.
    """
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-4)
    generator = torch.Generator().manual_seed(0)
    marks, losses = [time.perf_counter()], []
    for _ in range(workload.steps):
        places = [anywhere(volume.shape[2:], workload.window, generator) for _ in range(2)]
        image, label = (
            torch.stack([v[0, 0][p].reshape(workload.window) for p in places])[:, None]
            for v in (volume, truth)
        )
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision_of(way) == torch.bfloat16):
            logits = network(image)
        loss = nn.functional.cross_entropy(logits.float(), label[:, 0].long())
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        marks.append(time.perf_counter())
    return statistics.median(b - a for a, b in list(pairwise(marks))[2:]), losses


def anywhere(
    shape: Sequence[int], size: Sequence[int], generator: torch.Generator
) -> tuple[slice, ...]:
    """A patch of a volume (I, J, K), of one slice where the size has two axes."""
    sizes = (*size, 1)[: len(shape)]
    starts = [
        int(torch.randint(whole - n + 1, (1,), generator=generator))
        for whole, n in zip(shape, sizes, strict=True)
    ]
    return tuple(slice(start, start + n) for start, n in zip(starts, sizes, strict=True))


def matrix_gflops(
    precision: torch.dtype, device: torch.device | None = None, repeats: int = 5
) -> float:
    """What a matrix product reaches on the same threads, or on a GPU."""
    a, b = (torch.rand(MATRIX, MATRIX, device=device).to(precision) for _ in range(2))

    def product() -> None:
        a @ b
        if a.is_cuda:
            torch.cuda.synchronize()

    product()
    seconds = time_side_by_side({"product": product}, repeats)["product"]
    return 2 * MATRIX**3 / statistics.median(seconds) / 1e9


def peak_gib() -> float:
    """The most memory that was ever resident in this process."""
    return measure_resident_peak(reset=False) / 2**30
