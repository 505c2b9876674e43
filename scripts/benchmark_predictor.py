"""Benchmark predictor: what each way to run a network gains, and what it changes.

python scripts/benchmark_predictor.py --agree bundles/hippocampus data/hippocampus/imagesTr
"""

import argparse
import copy
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _time_side_by_side import (
    REPOSITORY,
    compute_ratio,
    format_settings,
    read_settings,
    time_side_by_side,
    write,
)
from _workloads import CHANNELS, matrix_gflops
from monai.bundle import ConfigParser
from monai.inferers import Inferer
from torch import Tensor, nn

from medseg.base.class_values import Classes
from medseg.base.memory import keep_freed_pages
from medseg.inference import Predictor
from medseg.inference.predictor.backends import BACKENDS, is_installed, list_precisions
from medseg.inference.predictor.fuse_norms import fuse_batch_norm
from medseg.networks import NestedUNet, load_weights, to_device
from medseg.networks.analysis.cost import count_multiply_adds
from medseg.transforms.classes import make_label_map
from medseg.transforms.regions import are_regions

SIZES = {2: (512, 512), 3: (96, 96, 96)}
REFERENCE = "PyTorch, float32"
Run = Callable[[], object]


def main(arguments: list[str] | None = None) -> int:
    """Time the ways in turn, hold their label maps against float32, write the page."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="timings of each way (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads (%(default)s)")
    parser.add_argument("--device", default="cpu", help="device of PyTorch (%(default)s)")
    parser.add_argument(
        "--agree", nargs=2, action="append", default=[], metavar=("BUNDLE", "INPUT")
    )
    parser.add_argument(
        "--cases", type=int, default=60, help="the most cases taken from INPUT (%(default)s)"
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    args = parser.parse_args(given)
    keep_freed_pages()
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    numbers = {
        **read_settings("torch", "openvino", "onnxruntime", "medseg"),
        "command": shlex.join(["python", "scripts/benchmark_predictor.py", *given]),
        "times": [times(dims, device, args.rounds) for dims in SIZES],
        "agreements": [
            agreement(Path(bundle), Path(source), device, args.cases)
            for bundle, source in args.agree
        ],
    }
    numbers["hardware"] += f"; {args.threads} threads used, device {device}"
    write(page(numbers), numbers, folder=args.out, name="predictor")
    return 0


def times(dims: int, device: torch.device, rounds: int) -> dict[str, Any]:
    """Seconds of a pass in each way, and of the first, which prepares it."""
    torch.manual_seed(0)
    network = NestedUNet(dims, 1, 2, channels=CHANNELS, norm="batch").to(device).eval()
    shape = (1, 1, *SIZES[dims])
    image = torch.rand(shape, device=device)
    passes, first = {}, {}
    for name, make in ways(network, device).items():
        started = time.perf_counter()
        passes[name] = finished(make(), image)
        passes[name]()
        first[name] = time.perf_counter() - started
    seconds = time_side_by_side(passes, rounds)
    flop = 2 * count_multiply_adds(network, shape)
    kinds = list_precisions("eager", device)
    rates = {str(kind).removeprefix("torch."): matrix_gflops(kind, device) for kind in kinds}
    rows = {
        name: {
            "seconds": float(np.median(each)),
            "faster": 1 / compute_ratio(each, seconds[REFERENCE]),
            "gflops": flop / float(np.median(each)) / 1e9,
            "first": first[name],
        }
        for name, each in seconds.items()
    }
    return {"shape": shape, "rows": rows, "matrix_gflops": rates}


def ways(network: nn.Module, device: torch.device) -> dict[str, Callable[[], Callable]]:
    """Each lever on its own over PyTorch in float32, then every backend in its precisions."""

    def last() -> nn.Module:
        return to_device(copy.deepcopy(network), device)

    levers: dict[str, Callable[[], Callable]] = {
        REFERENCE: lambda: network,
        "PyTorch, channels last, float32": last,
        "PyTorch, batch norm fused, float32": lambda: fuse_batch_norm(network),
        "PyTorch, bfloat16": lambda: reduced(network, device),
        "PyTorch, channels last, bfloat16": lambda: reduced(last(), device),
    }
    made = predictors(network, device)
    return levers | {f"Predictor, {name}": make for name, make in made.items()}


def predictors(network: nn.Module, device: torch.device) -> dict[str, Callable[[], Predictor]]:
    """Each backend that is there, in each precision that it has on this machine's device."""
    pairs = [
        (backend, str(precision).removeprefix("torch."))
        for backend in BACKENDS
        if is_installed(backend, device.type)
        for precision in list_precisions(backend, device)
    ]
    return {
        f"{backend}, {name}": partial(Predictor, network, device, backend=backend, precision=name)
        for backend, name in pairs
    }


