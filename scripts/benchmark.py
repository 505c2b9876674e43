"""Benchmark: a whole CT segmented by medseg and by MONAI, with the same weights.

python scripts/benchmark.py --volume data/ircad_01/image.nii.gz [--workloads slices crop]
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _in_turn import REPOSITORY, setting_lines, settings, write
from benchmark_memory import CHANNELS, twin
from monai.inferers import Inferer, SliceInferer, SlidingWindowInferer
from monai.networks.nets import BasicUNetPlusPlus
from torch import Tensor, nn

from medseg.inference import OverlapTileInferer, Predictor
from medseg.ingest import load
from medseg.memory import keep_freed_pages
from medseg.networks import NestedUNet
from medseg.networks.cost import multiply_adds

STOCK, TUNED, OURS = "MONAI as documented", "MONAI tuned by hand", "medseg"
WAYS = (STOCK, TUNED, OURS)
WINDOW_HU = (-160.0, 240.0)
CLASSES = 2
MATRIX = 3000


@dataclass(frozen=True)
class Workload:
    """What is computed.

    `dims` are those of the network, `crop` the voxels in the middle of the volume that are taken
    (None for all), `window` what MONAI's windows and the patches of a training step are.
    """

    title: str
    dims: int
    window: tuple[int, ...]
    crop: tuple[int, ...] | None = None
    steps: int = 0


WORKLOADS = {
    "slices": Workload("2D network over 512x512 slices", 2, (512, 512)),
    "crop": Workload("3D network over 256x256 pixels of the volume", 3, (96, 96, 96), (256, 256)),
    "volume": Workload("3D network over the whole volume", 3, (96, 96, 96)),
    "training-2d": Workload("training step, 2D, batch of 2", 2, (256, 256), steps=8),
    "training-3d": Workload("training step, 3D, batch of 2", 3, (64, 64, 64), steps=6),
}


def main(arguments: list[str] | None = None) -> int:
    """Measure every workload, and write a Markdown page and the same numbers as JSON."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    args = parser.parse_args(given)
    torch.set_num_threads(args.threads)
    if args.job:
        sys.stdout.write(json.dumps(run_job(**json.loads(args.job))))
        return 0
    if args.volume is None:
        parser.error("--volume is needed: name a CT")
    with tempfile.TemporaryDirectory() as folder:
        image = prepare(args.volume, Path(folder) / "image.npy")
        results = {name: compare(name, image, args) for name in args.workloads}
    numbers = {
        **settings("torch", "monai", "openvino", "medseg"),
        "command": shlex.join(["python", "scripts/benchmark.py", *given]),
        "volume": args.volume.parent.name,
        "weights": "random" if args.weights is None else args.weights.name,
        "workloads": results,
    }
    numbers["hardware"] += f"; {args.threads} thread(s) used"
    write(page(numbers), numbers, folder=args.out, name="inference")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volume", type=Path, help="a CT, DICOM or NIfTI")
    parser.add_argument("--workloads", nargs="+", default=["slices", "crop"], choices=WORKLOADS)
    parser.add_argument("--rounds", type=int, default=2, help="times in turn (%(default)s)")
    parser.add_argument(
        "--stock-rounds", type=int, default=1, help="of them with MONAI as it comes"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="(%(default)s)")
    parser.add_argument("--weights", type=Path, help="of a NestedUNet; random if left out")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    parser.add_argument("--job", help=argparse.SUPPRESS)  # one measurement, in its own process
    return parser


def prepare(volume: Path, path: Path) -> Path:
    """The windowed volume, float32, as a file that each process reads for itself."""
    array, _ = load(volume)
    low, high = WINDOW_HU
    np.save(path, ((array - low) / (high - low)).clip(0, 1).astype(np.float32))
    return path


