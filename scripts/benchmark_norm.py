"""Benchmark norm: what channels that stay last through instance norm gain, on the CPU.

python scripts/benchmark_norm.py --rounds 7 --threads 1
"""

import argparse
import copy
import os
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from functools import partial
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
from torch import Tensor, nn

from medseg.base.memory import keep_freed_pages
from medseg.networks import NestedUNet, to_device

WORKLOADS: Mapping[str, tuple[Sequence[int], Sequence[int]]] = {
    "2D, 4 pictures of 160x160": ((4, 1, 160, 160), (32, 64, 128, 256)),
    "3D, a patch of 40x56x40": ((1, 1, 40, 56, 40), (16, 32, 64, 128)),
    "3D, 2 patches of 40x56x40": ((2, 1, 40, 56, 40), (16, 32, 64, 128)),
}


def main(arguments: list[str] | None = None) -> int:
    """Time a network with torch's layout and norm beside the same one as `to_device` makes it."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="timings of each way (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads (%(default)s)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    args = parser.parse_args(given)
    keep_freed_pages()
    torch.set_num_threads(args.threads)
    numbers = {
        **read_settings("torch", "medseg"),
        "command": shlex.join(["python", "scripts/benchmark_norm.py", *given]),
        "rows": [
            compare(name, shape, channels, bfloat16=bfloat16, train=train, rounds=args.rounds)
            for name, (shape, channels) in WORKLOADS.items()
            for bfloat16 in (False, True)
            for train in (False, True)
        ],
    }
    numbers["hardware"] += f"; {args.threads} threads used"
    write(make_page(numbers), numbers, folder=args.out, name="norm")
    return 0


def compare(
    name: str,
    shape: Sequence[int],
    channels: Sequence[int],
    *,
    bfloat16: bool,
    train: bool,
    rounds: int,
) -> dict[str, Any]:
    """Seconds of both, in turn."""
    torch.manual_seed(0)
    stock = NestedUNet(len(shape) - 2, 1, 2, channels=channels).train(train)
    ours = to_device(copy.deepcopy(stock), "cpu")
    image = torch.rand(*shape)
    ways = {
        key: partial(run, network, image, bfloat16=bfloat16, train=train)
        for key, network in {"stock": stock, "ours": ours}.items()
    }
    for way in ways.values():
        way()
    seconds = time_side_by_side(ways, rounds)
    return {
        "workload": name,
        "type": "bfloat16" if bfloat16 else "float32",
        "what": "training step" if train else "inference",
        "faster": compute_ratio(seconds["stock"], seconds["ours"]),
        **{key: statistics.median(each) for key, each in seconds.items()},
    }


def run(network: nn.Module, image: Tensor, *, bfloat16: bool, train: bool) -> None:
    """One pass, and in training the gradients."""
    with torch.set_grad_enabled(train), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        heads = network(image)
        loss = sum(head.float().square().mean() for head in heads) if train else None
    if isinstance(loss, Tensor):
        loss.backward()


def make_page(numbers: Mapping[str, Any]) -> str:
    """The page, in Markdown."""
    rows = [
        f"| {r['workload']} | {r['what']} | {r['type']} | {r['stock']:.3f} | {r['ours']:.3f} | "
        f"{r['faster']:.2f} |"
        for r in numbers["rows"]
    ]
    return "\n".join(
        [
            "# What channels last gain through instance norm",
            "",
            "Written by `scripts/benchmark_norm.py`. A NestedUNet with instance norm and random "
            "weights, as it is made, and as `medseg.networks.to_device` lays it out on a CPU: with "
            "channels last in weights and maps, and an instance norm that copies none. Both "
            "take turns in one process; seconds are medians, and the ratio is the median of those "
            "within each round. In 3D a CPU without bfloat16 in hardware keeps torch's layout.",
            "",
            *format_settings(numbers),
            "",
            "| workload | what | type | torch, seconds | channels last, seconds | times faster |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
