"""Benchmark nnU-Net: time and memory of the same weights by nnU-Net's own predictor and by medseg.

python scripts/benchmark_nnunet.py MODEL IMAGE [IMAGE ...], where nnunetv2 and medseg are installed,
MODEL is a folder of a trained nnU-Net, and a case of several channels is given as "a,b".
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
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
import torch
from _time_side_by_side import REPOSITORY, format_settings, read_settings, write

from medseg.base.memory import keep_freed_pages, measure_resident_peak

NNUNET = "nnUNetPredictor, float32"
WAYS: Mapping[str, Mapping[str, Any]] = {
    "medseg, float32": {"mixed_precision": False},
    "medseg": {},
    "medseg --fast": {"fast": True},
}
"""The ways of medseg, and the keys of each."""

Predict = Callable[[list[str], Path], object]


def main(arguments: list[str] | None = None) -> int:
    """Time the ways in turn, each run in a process of its own, and write the page."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of a trained nnU-Net, with one fold used")
    parser.add_argument("images", nargs="+", help="files; channels of a case joined by commas")
    parser.add_argument("--labels", nargs="*", default=[], help="true labels, one for each image")
    parser.add_argument("--fold", default="0", help="the fold that is used (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each way (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads (%(default)s)")
    parser.add_argument("--about", default="", help="a sentence on model and images")
    parser.add_argument("--name", default="nnunet", help="name of the page (%(default)s)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    args = parser.parse_args(given)
    torch.set_num_threads(args.threads)
    if args.way:
        print(json.dumps(run(args)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        import_bundle(args, Path(folder))
        runs = time_ways(args, given, Path(folder))
        rows = [summarise(way, runs, args, Path(folder)) for way in (NNUNET, *WAYS)]
    numbers = {
        **read_settings("torch", "nnunetv2", "openvino", "medseg"),
        "command": shlex.join(["python", "scripts/benchmark_nnunet.py", *given]),
        "about": args.about,
        "cases": len(args.images),
        "rounds": args.rounds,
        "rows": rows,
    }
    numbers["hardware"] += f"; {args.threads} threads used"
    write(page(numbers), numbers, folder=args.out, name=args.name)
    return 0


def import_bundle(args: argparse.Namespace, folder: Path) -> None:
    """Make the bundle that all ways of medseg run."""
    from medseg.bundles.nnunet.import_model import import_model

    import_model(args.model, folder / "bundle", folds=[args.fold])


def time_ways(
    args: argparse.Namespace, given: Sequence[str], folder: Path
) -> dict[str, list[dict[str, Any]]]:
    """What each run of each way measured; the ways take turns."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in (NNUNET, *WAYS)}
    for _ in range(args.rounds):
        for way, done in runs.items():
            command = [sys.executable, __file__, *given, "--way", way, "--out", str(folder)]
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            if told.returncode:
                raise RuntimeError(f"{way} failed: {told.stderr[-2000:]}")
            done.append(json.loads(told.stdout.splitlines()[-1]))
            print(way, done[-1], file=sys.stderr)
    return runs


def run(args: argparse.Namespace) -> dict[str, float]:
    """Predict all images in this process; seconds count from the loaded network to the files."""
    passes = Passes()
    predict = load_nnunet(args, passes) if args.way == NNUNET else load_medseg(args, passes)
    peak = measure_resident_peak(reset=False)
    started = time.perf_counter()
    for place, image in enumerate(args.images):
        predict(image.split(","), file_of(args.out, args.way, place))
    return {
        "seconds": time.perf_counter() - started,
        "peak_gib": measure_resident_peak(reset=False) / 2**30,
        "loaded_gib": peak / 2**30,
        "tflop": passes.count * passes.flop / 1e12,
        "passes": passes.count,
    }


def file_of(folder: Path, way: str, place: int) -> Path:
    """The label map of a way for an image."""
    names = [NNUNET, *WAYS]
    return folder / f"{names.index(way)}_{place}.nii.gz"


class Passes:
    """Counts the passes through a network, and the operations of one, two for a multiply-add."""

    def __init__(self) -> None:
        self.count, self.flop = 0, 0.0

    def add(self, network: torch.nn.Module, windows: torch.Tensor) -> None:
        """Count the windows of a batch."""
        from medseg.networks.analysis.cost import count_multiply_adds

        if not self.count:
            self.flop = 2.0 * count_multiply_adds(network, (1, *windows.shape[1:]))
        self.count += len(windows)


def load_nnunet(args: argparse.Namespace, passes: Passes) -> Predict:
    """nnU-Net's predictor on the CPU as its command makes it: step 0.5, mirroring, Gaussian."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    made = nnUNetPredictor(
        perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    folds = (args.fold if args.fold == "all" else int(args.fold),)
    made.initialize_from_trained_model_folder(str(args.model), folds, "checkpoint_final.pth")
    plain = type(made.network)(**network_arguments(made))
    made.network.register_forward_pre_hook(lambda _, given: passes.add(plain, given[0]))

    def predict(files: list[str], out: Path) -> None:
        made.predict_from_files_sequential([files], [str(out)])

    return predict


def network_arguments(predictor: Any) -> dict[str, Any]:
    """What builds the predictor's network anew, without hooks, to count its operations."""
    from pydoc import locate

    found = predictor.configuration_manager
    arguments = dict(found.network_arch_init_kwargs)
    for name in found.network_arch_init_kwargs_req_import:
        if arguments[name] is not None:
            arguments[name] = locate(arguments[name])
    return {
        "input_channels": len(found.normalization_schemes),
        "num_classes": predictor.label_manager.num_segmentation_heads,
        "deep_supervision": False,
        **arguments,
    }


def load_medseg(args: argparse.Namespace, passes: Passes) -> Predict:
    """The imported bundle, as `medseg segment` runs it."""
    keep_freed_pages()
    from medseg.bundles.segmenter import Segmenter
    from medseg.inference import Predictor

    segmenter = Segmenter(args.out / "bundle", force=True, measure=False, **WAYS[args.way])
    call = Predictor.__call__

    def count(self: Predictor, images: torch.Tensor) -> torch.Tensor:
        passes.add(self.origin, images)
        return call(self, images)

    Predictor.__call__ = count  # type: ignore[method-assign]

    def predict(files: list[str], out: Path) -> None:
        found = segmenter(files if len(files) > 1 else files[0])
        image = SimpleITK.GetImageFromArray(found.mask.transpose(2, 1, 0))
        image.CopyInformation(SimpleITK.ReadImage(files[0]))
        SimpleITK.WriteImage(image, str(out), useCompression=True)

    return predict


def summarise(
    way: str, runs: Mapping[str, Sequence[Mapping[str, float]]], args: Any, folder: Path
) -> dict[str, Any]:
    """The medians of a way, its ratios to nnU-Net within each round, and what its labels are."""
    own, first = runs[way], runs[NNUNET]
    ratio = {
        key: statistics.median(a[key] / b[key] for a, b in zip(own, first, strict=True))
        for key in ("seconds", "peak_gib")
    }
    places = range(len(args.images))
    maps = [read(file_of(folder, way, place)) for place in places]
    theirs = [read(file_of(folder, NNUNET, place)) for place in places]
    return {
        "way": way,
        **{key: statistics.median(one[key] for one in own) for key in own[0]},
        "faster": 1 / ratio["seconds"],
        "memory": ratio["peak_gib"],
        "agreement": compare(maps, theirs),
        "truth": compare(maps, [read(Path(file)) for file in args.labels]) if args.labels else None,
    }


def read(file: Path) -> np.ndarray:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file)))