def compare(name: str, image: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Each way in a process of its own, in turn, and the agreement of what they found."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for turn in range(args.rounds):
        for way in WAYS:
            if way != STOCK or turn < args.stock_rounds:
                runs[way].append(in_process(name, way, image, args))
    labels = {way: np.load(done[0]["label"]) for way, done in runs.items() if done[0]["label"]}
    rows = {}
    for way, done in runs.items():
        fastest = {key: statistics.median(each[key] for each in done) for key in _NUMBERS}
        agreement = dice(labels[way], labels[STOCK]) if labels else None
        rows[way] = {**fastest, "runs": [each["seconds"] for each in done], "dice": agreement}
    return {**asdict(WORKLOADS[name]), "rows": rows, "network": runs[OURS][0]["network"]}


_NUMBERS = ("seconds", "peak_gib")


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Dice of the foreground; 1 where both are empty."""
    both = int((a > 0).sum()) + int((b > 0).sum())
    return 2 * int(((a > 0) & (b > 0)).sum()) / both if both else 1.0


def in_process(name: str, way: str, image: Path, args: argparse.Namespace) -> dict[str, Any]:
    """One measurement in a new process; its label map lies beside the image."""
    weights = None if args.weights is None else str(args.weights.resolve())
    job = {"name": name, "way": way, "image": str(image), "weights": weights}
    command = [sys.executable, __file__, "--threads", str(args.threads), "--job", json.dumps(job)]
    environment = os.environ | {"OMP_NUM_THREADS": str(args.threads)}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, check=True, cwd=REPOSITORY
    )
    return json.loads(done.stdout)


def run_job(*, name: str, way: str, image: str, weights: str | None) -> dict[str, Any]:
    """Run a workload in one way, and tell seconds, peak and where the label map is."""
    workload = WORKLOADS[name]
    if way != STOCK:
        keep_freed_pages()
    network = build(workload.dims, way, weights, training=workload.steps > 0)
    label = ""
    if workload.steps:
        seconds, losses = train(network, workload, way)
        extra: dict[str, Any] = {"losses": losses}
    else:
        volume = torch.from_numpy(np.load(image))[None, None]
        volume = centre(volume, workload.crop)
        started = time.perf_counter()
        found = infer(network, volume, workload, way)
        seconds = time.perf_counter() - started
        label = str(Path(image).with_name(f"{name}-{WAYS.index(way)}.npy"))
        np.save(label, found.numpy())
        extra = {}
    return {
        "seconds": seconds,
        "peak_gib": peak_gib(),
        "label": label,
        "network": rate(network, workload) if way == OURS and not workload.steps else None,
        **extra,
    }


def centre(volume: Tensor, crop: Sequence[int] | None) -> Tensor:
    """The middle of the first axes of a volume (B, C, I, J, K)."""
    for axis, size in enumerate(crop or ()):
        volume = volume.narrow(axis + 2, (volume.shape[axis + 2] - size) // 2, size)
    return volume.contiguous()


def build(dims: int, way: str, weights: str | None, *, training: bool) -> nn.Module:
    """MONAI's network or ours, with the same weights."""
    torch.manual_seed(0)
    theirs = BasicUNetPlusPlus(dims, 1, CLASSES, features=(*CHANNELS, CHANNELS[0]))
    ours = NestedUNet(dims, 1, CLASSES, channels=CHANNELS)
    state = theirs.state_dict()
    mine = {key: state[twin(key)] for key in ours.state_dict()}
    if weights is not None:
        mine = torch.load(weights, weights_only=True)
        theirs.load_state_dict({twin(key): value for key, value in mine.items()}, strict=False)
    if way == OURS:
        ours.load_state_dict(mine)
        return ours.train(training)
    return _OneTensor(theirs).train(training)


class _OneTensor(nn.Module):
    """MONAI's network puts its logits in a list."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return self.network(image)[0]


@torch.inference_mode()
def infer(network: nn.Module, volume: Tensor, workload: Workload, way: str) -> Tensor:
    """The label map of a volume, (I, J, K), uint8, from the network to the label."""
    if way == OURS:
        inferer = ours(workload)
        return inferer(volume, Predictor(network, "cpu"))[0, 0]
    with torch.autocast("cpu", torch.bfloat16, enabled=way == TUNED):
        logits = theirs(workload, tuned=way == TUNED)(volume, network)
    return logits[0].argmax(0).to(torch.uint8)


def theirs(workload: Workload, *, tuned: bool) -> Inferer:
    """MONAI's inferer: as its spleen bundle documents it, or with less overlap and a batch of 1."""
    settings_ = {"roi_size": workload.window, "overlap": 0.25 if tuned else 0.5}
    settings_ |= {"sw_batch_size": 1, "mode": "gaussian"} if tuned else {"sw_batch_size": 4}
    if workload.dims == 2:
        return SliceInferer(spatial_dim=2, **settings_)
    return SlidingWindowInferer(**settings_)


def ours(workload: Workload) -> OverlapTileInferer:
    """Crop mode: whole slices in 2D; in 3D windows of up to 144 voxels with a halo of 16."""
    if workload.dims == 2:
        return OverlapTileInferer(workload.window, edge="network", slices=2, output="labels")
    return OverlapTileInferer(144, halo=16, edge="network", output="labels")


def train(network: nn.Module, workload: Workload, way: str) -> tuple[float, list[float]]:
    """Seconds of one step, the median after the first two, and the losses."""
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-4)
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 1, *workload.window, generator=generator)
    target = (image > 0.5).long()[:, 0]
    marks, losses = [time.perf_counter()], []
    for _ in range(workload.steps):
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=way != STOCK):
            logits = network(image)
        loss = nn.functional.cross_entropy(logits.float(), target)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        marks.append(time.perf_counter())
    return statistics.median(b - a for a, b in list(pairwise(marks))[2:]), losses


