"""Benchmark memory: peak and time of NestedUNet beside MONAI's BasicUNetPlusPlus, same weights.

python scripts/benchmark_memory.py [--rounds 3] [--repeats 3] [--out docs/benchmarks]
"""

import argparse
import itertools
import json
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from _time_side_by_side import (
    REPOSITORY,
    compute_ratio,
    format_settings,
    read_settings,
    time_side_by_side,
    write,
)
from monai.networks.nets import BasicUNetPlusPlus
from torch import Tensor, nn

from medseg.base.memory import keep_freed_pages
from medseg.networks import NestedUNet
from medseg.networks.analysis.cost import measure_growth

CHANNELS = (32, 32, 64, 128, 256)
THEIRS, OURS, CHECKPOINTED = "MONAI BasicUNetPlusPlus", "NestedUNet", "NestedUNet, checkpointing"
COMPARED = {"inference": (THEIRS, OURS), "training": (THEIRS, OURS, CHECKPOINTED)}


@dataclass(frozen=True)
class Case:
    """One comparison: what is run on which image, under which allocator.

    `kept` says whether the allocator keeps freed pages (`medseg.base.memory.keep_freed_pages`).
    """

    mode: str
    size: tuple[int, ...]
    kept: bool

    def __str__(self) -> str:
        return f"{len(self.size)}D {'x'.join(map(str, self.size))}"


@dataclass(frozen=True)
class Row:
    """One network in one case; ratios are to the first network of the case, medians of rounds."""

    case: Case
    network: str
    peak_bytes: float
    peak_ratio: float
    seconds: float
    time_ratio: float
    difference: float


def main(arguments: list[str] | None = None) -> int:
    """Measure every case, and write a Markdown page and the same numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=3, help="timings of each network (%(default)s)"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="processes that measure each peak (%(default)s)"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch (%(default)s)")
    parser.add_argument(
        "--image", type=int, default=512, help="side of the 2D image in pixels (%(default)s)"
    )
    parser.add_argument(
        "--volume", type=int, default=96, help="side of the volume in voxels (%(default)s)"
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    parser.add_argument("--job", help=argparse.SUPPRESS)  # one measurement, in its own process
    given = sys.argv[1:] if arguments is None else arguments
    args = parser.parse_args(given)
    torch.set_num_threads(args.threads)
    if args.job:
        sys.stdout.write(json.dumps(run_job(**json.loads(args.job))))
        return 0
    sizes = ((args.image,) * 2, (args.volume,) * 3)
    cases = [Case("inference", size, kept) for size in sizes for kept in (True, False)]
    cases += [Case("training", size, kept=True) for size in sizes]
    rows = [row for case in cases for row in compare(case, args)]
    command = shlex.join(["python", "scripts/benchmark_memory.py", *given])
    numbers = {
        **read_settings("torch", "monai", "medseg"),
        "command": command,
        "channels": CHANNELS,
        "rows": [asdict(row) for row in rows],
    }
    numbers["hardware"] += f", {_memory_gib():.0f} GiB; {args.threads} thread(s) used"
    write(page(rows, numbers), numbers, folder=args.out, name="memory")
    return 0


def compare(case: Case, args: argparse.Namespace) -> list[Row]:
    """Peaks, each in a process of its own, and times, in turn in one process."""
    names = COMPARED[case.mode]
    job = {"mode": case.mode, "size": case.size, "kept": case.kept}
    rounds, repeats = (args.rounds, args.repeats) if case.mode == "inference" else (1, 1)
    timed = in_process(job | {"names": names, "rounds": rounds}, threads=args.threads)
    peaks = {
        name: statistics.median(
            in_process(job | {"names": [name], "rounds": 0}, threads=args.threads)["peak_bytes"]
            for _ in range(repeats)
        )
        for name in names
    }
    return [
        Row(
            case,
            name,
            peak_bytes=peaks[name],
            peak_ratio=peaks[name] / peaks[names[0]],
            seconds=statistics.median(timed["seconds"][name]),
            time_ratio=compute_ratio(timed["seconds"][name], timed["seconds"][names[0]]),
            difference=timed["differences"][name],
        )
        for name in names
    ]


def in_process(job: dict[str, Any], *, threads: int) -> dict[str, Any]:
    """Run one job in a new process, so that no other left pages behind."""
    command = [sys.executable, __file__, "--threads", str(threads), "--job", json.dumps(job)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, check=True, cwd=REPOSITORY
    )
    return json.loads(done.stdout)


def run_job(
    *, mode: str, size: Sequence[int], kept: bool, names: Sequence[str], rounds: int
) -> dict[str, Any]:
    """Time the named networks in turn for so many rounds; for none, give the peak of the first."""
    if kept and not keep_freed_pages():
        raise RuntimeError("the allocator does not keep pages: this benchmark needs Linux, glibc")
    image = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(0))
    networks = build(names, dims=len(size), training=mode == "training")
    step = STEPS[mode]
    if rounds == 0:
        network = networks[names[0]]
        step(network, image[(..., *[slice(32)] * len(size))])  # loads the kernels
        return {"peak_bytes": measure_growth(lambda: step(network, image))}
    reference, *_ = results = [step(network, image) for network in networks.values()]
    return {
        "differences": {
            name: (result - reference).abs().max().item()
            for name, result in zip(names, results, strict=True)
        },
        "seconds": time_side_by_side(
            {name: lambda net=net: step(net, image) for name, net in networks.items()}, rounds
        ),
    }


def build(names: Sequence[str], *, dims: int, training: bool) -> dict[str, nn.Module]:
    """The named networks with the same weights, in one mode; one output channel."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = BasicUNetPlusPlus(dims, 1, 1, features=(*CHANNELS, CHANNELS[0]))
    weights = theirs.state_dict()
    networks: dict[str, nn.Module] = {}
    for name in names:
        network = theirs
        if name != THEIRS:
            network = NestedUNet(dims, 1, 1, channels=CHANNELS, checkpointing=name == CHECKPOINTED)
            network.load_state_dict({key: weights[twin(key)] for key in network.state_dict()})
        networks[name] = network.train(training)
    return networks


