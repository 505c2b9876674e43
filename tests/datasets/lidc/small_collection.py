"""Small collection: what the tests of LIDC share around the collection of the phantom."""

import csv
import os

import pydicom
import pytest

from medseg.datasets import lidc
from medseg.datasets.lidc import Settings
from medseg.ingest import read_series as _read_series

SMALL = Settings(size=16, spacing_mm=4.0)
PATIENTS = 4


def prepare_small(source, out, *, read_series=_read_series, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("medseg.datasets.lidc.scan_record.read_series", read_series)
        return lidc.prepare(source, out, **{"settings": SMALL} | options)


def read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_contents(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def list_codes(report):
    return [problem.code for problem in report.problems]


def find_one(collection, pattern="*.xml"):
    return sorted(collection.rglob(pattern))[0]


def brighten(file):
    """Add 100 to every voxel at the same size and date."""
    before, dataset = file.stat(), pydicom.dcmread(file)
    dataset.PixelData = (dataset.pixel_array + 100).astype("<u2").tobytes()
    dataset.save_as(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def list_patches(out):
    return list((out / "patches/images").iterdir())


def read_dates(folder):
    """Inode and date of each file but the tables and datalists, which every run writes."""
    found = ((p.relative_to(folder), p.stat()) for p in folder.rglob("*LIDC-IDRI-*.*"))
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in found}