def rate(network: nn.Module, workload: Workload) -> dict[str, float]:
    """What a window reaches of the matrix product on the same threads, in GFLOP/s."""
    predictor = Predictor(network, "cpu")
    shape = (1, 1, *(workload.window if workload.dims == 2 else (144, 144, 96)))
    window = torch.rand(shape)
    a, b = (torch.rand(MATRIX, MATRIX).to(predictor.precision) for _ in range(2))
    flop = 2 * multiply_adds(network, shape)
    return {
        "gflops": flop / _median(lambda: predictor(window)) / 1e9,
        "matrix_gflops": 2 * MATRIX**3 / _median(lambda: a @ b) / 1e9,
        "window_gflop": flop / 1e9,
    }


def _median(work: Callable[[], object], repeats: int = 5) -> float:
    work()
    marks = [time.perf_counter()]
    for _ in range(repeats):
        work()
        marks.append(time.perf_counter())
    return statistics.median(b - a for a, b in pairwise(marks))


def peak_gib() -> float:
    """The most memory that was ever resident in this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**20


def page(numbers: Mapping[str, Any]) -> str:
    """The Markdown page: how it was measured, and a table for each workload."""
    lines = [
        "# Speed and memory of inference beside MONAI",
        "",
        "Written by `scripts/benchmark.py`. MONAI's BasicUNetPlusPlus and NestedUNet have the same "
        f"weights ({numbers['weights']}), features {CHANNELS}, instance norm, {CLASSES} classes. "
        "Each run is a process of its own, in turn; seconds are from the network to the label map, "
        "with all that is made for it; the peak is the most that was ever resident. The volume is "
        f"{numbers['volume']}.",
        "",
        f"- {STOCK}: `SlidingWindowInferer`, overlap 0.5, 4 windows at a time, float32",
        f"- {TUNED}: allocator that keeps pages, bfloat16 autocast, overlap 0.25, Gaussian",
        f"- {OURS}: `OverlapTileInferer` in crop mode with `Predictor` in its default",
        "",
        *setting_lines(numbers),
    ]
    for workload in numbers["workloads"].values():
        lines += ["", f"## {workload['title'].capitalize()}", ""]
        lines += [
            "| way | seconds | times faster | peak GiB | of the first | Dice with the first |"
        ]
        lines += ["|---|---|---|---|---|---|"]
        first = workload["rows"][STOCK]
        lines += [_line(way, row, first) for way, row in workload["rows"].items()]
        if network := workload["network"]:
            part = network["gflops"] / network["matrix_gflops"]
            lines += [
                "",
                f"A window: {network['gflops']:.0f} GFLOP/s, {part:.0%} of a matrix product.",
            ]
    return "\n".join(lines) + "\n"


def _line(way: str, row: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    agreement = "" if row["dice"] is None else f"{row['dice']:.4f}"
    return (
        f"| {way} | {row['seconds']:.1f} | {first['seconds'] / row['seconds']:.1f} | "
        f"{row['peak_gib']:.2f} | {row['peak_gib'] / first['peak_gib']:.2f} | {agreement} |"
    )


if __name__ == "__main__":
    sys.exit(main())