def reduced(run: Callable[[Tensor], Tensor], device: torch.device) -> Callable[[Tensor], Tensor]:
    """A network under bfloat16 autocast."""

    def under(image: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            return run(image)

    return under


def finished(run: Callable[[Tensor], Tensor], image: Tensor) -> Run:
    """A pass without gradients that ends when the device has ended it."""

    @torch.inference_mode()
    def whole() -> None:
        run(image)
        if image.is_cuda:
            torch.cuda.synchronize()

    return whole


def agreement(bundle: Path, source: Path, device: torch.device, most: int) -> dict[str, Any]:
    """Dice per class of each backend's label maps with those of PyTorch in float32.

    Images, preprocessing, windows and weights are those of the bundle's own inference.
    """
    with tempfile.TemporaryDirectory() as folder:
        parser = ConfigParser()
        parser.read_config(str(bundle / "configs" / "inference.json"))
        fixed = {"bundle_root": str(bundle), "input": str(source), "output_dir": f"{folder}/out"}
        parser.update({**fixed, "device": f"$torch.device({str(device)!r})"})
        network = load_weights(parser.get_parsed_content("network"), bundle / "models/model.pt")
        cases = parser.get_parsed_content("cases")[:most]
        prepare = parser.get_parsed_content("preprocessing")
        images = [prepare(case)["image"].as_tensor()[None] for case in cases]
    window_inferer = parser.get_parsed_content("window_inferer")
    window_inferer.progress = False
    made = {REFERENCE: network.eval, **predictors(network, device)}
    classes = parser.get_parsed_content("classes")
    maps = label_maps(made, images, window_inferer, classes)
    reference = maps.pop(REFERENCE)
    rows = {name: compared(labels, reference, len(classes)) for name, labels in maps.items()}
    return {"bundle": bundle.name, "cases": len(images), "classes": list(classes), "rows": rows}


def label_maps(
    made: Mapping[str, Callable[[], nn.Module | Predictor]],
    images: Sequence[Tensor],
    inferer: Inferer,
    classes: Classes,
) -> dict[str, list[np.ndarray]]:
    """The label maps of all images by each predictor, one predictor at a time."""
    regions = are_regions(classes)

    def label_map(answer: Tensor) -> np.ndarray:
        labels = answer.dtype == torch.uint8
        return (answer[0] if labels else make_label_map(answer[0], regions=regions)).numpy()

    maps = {}
    for name, make in made.items():
        if name.startswith("compile"):
            torch.compiler.reset()  # or the shapes of the one before count towards its limit
        run = make()
        maps[name] = [label_map(inferer(image, run).cpu()) for image in images]
    return maps


def compared(
    maps: Sequence[np.ndarray], reference: Sequence[np.ndarray], classes: int
) -> dict[str, list[float]]:
    """Dice of each class over all voxels of all cases, and in the worst case."""
    pairs = list(zip(maps, reference, strict=True))
    both = np.array(
        [[((a == k) & (b == k)).sum() for k in range(1, classes + 1)] for a, b in pairs]
    )
    each = np.array(
        [[(a == k).sum() + (b == k).sum() for k in range(1, classes + 1)] for a, b in pairs]
    )
    worst = np.where(each > 0, 2 * both / np.maximum(each, 1), 1).min(axis=0)
    pooled = np.where(each.sum(0) > 0, 2 * both.sum(0) / np.maximum(each.sum(0), 1), 1)
    return {"pooled": pooled.tolist(), "worst": worst.tolist()}


def page(numbers: Mapping[str, Any]) -> str:
    """The Markdown page: a table of times for each network, one of agreement for each bundle."""
    lines = [
        "# What each way to run a network gains",
        "",
        "Written by `scripts/benchmark_predictor.py`. The ways take turns in one process. The "
        "network is a NestedUNet with batch norm, random weights and the channels "
        f"{CHANNELS}. The seconds are medians, and the ratios are medians of the ratios within "
        "each round. The allocator keeps freed pages in all ways ([memory](memory.md) shows what "
        "this gains). The first pass includes all preparation, such as compiling.",
        "",
        *format_settings(numbers),
    ]
    for network in numbers["times"]:
        lines += ["", f"## {'x'.join(map(str, network['shape'][2:]))}", "", *times_table(network)]
    if numbers["agreements"]:
        lines += ["", "## Agreement with PyTorch in float32", ""]
        lines += [
            "With trained weights, and with the preprocessing and the windows of the bundle: the "
            "Dice over all voxels of all cases, and the Dice of the worst case.",
            "",
            "| bundle | cases | backend | class | Dice | worst case |",
            "|---|---|---|---|---|---|",
        ]
        lines += [line for each in numbers["agreements"] for line in agreement_lines(each)]
    return "\n".join(lines) + "\n"


def times_table(network: Mapping[str, Any]) -> Iterator[str]:
    """A line for each way."""
    titles = "seconds | times faster | GFLOP/s | share of a matrix product | first pass, seconds"
    yield f"| way | {titles} |"
    yield "|---|---|---|---|---|---|"
    for name, row in network["rows"].items():
        part = row["gflops"] / network["matrix_gflops"][name.split(", ")[-1]]
        yield (
            f"| {name} | {row['seconds']:.2f} | {row['faster']:.2f} | {row['gflops']:.0f} | "
            f"{part:.0%} | {row['first']:.1f} |"
        )


def agreement_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """A line for each backend and class."""
    for backend, row in found["rows"].items():
        for name, pooled, worst in zip(found["classes"], row["pooled"], row["worst"], strict=True):
            yield (
                f"| {found['bundle']} | {found['cases']} | {backend} | {name} | {pooled:.5f} | "
                f"{worst:.5f} |"
            )


if __name__ == "__main__":
    sys.exit(main())
