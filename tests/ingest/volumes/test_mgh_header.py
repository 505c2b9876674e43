"""Tests of medseg.ingest.volumes.mgh_header: FreeSurfer's volumes are read as nibabel reads
them."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest
from ingest.volume_writer import AFFINE, voxels, write_volume

from medseg.ingest import IngestError, Reason, load
from medseg.ingest.inspect_files import inspect


def spoil(path, place, content):
    block = bytearray(path.read_bytes())
    block[place : place + len(content)] = content
    path.write_bytes(block)
    return path


@pytest.mark.parametrize("suffix", [".mgh", ".mgz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_values_and_grid_are_those_of_nibabel(suffix, dtype, tmp_path):
    path = write_volume(tmp_path / f"a{suffix}", voxels(dtype))
    array, geometry = load(path)
    theirs = nib.load(path)
    np.testing.assert_array_equal(array, np.asarray(theirs.dataobj))
    np.testing.assert_allclose(geometry.affine, theirs.affine, atol=1e-5)
    np.testing.assert_allclose(geometry.affine, AFFINE, atol=1e-5)


def test_a_packed_mgh_under_its_long_name_is_read(tmp_path):
    content = write_volume(tmp_path / "a.mgh").read_bytes()
    (tmp_path / "b.mgh.gz").write_bytes(gzip.compress(content))
    np.testing.assert_array_equal(load(tmp_path / "b.mgh.gz")[0], voxels())


def test_frames_are_volumes_to_choose_from(tmp_path):
    frames = np.stack([voxels() + 100 * n for n in range(4)], axis=-1)
    path = write_volume(tmp_path / "a.mgz", frames)
    with pytest.raises(IngestError) as caught:
        load(path)
    assert caught.value.code is Reason.NOT_3D
    np.testing.assert_array_equal(load(path, volume=3)[0], voxels() + 300)


def test_what_follows_the_voxels_is_no_fault_and_voxels_that_lack_are(tmp_path):
    path = write_volume(tmp_path / "a.mgh")
    content = path.read_bytes()
    path.write_bytes(content + b"tags of FreeSurfer" * 1000)
    np.testing.assert_array_equal(load(path)[0], voxels())
    path.write_bytes(content[: 284 + 239])
    with pytest.raises(IngestError) as caught:
        load(path)
    assert caught.value.code is Reason.TRUNCATED


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".mgh", bytes), (".mgz", gzip.compress), (".mgh", gzip.compress)]
)
@pytest.mark.parametrize("tail", [bytes(2**24), b"abcd" * 2**18 + b"."])
def test_what_goes_on_for_longer_than_any_footer_is_refused(tail, suffix, pack, tmp_path):
    content = write_volume(tmp_path / "a.mgh").read_bytes()
    path = tmp_path / f"b{suffix}"
    path.write_bytes(pack(content[: 284 + 240] + bytes(2**20)))
    np.testing.assert_array_equal(load(path)[0], voxels())
    path.write_bytes(pack(content[: 284 + 240] + tail))
    with pytest.raises(IngestError, match=r"continues after the 524 bytes") as caught:
        load(path)
    assert caught.value.code is Reason.TRAILING_BYTES


@pytest.mark.parametrize("suffix", [".mgh", ".mgz", ".nii", ".nii.gz", ".mha"])
def test_inspect_sees_too_what_goes_on(suffix, tmp_path):
    path = write_volume(tmp_path / f"a{suffix}")
    tail = bytes(2**24)
    with (gzip.open if suffix.endswith("z") else open)(path, "ab") as file:
        file.write(tail)
    (row,) = inspect(path)
    assert row.reason is Reason.TRAILING_BYTES


@pytest.mark.parametrize(
    ("place", "content", "code"),
    [
        (0, b"\0\0\0\2", Reason.UNREADABLE),
        (4, b"\0\0\0\0", Reason.NOT_3D),
        (4, b"\x7f\0\0\0", Reason.TRUNCATED),
        (20, b"\0\0\0\7", Reason.VOXEL_TYPE),
        (28, b"\0\0", Reason.NO_ORIENTATION),
        (30, b"\0\0\0\0", Reason.INVALID_GEOMETRY),
        (30, b"\x7f\xc0\0\0", Reason.INVALID_GEOMETRY),
    ],
)
def test_a_header_is_not_mended_but_refused(place, content, code, tmp_path):
    path = spoil(write_volume(tmp_path / "a.mgh"), place, content)
    with pytest.raises(IngestError, match=r"a\.mgh") as caught:
        load(path)
    assert caught.value.code is code
