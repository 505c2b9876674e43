"""Benchmark nnU-Net: time and memory of the same weights by nnU-Net's own predictor and by medseg.

python scripts/benchmark_nnunet.py MODEL IMAGE [IMAGE ...], where nnunetv2 and medseg are installed,
MODEL is a folder of a trained nnU-Net, and a case of several channels is given as "a,b". MODEL
"generated" stands for a network of the size that nnU-Net plans for CT of the abdomen, with random
weights: it takes the time and the memory of a trained one.
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

GENERATED = "generated"
ABDOMEN: Mapping[str, Any] = {
    "patch_size": [64, 192, 160],
    "spacing": [1.6, 0.79, 0.79],
    "architecture": {
        "n_stages": 6,
        "features_per_stage": [32, 64, 128, 256, 320, 320],
        "kernel_sizes": [[1, 3, 3], *[[3, 3, 3]] * 5],
        "strides": [[1, 1, 1], [1, 2, 2], *[[2, 2, 2]] * 3, [1, 2, 2]],
        "n_conv_per_stage": [2] * 6,
        "n_conv_per_stage_decoder": [2] * 5,
    },
}
"""A 3d_fullres of nnU-Net for CT of the abdomen, on a GPU of 8 GB."""

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
    parser.add_argument("model", type=Path, help='folder of a trained nnU-Net, or "generated"')
    parser.add_argument("images", nargs="+", help="files; channels of a case joined by commas")
    parser.add_argument("--labels", nargs="*", default=[], help="true labels, one for each image")
    parser.add_argument("--fold", default="0", help="the fold that is used (%(default)s)")
    parser.add_argument("--classes", type=int, default=2, help="of the generated (%(default)s)")
    parser.add_argument("--crop", type=int, help="take so many pixels of the middle of slices")
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
        prepare(args, Path(folder))
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


def prepare(args: argparse.Namespace, folder: Path) -> None:
    """Write what all ways share: the images, a model if it is to be generated, and the bundle."""
    from medseg.bundles.nnunet.import_model import import_model

    for place, image in enumerate(args.images):
        for channel, file in enumerate(image.split(",")):
            copy_image(Path(file), folder / f"image_{place}_{channel:04d}.nii.gz", args.crop)
    for place, file in enumerate(args.labels):
        copy_image(Path(file), folder / f"label_{place}.nii.gz", args.crop)
    if str(args.model) == GENERATED:
        generate(folder / GENERATED, args.classes)
    import_model(find_model(args, folder), folder / "bundle", folds=[args.fold])


def find_model(args: argparse.Namespace, folder: Path) -> Path:
    return folder / GENERATED if str(args.model) == GENERATED else args.model


def copy_image(source: Path, target: Path, crop: int | None) -> None:
    """Copy an image, or the middle of its slices."""
    image = SimpleITK.ReadImage(str(source))
    if crop:
        x, y = ((n - crop) // 2 for n in image.GetSize()[:2])
        image = image[x : x + crop, y : y + crop]
    SimpleITK.WriteImage(image, str(target))


def generate(folder: Path, classes: int) -> None:
    """Write a model folder of nnU-Net whose network is `ABDOMEN` and has random weights."""
    from dynamic_network_architectures.architectures.unet import PlainConvUNet
    from torch import nn

    arguments = {
        **ABDOMEN["architecture"],
        "conv_bias": True,
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin_kwargs": {"inplace": True},
    }
    layers = {"conv_op": nn.Conv3d, "norm_op": nn.InstanceNorm3d, "nonlin": nn.LeakyReLU}
    names = {key: f"{layer.__module__}.{layer.__name__}" for key, layer in layers.items()}
    rule = {"force_separate_z": None, "is_seg": False, "order_z": 0}
    resample = "resample_data_or_seg_to_shape"
    configuration = {
        "data_identifier": "generated",
        "preprocessor_name": "DefaultPreprocessor",
        "patch_size": ABDOMEN["patch_size"],
        "spacing": ABDOMEN["spacing"],
        "batch_size": 2,
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        **{f"resampling_fn_{kind}": resample for kind in ("data", "seg", "probabilities")},
        "resampling_fn_data_kwargs": {**rule, "order": 3},
        "resampling_fn_seg_kwargs": {**rule, "is_seg": True, "order": 1},
        "resampling_fn_probabilities_kwargs": {**rule, "order": 1},
        "architecture": {
            "network_class_name": f"{PlainConvUNet.__module__}.{PlainConvUNet.__name__}",
            "arch_kwargs": {**arguments, **names},
            "_kw_requires_import": [*layers, "dropout_op"],
        },
    }
    plans = {
        "dataset_name": "Dataset001_Generated",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {"3d_fullres": configuration},
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 99.0, "std": 40.0, "percentile_00_5": -40.0, "percentile_99_5": 190.0}
        },
    }
    labels = {"background": 0, **{f"class_{value}": value for value in range(1, classes + 1)}}
    dataset = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    torch.manual_seed(0)
    network = PlainConvUNet(
        1, num_classes=len(labels), deep_supervision=False, **arguments, **layers
    )
    (folder / "fold_0").mkdir(parents=True)
    for name, content in (("plans", plans), ("dataset", {**dataset, "numTraining": 0})):
        (folder / f"{name}.json").write_text(json.dumps(content))
    checkpoint = {
        "network_weights": network.state_dict(),
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": "3d_fullres"},
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")


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
        files = [
            args.out / f"image_{place}_{channel:04d}.nii.gz"
            for channel, _ in enumerate(image.split(","))
        ]
        predict([str(file) for file in files], file_of(args.out, args.way, place))
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
    made.initialize_from_trained_model_folder(
        str(find_model(args, args.out)), folds, "checkpoint_final.pth"
    )
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
        "differ": sum(int((a != b).sum()) for a, b in zip(maps, theirs, strict=True)),
        "labelled": sum(int((one > 0).sum()) for one in theirs),
        "truth": compare(maps, [read(folder / f"label_{place}.nii.gz") for place in places])
        if args.labels
        else None,
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
            "the network, two for a multiply-add. Voxels that differ are counted beside those that "
            "nnU-Net labels; there is a Dice for each label, over the images that have it.",
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
    head += "| voxels that differ | Dice with the first: mean (least) |"
    lines = [head + " Dice with the truth |" * judged, "|---" * (9 + judged) + "|"]
    for row in rows:
        rate = 1000 * row["tflop"] / row["seconds"]
        cells = [
            *(row["way"], f"{row['seconds']:.1f}", f"{row['faster']:.1f}"),
            *(f"{row['peak_gib']:.2f}", f"{row['memory']:.2f}", f"{row['tflop']:.2f}"),
            *(f"{rate:.0f}", f"{row['differ']} of {row['labelled']}"),
            format_scores(row["agreement"], least=True),
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
