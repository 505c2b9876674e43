"""Reproduce the numbers of bundles/liver_slices: train, score held-out slices, segment a real CT.

    python scripts/reproduce_liver_slices.py --slices DIR --ct IMAGE LABEL

`DIR` has `images` and `masks` (see `medseg.datasets.liver_slices`), IMAGE and LABEL are a CT in HU
with its label map, for instance patient 1 of 3D-IRCADb-01, which the split keeps out of training.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from medseg.inference.outputs.source import get_case_name
from medseg.ingest import check_same_grid, load
from medseg.metrics import score_case

BUNDLE = "bundles/liver_slices"
MEDSEG = str(Path(sys.executable).with_name("medseg"))


def main() -> int:
    """Exit status 0 when every stage is done; the scores are printed as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=Path, required=True, help="folder with images and masks")
    parser.add_argument(
        "--ct",
        type=Path,
        nargs=2,
        metavar=("IMAGE", "LABEL"),
        help="a real CT and its label map, to segment at the end",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/liver_slices"))
    parser.add_argument("--epochs", type=int, default=60, help="epochs of training (%(default)s)")
    parser.add_argument("--weights", type=Path, help="weights to score instead of training")
    args = parser.parse_args()
    common = ["-b", str(args.out)]
    if args.weights is None:
        train = ["--dataset_dir", str(args.slices), "--output_dir", str(args.out)]
        medseg("train", "-b", BUNDLE, *train, "--max_epochs", str(args.epochs))
    else:
        common = ["-b", BUNDLE, "--weights", str(args.weights)]
    scores = args.out / "test"
    test = ["--dataset_dir", str(args.slices), "--output_dir", str(scores), "--section", "test"]
    medseg("evaluate", *common, *test)
    results = {"slices": json.loads((scores / "metrics_summary.json").read_text())}
    if args.ct:
        results["ct"] = segment_and_score(*args.ct, out=args.out / "ct", options=common)
    sys.stdout.write(json.dumps(results, indent=2) + "\n")
    return 0


def segment_and_score(image: Path, label: Path, *, out: Path, options: list[str]) -> dict:
    """Scores of the label map of a CT against every voxel above 0 of its label."""
    medseg("segment", str(image), *options, "-o", str(out), "--existing", "overwrite")
    pred, grid = load(out / f"{get_case_name(image)}.nii.gz")
    truth, truth_grid = load(label)
    check_same_grid(grid, truth_grid, names=("label map", str(label)))
    return score_case(np.asarray(pred) > 0, np.asarray(truth) > 0, spacing=grid.spacing_mm)


def medseg(*arguments: str) -> None:
    """Run a verb of the `medseg` command."""
    subprocess.run([MEDSEG, *arguments], check=True)


if __name__ == "__main__":
    sys.exit(main())
