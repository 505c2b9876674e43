"""Demo: a synthetic CT set, a liver bundle trained on it, a DICOM study segmented, and scores.

    python scripts/demo.py [--out demo] [--epochs 6]

A smoke run: it shows that every stage works here, not how well medseg segments a patient.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

NOTE = "SYNTHETIC SMOKE RUN: computed phantoms, a few epochs; no statement about real patients."
SIZE = 128


def main() -> int:
    """Run the stages in turn; the exit status is that of the first stage that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo"),
        help="folder for everything the demo writes (%(default)s)",
    )
    parser.add_argument("--epochs", type=int, default=6, help="epochs of training (%(default)s)")
    args = parser.parse_args()
    started = time.monotonic()
    tell(NOTE)
    if args.out.exists():
        kept = args.out.with_name(f"{args.out.name}-{time.strftime('%Y%m%d-%H%M%S')}")
        args.out.rename(kept)
        tell(f"the earlier {args.out} is now {kept}")
    for title, command in stages(args.out, epochs=args.epochs):
        tell(f"\n== {title}\n$ {shlex.join(command)}")
        status = subprocess.run(command, check=False).returncode
        if status:
            tell(f"error: this stage ended with status {status}")
            return status
    report(args.out, seconds=time.monotonic() - started)
    return 0


def stages(out: Path, *, epochs: int) -> list[tuple[str, list[str]]]:
    """Title and command of every stage."""
    medseg = str(Path(sys.executable).with_name("medseg"))
    data, run, bundle = out / "data", out / "run", out / "liver"
    small = ["--image_size", f"[{SIZE}, {SIZE}]"]
    training = [
        *(sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "training"),
        *("--config_file", str(bundle / "train.json")),
        *("--dataset_dir", str(data), "--output_dir", str(run), "--cache_dir", str(out / "cache")),
        *("--max_epochs", str(epochs), "--num_workers", "0", *small),
    ]
    written = [medseg, "phantom", "ct", "--out", str(data), "--cases", "6", "--size", str(SIZE)]
    study = str(data / "dicom" / "liver_006")
    return [
        ("write the synthetic CT set: 6 cases to train and validate, 1 to test", written),
        (
            "copy the liver bundle, so that yours gets no weights of phantoms",
            [medseg, "bundles", "copy", "bundles/liver", str(bundle)],
        ),
        ("train", training),
        (
            "segment the test case from its DICOM folder",
            [medseg, "segment", study, "--bundle", str(run), "--out", str(out / "masks")],
        ),
        (
            "evaluate on the test case",
            [
                *(medseg, "evaluate", "--bundle", str(run), "--section", "test"),
                *("--output_dir", str(out / "scores")),
            ],
        ),
    ]


def report(out: Path, *, seconds: float) -> None:
    """Say where everything lies and the Dice reached."""
    summary = json.loads((out / "scores" / "metrics_summary.json").read_text())
    tell(f"\n{NOTE}")
    for title, path in (
        ("mask", out / "masks" / "liver_006.nii.gz"),
        ("preview", out / "masks" / "liver_006.png"),
        ("metrics", out / "scores" / "metrics.csv"),
        ("trained model", out / "run"),
    ):
        tell(f"{title:<14} {path}")
    tell(
        f"{'Dice':<14} {summary['classes']['liver']['dice']['mean']:.3f} (liver, the one test case)"
    )
    tell(f"{'time':<14} {seconds:.0f} s")


def tell(text: str) -> None:
    """A line on standard output, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