def twin(key: str) -> str:
    """Where BasicUNetPlusPlus keeps the tensor that NestedUNet calls `key`.

    Example:
        >>> twin("nodes.x1_2.second.conv.weight")
        'upcat_1_2.convs.conv_1.conv.weight'
    """
    _, node, part, *rest = key.split(".")
    place = node[1:]
    if part == "head":
        return ".".join([f"final_conv_{place}", *rest])
    if part == "rescale":
        return ".".join([f"upcat_{place}.upsample", *rest[1:]])
    block = f"conv_{place}.convs" if place.endswith("_0") else f"upcat_{place}.convs"
    block = "conv_0_0" if place == "0_0" else block
    return ".".join([block, {"first": "conv_0", "second": "conv_1"}[part], *rest])


@torch.inference_mode()
def infer(network: nn.Module, image: Tensor) -> Tensor:
    """One forward; MONAI's network puts its logits in a list."""
    logits = network(image)
    return logits[0] if isinstance(logits, list) else logits


def train(network: nn.Module, image: Tensor) -> Tensor:
    """One forward and backward of the mean square, without an optimiser."""
    network.zero_grad(set_to_none=True)
    logits = network(image)
    logits = logits[0] if isinstance(logits, list) else logits
    logits.square().mean().backward()
    return logits.detach()


STEPS: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {"inference": infer, "training": train}


def page(rows: Sequence[Row], numbers: Mapping[str, Any]) -> str:
    """The Markdown page: what was measured, and a table for each mode."""
    lines = [
        "# Memory and time beside MONAI's BasicUNetPlusPlus",
        "",
        f"Written by `scripts/benchmark_memory.py`. The networks have the channels {CHANNELS}, one "
        "input and one output channel, affine instance normalisation and the same random weights. "
        "They have no deep supervision, and the batch is 1. The peak is the largest growth of the "
        "resident memory during one call, in a separate process. The times are measured in one "
        "process, in which the networks take turns. The ratios compare with the first network. In "
        "inference all numbers are medians; in training they come from one run. The last column is "
        "the largest difference of the logits.",
        "",
        *format_settings(numbers),
    ]
    titles = (
        "image | allocator keeps freed pages | network | peak MiB | ratio | seconds | ratio | "
        "difference"
    )
    for mode, group in itertools.groupby(rows, lambda row: row.case.mode):
        lines += ["", f"## {TITLES[mode]}", "", f"| {titles} |", "|" + "---|" * 8]
        lines += [_line(row) for row in group]
    return "\n".join(lines) + "\n"


TITLES = {
    "inference": "Inference: eval, `torch.inference_mode`",
    "training": "Training: forward and backward, no optimiser",
}


def _memory_gib() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30


def _line(row: Row) -> str:
    kept = "yes" if row.case.kept else "no"
    return (
        f"| {row.case} | {kept} | {row.network} | {row.peak_bytes / 2**20:.0f} | "
        f"{row.peak_ratio:.2f} | {row.seconds:.2f} | {row.time_ratio:.2f} | {row.difference:.0e} |"
    )


if __name__ == "__main__":
    sys.exit(main())
