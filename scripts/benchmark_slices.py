"""Benchmark slices: time to read random 2D slices of CT volumes, three ways side by side.

python scripts/benchmark_slices.py [--cases 4] [--size 512] [--slices 64] [--rounds 5]
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import Dataset, PersistentDataset
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from medseg.datasets import phantom
from medseg.ingest.reader import VolumeReader
from medseg.transforms import SliceDataset

KEYS = ["image", "label"]


@dataclass
class Way:
    """One way to a slice: how it is read, what it took to prepare, and what each round took."""

    name: str
    read: Callable[[int, int], Any]
    prepare_s: float
    disk_bytes: int
    slice_s: list[float] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> int:
    """Write a phantom, measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=4, help="number of volumes (%(default)s)")
    parser.add_argument(
        "--size", type=int, default=512, help="rows and columns of a slice (%(default)s)"
    )
    parser.add_argument("--slices", type=int, default=64, help="slices in a volume (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="timings of each way (%(default)s)")
    parser.add_argument(
        "--per-round", type=int, default=6, help="slices read in each timing (%(default)s)"
    )
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        root = phantom.write(
            "ct", Path(folder) / "ct", cases=args.cases, size=args.size, slices=args.slices
        )
        ways = prepare(root, Path(folder))
        measure(ways, shape=(args.cases, args.slices), rounds=args.rounds, count=args.per_round)
        sys.stdout.write(table(ways, epoch=args.cases * args.slices))
    return 0


def prepare(root: Path, folder: Path) -> list[Way]:
    """The three ways over the training volumes of the phantom at `root`."""
    cases = [
        {"case": p.name, "image": str(p), "label": str(root / "labelsTr" / p.name)}
        for p in sorted((root / "imagesTr").iterdir())
    ]
    load = Compose([LoadImaged(KEYS, reader=VolumeReader()), EnsureChannelFirstd(KEYS)])
    source = Dataset(cases, load)
    started = time.perf_counter()
    kept = PersistentDataset(cases, load, cache_dir=folder / "volumes")
    for case in range(len(kept)):
        _ = kept[case]
    kept_s = time.perf_counter() - started
    started = time.perf_counter()
    slices = SliceDataset(cases, load=load, cache_dir=folder / "slices", background=1000)
    place = {key: item for item, key in enumerate(slices.index)}
    slices_s = time.perf_counter() - started
    return [
        Way("`LoadImaged` for each slice", _cut(source), 0.0, 0),
        Way("`PersistentDataset` of volumes", _cut(kept), kept_s, _bytes(folder / "volumes")),
        Way(
            "`SliceDataset`", lambda v, k: slices[place[v, k]], slices_s, _bytes(folder / "slices")
        ),
    ]


def measure(ways: list[Way], *, shape: tuple[int, int], rounds: int, count: int) -> None:
    """Read the same random slices every way, in turn, so that all meet the same machine."""
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        wanted = [tuple(map(int, rng.integers(0, shape))) for _ in range(count)]
        for way in ways:
            started = time.perf_counter()
            for volume, index in wanted:
                way.read(volume, index)
            way.slice_s.append((time.perf_counter() - started) / count)


def table(ways: list[Way], *, epoch: int) -> str:
    """Medians over the rounds; the ratio is taken within each round."""
    last = ways[-1].slice_s
    titles = ("way", "ms a slice", f"s for {epoch} slices", "ratio", "preparation s", "disk MB")
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for way in ways:
        middle = statistics.median(way.slice_s)
        ratio = statistics.median(a / b for a, b in zip(way.slice_s, last, strict=True))
        numbers = f"{1000 * middle:.1f} | {middle * epoch:.1f} | {ratio:.0f} x"
        lines.append(
            f"| {way.name} | {numbers} | {way.prepare_s:.1f} | {way.disk_bytes / 1e6:.0f} |"
        )
    return "\n".join(lines) + "\n"


def _cut(volumes: Dataset) -> Callable[[int, int], Any]:
    def read(volume: int, index: int) -> dict[str, Any]:
        whole = volumes[volume]
        return {key: whole[key][..., index] for key in KEYS}

    return read


def _bytes(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


if __name__ == "__main__":
    sys.exit(main())
