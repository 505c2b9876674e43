"""Benchmark windows: by how much a label map depends on the windows, with instance norm.

python scripts/benchmark_windows.py --volume data/ircad_01 --weights bench3d.pt
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
from _in_turn import REPOSITORY, setting_lines, settings, write
from _workloads import OURS, WORKLOADS, build, centre
from benchmark import dice, prepare
from torch import Tensor, nn

from medseg.inference import OverlapTileInferer, Predictor
from medseg.ingest import load
from medseg.memory import keep_freed_pages

TRAINED = 96
"""Voxels per axis of the patches that the weights were trained on, and of the first windows."""

WAYS = {
    "blend, overlap 0.5": {"mode": "blend", "overlap": 0.5},
    "blend, overlap 0.25": {"mode": "blend", "overlap": 0.25},
    "crop, halo 16": {"mode": "crop", "halo": 16, "edge": "network"},
    "crop, halo 32": {"mode": "crop", "halo": 32, "edge": "network"},
}
SIZES = (64, TRAINED, 128, 144, 160)


def main(arguments: list[str] | None = None) -> int:
    """Segment one volume by windows of many sizes, and write how the label maps differ."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--volume", type=Path, required=True, help="folder of image.nii.gz and label.nii.gz"
    )
    parser.add_argument("--weights", type=Path, required=True, help="see train_benchmark.py")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    args = parser.parse_args(given)
    keep_freed_pages()
    torch.set_num_threads(args.threads)
    crop = WORKLOADS["crop"].crop
    with tempfile.TemporaryDirectory() as folder:
        path = prepare(args.volume / "image.nii.gz", Path(folder) / "image.npy")
        image = torch.from_numpy(np.load(path))
    image = centre(image[None, None], crop)
    truth = torch.from_numpy(load(args.volume / "label.nii.gz")[0] > 0)
    truth = centre(truth[None, None], crop)[0, 0].numpy()
    network = build(3, OURS, str(args.weights), training=False)
    numbers = {
        **settings("torch", "openvino", "medseg"),
        "command": shlex.join(["python", "scripts/benchmark_windows.py", *given]),
        "volume": f"the middle {'x'.join(map(str, image.shape[2:]))} voxels of {args.volume.name}",
        "rows": measure(network, image, truth),
    }
    write(page(numbers), numbers, folder=args.out, name="windows")
    return 0


def measure(network: nn.Module, image: Tensor, truth: np.ndarray) -> list[dict[str, Any]]:
    """Dice of each label map with the first one, that of the training's windows, and the truth."""
    predictor = Predictor(network, "cpu", precision="float32")
    rows, first = [], None
    for size in sorted(SIZES, key=lambda n: n != TRAINED):
        for name, settings_ in WAYS.items():
            if size <= 2 * settings_.get("halo", 0):
                continue
            inferer = OverlapTileInferer(size, output="labels", **settings_)
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
        "Written by `scripts/benchmark_windows.py`. A 3D NestedUNet with instance norm, trained on "
        f"patches of {TRAINED} voxels per axis of this volume (`scripts/train_benchmark.py`), "
        f"segments {numbers['volume']} in float32, by windows of other sizes too. Its statistics "
        "are those of the window, so each size gives an answer of its own. With batch norm or "
        "none, windows with a halo that covers the receptive field would all be alike. The first "
        "Dice is with windows as in training, blended at overlap "
        "0.5; the second is with the label that the weights were trained on, and says nothing of "
        "other patients."
    )
    yield ""
    yield from setting_lines(numbers)
    yield ""
    yield "| window | way | Dice with windows as in training | Dice with the label |"
    yield "|---|---|---|---|"
    for row in numbers["rows"]:
        yield f"| {row['size']} | {row['way']} | {row['dice']:.4f} | {row['truth']:.4f} |"


if __name__ == "__main__":
    sys.exit(main())
