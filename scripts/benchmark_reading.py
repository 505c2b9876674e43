"""Benchmark reading: time to read one CT series beside SimpleITK's series reader.

python scripts/benchmark_reading.py [--slices 300] [--rounds 7] [--out docs/benchmarks]
"""

import argparse
import shlex
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk  # noqa: N813  # its own idiom
from _time_side_by_side import (
    REPOSITORY,
    compute_ratio,
    format_settings,
    read_settings,
    time_side_by_side,
    write,
)
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from medseg.ingest import load

THEIRS, OURS = "SimpleITK ImageSeriesReader", "medseg.ingest.load"
STEP_MM = 1.25


def main(arguments: list[str] | None = None) -> int:
    """Write a series, check that both ways read the same, time them, and write the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--size", type=int, default=512, help="rows and columns of a slice (%(default)s)"
    )
    parser.add_argument(
        "--slices", type=int, default=300, help="slices, one file each (%(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, default=7, help="timings of each reader (%(default)s)"
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "docs" / "benchmarks")
    given = sys.argv[1:] if arguments is None else arguments
    args = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_series(folder, size=args.size, slices=args.slices)
        check_equal(folder)  # and the files are in the cache from here on
        seconds = time_side_by_side(
            {THEIRS: lambda: read_theirs(folder), OURS: lambda: load(folder)}, args.rounds
        )
    command = shlex.join(["python", "scripts/benchmark_reading.py", *given])
    numbers = {
        **read_settings("SimpleITK", "pydicom", "numpy", "medseg"),
        "command": command,
        "shape": [args.size, args.size, args.slices],
        "rounds": args.rounds,
        "seconds": {way: statistics.median(times) for way, times in seconds.items()},
        "ratio": compute_ratio(seconds[OURS], seconds[THEIRS]),
    }
    write(page(numbers), numbers, folder=args.out, name="reading")
    return 0


def write_series(folder: Path, *, size: int, slices: int) -> None:
    """Write a CT series of random int16 values: explicit little endian, names that say nothing."""
    rng = np.random.default_rng(0)
    dataset = _template(size)
    for k, name in enumerate(rng.permutation(slices)):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.InstanceNumber = k + 1
        dataset.ImagePositionPatient = [-180, -180, k * STEP_MM]
        dataset.PixelData = rng.integers(-1024, 3072, (size, size), dtype=np.int16).tobytes()
        dataset.save_as(folder / f"im{name:04d}.dcm", enforce_file_format=True)


def read_theirs(folder: Path) -> np.ndarray:
    """Find, sort and read the series the way SimpleITK's documentation does: (slices, y, x)."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return sitk.GetArrayFromImage(reader.Execute())


def check_equal(folder: Path) -> None:
    """Refuse to compare the times of readers that do not read the same.

    Raises:
        RuntimeError: the voxels differ.
    """
    if not np.array_equal(load(folder)[0].transpose(2, 1, 0), read_theirs(folder)):
        raise RuntimeError(f"{OURS} and {THEIRS} read different voxels: compare nothing")


def page(numbers: dict) -> str:
    """The Markdown page: what was measured, and a row for each reader."""
    columns, rows, slices = numbers["shape"]
    lines = [
        "# Time to read a DICOM series",
        "",
        f"Written by `scripts/benchmark_reading.py`. A CT series of {slices} uncompressed slices "
        f"of {columns}x{rows}, int16, in one file each, is read completely from the cache of the "
        f"file system, {numbers['rounds']} times by each reader, in turn, in one process. "
        "SimpleITK's time is that of `GetGDCMSeriesFileNames`, `Execute` and `GetArrayFromImage`; "
        "the time of medseg includes the verdict on every header. The script checks that both "
        "give the same voxels. The seconds are medians, and depend on other work of the machine; "
        "the ratio is the median of the ratios within each round.",
        "",
        *format_settings(numbers),
        "",
        "| reader | seconds | ratio |",
        "|---|---|---|",
        f"| {THEIRS} | {numbers['seconds'][THEIRS]:.2f} | 1.00 |",
        f"| {OURS} | {numbers['seconds'][OURS]:.2f} | {numbers['ratio']:.2f} |",
    ]
    return "\n".join(lines) + "\n"


def _template(size: int) -> pydicom.Dataset:
    """What all slices share."""
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = generate_uid(), generate_uid()
    dataset.StudyInstanceUID = generate_uid()
    dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.7], STEP_MM
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.Rows = dataset.Columns = size
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    return dataset


if __name__ == "__main__":
    sys.exit(main())
