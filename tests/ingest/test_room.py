"""Tests of medseg.ingest.room: what has no room in memory is refused before it is read."""

from __future__ import annotations

import gzip

import nibabel
import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series

from medseg.base import memory
from medseg.ingest import IngestError, Reason, load
from medseg.ingest.pictures.load import COPIES, PictureReader
from medseg.ingest.room import check_room


@pytest.fixture
def free(monkeypatch):
    def set_free(free_bytes):
        monkeypatch.setattr(memory, "available_bytes", lambda: free_bytes)

    return set_free


def test_what_is_not_known_to_be_short_is_not_refused(free, tmp_path):
    free(None)
    check_room(tmp_path, 10**15)
    free(100)
    check_room(tmp_path, 100)


def test_the_message_has_both_numbers_in_one_line(free, tmp_path):
    free(1_500_000_000)
    with pytest.raises(IngestError, match=r"takes 5\.49 GB of memory, 1\.50 GB are free") as caught:
        check_room(tmp_path / "case.nii.gz", 5_488_000_000)
    assert caught.value.code is Reason.NO_MEMORY


def nifti(path, dtype, *, slope=None):
    image = nibabel.Nifti1Image(np.zeros((100, 100, 10), dtype), np.eye(4))
    if slope is not None:
        image.header.set_slope_inter(slope, 0)
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize(
    ("dtype", "slope", "needed"),
    [
        (np.uint8, None, 100_000),
        (np.float32, None, 400_000),
        (np.int16, 0.5, 600_000),
        (np.float64, None, 1_200_000),
    ],
)
def test_a_nifti_is_looked_at_against_free_memory(dtype, slope, needed, free, tmp_path):
    path = nifti(tmp_path / "case.nii.gz", dtype, slope=slope)
    free(needed)
    load(path)
    free(needed - 1)
    with pytest.raises(IngestError, match="of memory") as caught:
        load(path)
    assert caught.value.code is Reason.NO_MEMORY


def test_a_nifti_without_room_is_not_inflated(free, tmp_path, monkeypatch):
    path = nifti(tmp_path / "case.nii.gz", np.uint8)
    free(1000)
    read = gzip.GzipFile.read
    total = []
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda file, size=-1: total.append(size) or read(file, size)
    )
    with pytest.raises(IngestError, match="of memory"):
        load(path)
    assert sum(total) <= 348


def test_a_dicom_series_is_looked_at_against_free_memory(free, tmp_path):
    write_series(tmp_path, make_series())
    free(239)  # of 120 voxels of 2 bytes
    with pytest.raises(IngestError, match="of memory") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.NO_MEMORY
    free(240)
    load(tmp_path)


def test_a_picture_is_looked_at_against_free_memory(free, tmp_path):
    from PIL import Image

    path = tmp_path / "slide.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 200), np.uint8)).save(path)
    reader = PictureReader()
    free(300 * 200 * 4 * COPIES - 1)
    with pytest.raises(IngestError, match="of memory") as caught:
        reader.get_data(reader.read(path))
    assert caught.value.code is Reason.NO_MEMORY
    free(300 * 200 * 4 * COPIES)
    reader.get_data(reader.read(path))