def compare(maps: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> dict[str, Any]:
    """The Dice of each label, the mean and the least over the cases that have it."""
    labels = sorted({int(value) for one in (*maps, *others) for value in np.unique(one)} - {0})
    found = {}
    for label in labels:
        pairs = [(a == label, b == label) for a, b in zip(maps, others, strict=True)]
        scores = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in pairs if (a | b).any()]
        found[str(label)] = {"mean": float(np.mean(scores)), "least": float(np.min(scores))}
    return found


def page(numbers: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    return "\n".join(
        [
            "# A model of nnU-Net by nnU-Net and by medseg",
            "",
            "Written by `scripts/benchmark_nnunet.py`. The same weights predict the same images by "
            "`nnUNetPredictor` on the CPU (float32, step 0.5, mirroring, Gaussian weights), and as "
            "an imported bundle with the same step and mirroring: in float32, as `medseg segment` "
            "runs it, and with `--fast`. Each run is a process of its own, and the ways take "
            "turns. Seconds count from the loaded network to the written label map, with reading, "
            "resampling and all preparation; the peak is the largest resident memory of the "
            "process, PyTorch included. They are medians over the runs, and the ratios are medians "
            "of the ratios within each round. TFLOP counts the operations of all passes through "
            "the network, two for a multiply-add.",
            "",
            *([numbers["about"], ""] if numbers["about"] else []),
            *format_settings(numbers),
            f"- images: {numbers['cases']}; runs of each way: {numbers['rounds']}",
            "",
            *format_rows(numbers["rows"]),
            "",
        ]
    )


def format_rows(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each way."""
    judged = rows[0]["truth"] is not None
    head = "| way | seconds | times faster | peak GiB | share of the first | TFLOP | GFLOP/s "
    head += "| Dice with the first: mean (least) |" + " Dice with the truth |" * judged
    lines = [head, "|---" * (8 + judged) + "|"]
    for row in rows:
        rate = 1000 * row["tflop"] / row["seconds"]
        cells = [
            *(row["way"], f"{row['seconds']:.1f}", f"{row['faster']:.1f}"),
            *(f"{row['peak_gib']:.2f}", f"{row['memory']:.2f}", f"{row['tflop']:.2f}"),
            *(f"{rate:.0f}", format_scores(row["agreement"], least=True)),
        ]
        if judged:
            cells.append(format_scores(row["truth"], least=False))
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def format_scores(scores: Mapping[str, Mapping[str, float]], *, least: bool) -> str:
    return ", ".join(
        f"{one['mean']:.4f} ({one['least']:.4f})" if least else f"{one['mean']:.3f}"
        for one in scores.values()
    )


if __name__ == "__main__":
    sys.exit(main())
