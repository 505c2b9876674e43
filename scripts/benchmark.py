"""Benchmark: a CT segmented, and a network trained, by medseg and by MONAI with the same weights.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _time_side_by_side import REPOSITORY, format_settings, read_settings, write
from _workloads import (
    AGAIN,
    CLASSES,
    NORM,
    OURS,
    SKIPPING,
    STOCK,
    TRUTH,
    TUNED,
    WORKLOADS,
    centre,
    run_job,
)
from benchmark_memory import CHANNELS

from medseg.ingest import load

WINDOW_HU = (-160.0, 240.0)
NUMBERS = ("seconds", "peak_gib", "tflop", "network_seconds", "network_gflops", "matrix_gflops")


def main(arguments: list[str] | None = None) -> int:
    """Measure the workloads; those measured before at the same place stay on the page."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    args = parser.parse_args(given)
    torch.set_num_threads(args.threads)
    if args.job:
        sys.stdout.write(json.dumps(run_job(**json.loads(args.job))))
        return 0
    if args.volume is None:
        parser.error("--volume is needed: name a CT")
    if args.label is None and any(WORKLOADS[name].steps for name in args.workloads):
        parser.error("--label is needed for training: name the label map of the CT")
    conditions = read_settings("torch", "monai", "openvino", "medseg")
    conditions["hardware"] += f"; {args.threads} threads used"
    conditions["command"] = shlex.join(["python", "scripts/benchmark.py", *given])
    results = measured_before(args.out / "inference.json")
    with tempfile.TemporaryDirectory() as folder:
        image = prepare(args.volume, Path(folder) / "image.npy")
        truth = None if args.label is None else load(args.label)[0] > 0
        if truth is not None:
            np.save(image.with_name(TRUTH), truth)
        for name in args.workloads:
            found = compare(name, image, truth, args)
            results[name] = {"volume": args.volume.resolve().parent.name, **found, **conditions}
            numbers = {"workloads": {key: results[key] for key in WORKLOADS if key in results}}
            write(page(numbers), numbers, folder=args.out, name="inference")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--volume", type=Path, help="the CT to segment: a DICOM folder or a NIfTI file"
    )
    parser.add_argument(
        "--label",
        type=Path,
        help="the label map of the CT; needed for training, else Dice with it is added",
    )
    parser.add_argument("--workloads", nargs="+", default=["slices", "crop"], choices=WORKLOADS)
    parser.add_argument(
        "--rounds", type=int, default=2, help="measurements of each pipeline (%(default)s)"
    )
    parser.add_argument(
        "--stock-rounds",
        type=int,
        default=2,
        help="measurements of MONAI with its defaults (%(default)s)",
    )
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="threads of PyTorch (%(default)s)"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        help="folder with bench2d.pt and bench3d.pt; random weights without it",
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    parser.add_argument("--job", help=argparse.SUPPRESS)  # one measurement, in its own process
    return parser


def measured_before(path: Path) -> dict[str, Any]:
    """The workloads on a page that is there."""
    return json.loads(path.read_text())["workloads"] if path.exists() else {}


def prepare(volume: Path, path: Path) -> Path:
    """The windowed volume, float32, as a file that each process reads for itself."""
    array, _ = load(volume)
    low, high = WINDOW_HU
    np.save(path, ((array - low) / (high - low)).clip(0, 1).astype(np.float32))
    return path


def compare(
    name: str, image: Path, truth: np.ndarray | None, args: argparse.Namespace
) -> dict[str, Any]:
    """Each way in a process of its own, in turn, and the agreement of what they found."""
    workload = WORKLOADS[name]
    weights = None if args.weights is None or workload.steps else args.weights
    if weights is not None:
        weights = weights / f"bench{workload.dims}d.pt"
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in workload.ways}
    for turn in range(args.rounds):
        for way in workload.ways:
            if way not in (STOCK, AGAIN) or turn < args.stock_rounds:
                runs[way].append(in_process(name, way, image, weights, args.threads))
    if truth is not None:
        truth = centre(torch.from_numpy(truth)[None, None], workload.crop)[0, 0].numpy()
    rows = {}
    for way, done in runs.items():
        keys = [key for key in NUMBERS if key in done[0]]
        row = {key: statistics.median(each[key] for each in done) for key in keys}
        row |= {"runs": [each["seconds"] for each in done], "losses": done[0].get("losses")}
        row["run"] = done[0].get("run")
        if "label" in done[0]:
            label = np.load(done[0]["label"])
            row["dice_stock"] = dice(label, np.load(runs[STOCK][0]["label"]))
            row["dice_truth"] = None if truth is None else dice(label, truth)
        rows[way] = row
    return {**asdict(workload), "weights": weights and weights.name, "rows": rows}


