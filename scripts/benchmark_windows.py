"""Benchmark windows: how much a label map depends on the windows, for each norm.

python scripts/benchmark_windows.py --volume data/ircad_01 --weights batch=a.pt instance=b.pt
"""

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _time_side_by_side import REPOSITORY, format_settings, read_settings, write
from _workloads import CLASSES
from benchmark import dice, prepare
from benchmark_memory import CHANNELS
from torch import Tensor, nn
from train_benchmark import SIZE

from medseg.base.memory import keep_freed_pages
from medseg.inference import OverlapTileInferer, Predictor
from medseg.ingest import load
from medseg.networks import NestedUNet, load_weights

TRAINED = SIZE[2][0]
"""Voxels per axis of the patches that the weights were trained on, and of the first windows."""

WAYS = {
    "blend, overlap 0.5": {"mode": "blend", "overlap": 0.5},
    "blend, overlap 0.25": {"mode": "blend", "overlap": 0.25},
    "crop, halo 32": {"mode": "crop", "halo": 32, "edge": "network"},
    "crop, halo 96": {"mode": "crop", "halo": 96, "edge": "network"},
}
SIZES = (128, TRAINED, 384, 512)


def main(arguments: list[str] | None = None) -> int:
    """Segment slices by windows of many sizes, and write how the label maps differ."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--volume", type=Path, required=True, help="folder with image.nii.gz and label.nii.gz"
    )
    parser.add_argument(
        "--weights",
        nargs="+",
        required=True,
        metavar="NORM=FILE",
        help="a norm and the weights of a 2D network that has it (train_benchmark.py writes them)",
    )
    parser.add_argument(
        "--every", type=int, default=8, help="segment every n-th slice (%(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="threads of PyTorch (%(default)s)"
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    args = parser.parse_args(given)
    keep_freed_pages()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        path = prepare(args.volume / "image.nii.gz", Path(folder) / "image.npy")
        image = torch.from_numpy(np.load(path))[None, None, ..., :: args.every]
    truth = load(args.volume / "label.nii.gz")[0][..., :: args.every] > 0
    norms = dict(pair.split("=", 1) for pair in args.weights)
    numbers = {
        **read_settings("torch", "openvino", "medseg"),
        "command": shlex.join(["python", "scripts/benchmark_windows.py", *given]),
        "volume": f"{image.shape[-1]} slices of {args.volume.name}",
        "norms": {
            norm: measure(network_of(norm, Path(file)), image, truth)
            for norm, file in norms.items()
        },
    }
    write(page(numbers), numbers, folder=args.out, name="windows")
    return 0


def network_of(norm: str, weights: Path) -> nn.Module:
    """The network of `train_benchmark.py`."""
    return load_weights(NestedUNet(2, 1, CLASSES, channels=CHANNELS, norm=norm), weights).eval()


def measure(network: nn.Module, image: Tensor, truth: np.ndarray) -> list[dict[str, Any]]:
    """Dice of each label map with the first one, that of the training's windows, and the truth."""
    predictor = Predictor(network, "cpu", precision="float32")
    rows, first = [], None
    for size in sorted(SIZES, key=lambda n: n != TRAINED):
        for name, settings_ in WAYS.items():
            if size <= 2 * settings_.get("halo", 0):
                continue
            inferer = OverlapTileInferer(size, slices=2, output="labels", **settings_)
            label = inferer(image, predictor)[0, 0].numpy()
            first = label if first is None else first
            found = {"size": size, "way": name}
            rows.append(found | {"dice": dice(label, first), "truth": dice(label, truth)})
    return sorted(rows, key=lambda row: row["size"])


def page(numbers: Mapping[str, Any]) -> str:
    """The Markdown page."""
    return "\n".join(_lines(numbers)) + "\n"


def _lines(numbers: Mapping[str, Any]) -> Iterator[str]:
    yield "# How far a label map depends on the windows"
    yield ""
    yield (
        "Written by `scripts/benchmark_windows.py`. Two 2D networks that differ only in their norm "
        f"were trained in the same way on patches of {TRAINED}x{TRAINED} of one volume "
        f"(`scripts/train_benchmark.py`). They segment {numbers['volume']} in float32, in windows "
        "of this and of other sizes. Instance norm takes its statistics from the window, so each "
        "window size gives a different label map. Batch norm uses the statistics of the training. "
        "The first Dice compares with the label map from windows as in training, blended with "
        "overlap 0.5. The second Dice compares with the label that the weights were trained on, so "
        "it says nothing about other patients. Cropped windows are as small as their number "
        "allows, and may be smaller than `roi_size`."
    )
    yield ""
    yield from format_settings(numbers)
    for norm, rows in numbers["norms"].items():
        yield from ("", f"## Norm: {norm}", "")
        yield "| roi_size | way | Dice with windows as in training | Dice with the label |"
        yield "|---|---|---|---|"
        for row in rows:
            yield f"| {row['size']} | {row['way']} | {row['dice']:.4f} | {row['truth']:.4f} |"


if __name__ == "__main__":
    sys.exit(main())