def in_process(
    name: str, way: str, image: Path, weights: Path | None, threads: int
) -> dict[str, Any]:
    """One measurement in a new process; its label map lies beside the image."""
    path = None if weights is None else str(weights.resolve())
    job = {"name": name, "way": way, "image": str(image), "weights": path}
    command = [sys.executable, __file__, "--threads", str(threads), "--job", json.dumps(job)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, check=True, cwd=REPOSITORY
    )
    return json.loads(done.stdout)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Dice of the foreground; 1 where both are empty."""
    both = int((a > 0).sum()) + int((b > 0).sum())
    return 2 * int(((a > 0) & (b > 0)).sum()) / both if both else 1.0


def page(numbers: Mapping[str, Any]) -> str:
    """The Markdown page: how it was measured, and a table for each workload."""
    lines = [
        "# Speed and memory beside MONAI",
        "",
        "Written by `scripts/benchmark.py`. MONAI's BasicUNetPlusPlus and NestedUNet have the same "
        f"weights, the features {CHANNELS}, {NORM} norm as in MONAI's spleen bundle, and {CLASSES} "
        "classes. Each run is a separate process, and the ways take turns. The seconds count from "
        "the loaded network to the label map, with all preparation; they are medians of the runs. "
        "The peak is the highest resident memory of the process, PyTorch and MONAI included.",
        "",
        f"- {STOCK}: `SlidingWindowInferer` or `SliceInferer`, overlap 0.5, 4 windows at a time, "
        "float32, as in MONAI's spleen bundle",
        f"- {TUNED}: an allocator that keeps freed pages, autocast to the fastest precision of the "
        "CPU, channels last, overlap 0.25, Gaussian, 1 window at a time; PyTorch without OpenVINO",
        f"- {OURS}: `OverlapTileInferer` in crop mode, with the default `Predictor` of the device; "
        "in 3D with a halo of 16. In training: the network after `networks.to_device`, with the "
        "allocator and autocast",
        f"- {SKIPPING}: the same with `skip=0`, the value of air in the HU window {WINDOW_HU}",
        "",
        "TFLOP counts the operations of all passes through the network, two for a multiply-add. "
        "The rate of a typical pass is compared with that of the product of two matrices in the "
        "same precision on the same threads. If weights are named, they were trained on this "
        "volume alone (`scripts/train_benchmark.py`), so that the label maps can be compared. So "
        "the Dice with the label says nothing about other patients. No GPU was measured.",
    ]
    for workload in numbers["workloads"].values():
        lines += ["", f"## {workload['title'][0].upper()}{workload['title'][1:]}", ""]
        lines += training(workload) if workload["steps"] else segmentation(workload)
        lines += ["", *format_settings(workload)]
    return "\n".join(lines) + "\n"


def segmentation(workload: Mapping[str, Any]) -> Iterator[str]:
    """The table of a volume that was segmented."""
    yield (
        f"The volume is {workload['volume']}, the weights are {workload['weights'] or 'random'}. "
        f"The windows have {'x'.join(map(str, workload['window']))} in MONAI and at most "
        f"{'x'.join(map(str, workload['tile']))} in medseg, which is run by "
        f"`{workload['rows'][OURS]['run']}`. Runs: "
        + ", ".join(f"{way} {len(row['runs'])}" for way, row in workload["rows"].items())
        + "."
    )
    yield ""
    yield from table(
        "way",
        "seconds",
        "times faster",
        "faster than tuned",
        "peak GiB",
        "share of the first",
        "TFLOP",
        "seconds in the network",
        "GFLOP/s of a pass",
        "share of a matrix product",
        "Dice with the first",
        "Dice with the label",
    )
    first, tuned = (workload["rows"][way] for way in (STOCK, TUNED))
    for way, row in workload["rows"].items():
        truth = row["dice_truth"]
        yield line(
            way,
            f"{row['seconds']:.1f}",
            f"{first['seconds'] / row['seconds']:.1f}",
            f"{tuned['seconds'] / row['seconds']:.1f}",
            f"{row['peak_gib']:.2f}",
            f"{row['peak_gib'] / first['peak_gib']:.2f}",
            f"{row['tflop']:.1f}",
            f"{row['network_seconds']:.1f}",
            f"{row['network_gflops']:.0f}",
            f"{row['network_gflops'] / row['matrix_gflops']:.0%}",
            f"{row['dice_stock']:.4f}",
            "" if truth is None else f"{truth:.4f}",
        )


def training(workload: Mapping[str, Any]) -> Iterator[str]:
    """The table of training steps: seconds of one, and the losses beside the first way's."""
    yield (
        f"Each way makes {workload['steps']} steps of Adam on patches of {workload['volume']} of "
        f"{'x'.join(map(str, workload['window']))}, with its organ as the target. The seconds are "
        "the median of the steps without the first two. The losses are compared step by step with "
        "those of the first way, in the second half of the steps. The row with other initial "
        "weights shows which difference is only noise."
    )
    yield ""
    yield from table(
        "way", "seconds", "times faster", "peak GiB", "first loss", "last loss", "mean difference"
    )
    first = workload["rows"][STOCK]
    for way, row in workload["rows"].items():
        yield line(
            way,
            f"{row['seconds']:.2f}",
            f"{first['seconds'] / row['seconds']:.1f}",
            f"{row['peak_gib']:.2f}",
            f"{row['losses'][0]:.3f}",
            f"{row['losses'][-1]:.3f}",
            f"{difference(row['losses'], first['losses']):.4f}",
        )


def difference(losses: Sequence[float], others: Sequence[float]) -> float:
    """The mean difference of two loss curves, in their second half."""
    pairs = list(zip(losses, others, strict=True))[len(losses) // 2 :]
    return statistics.mean(abs(a - b) for a, b in pairs)


def table(*head: str) -> Iterator[str]:
    """The head of a Markdown table."""
    yield line(*head)
    yield "|" + "---|" * len(head)


def line(*cells: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
