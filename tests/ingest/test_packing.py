"""Tests of medseg.ingest.packing: a packed file is read where that is certain, or named."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zipfile

import nibabel
import numpy as np
import pytest

from medseg.cli.nothing_found import refuse_nothing_found
from medseg.ingest import IngestError, Reason, load
from medseg.ingest.inspect_files import inspect
from medseg.ingest.pictures.file import read_picture

VALUES = np.arange(24, dtype=np.int16).reshape(2, 3, 4)


def plain(folder, kind=nibabel.Nifti1Image, suffix=".nii"):
    path = folder / f"plain{suffix}"
    nibabel.save(kind(VALUES, np.diag([1, 2, 3, 1])), path)
    return path.read_bytes()


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("case.nii", gzip.compress),
        ("case.nii", bz2.compress),
        ("case.nii.gz", bytes),
        ("case.nii.gz", bz2.compress),
    ],
)
def test_a_nifti_is_unpacked_by_its_bytes_and_not_by_its_name(name, pack, kind, tmp_path):
    path = tmp_path / name
    path.write_bytes(pack(plain(tmp_path, kind)))
    np.testing.assert_array_equal(load(path)[0], VALUES)
    (row,) = inspect(path)
    assert row.is_usable


@pytest.mark.parametrize(("name", "pack"), [("case.mgh", gzip.compress), ("case.mgz", bytes)])
def test_so_is_an_mgh(name, pack, tmp_path):
    path = tmp_path / name
    path.write_bytes(pack(plain(tmp_path, nibabel.MGHImage, ".mgh")))
    np.testing.assert_array_equal(load(path)[0], VALUES)


@pytest.mark.parametrize("name", ["case.nii", "case.nii.gz", "case.mgz", "case.nrrd", "case.mha"])
def test_an_archive_says_what_it_is(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(lzma.compress(plain(tmp_path)))
    with pytest.raises(IngestError, match=f"{name} is a xz file, despite its name") as caught:
        load(path)
    assert caught.value.code is Reason.UNKNOWN_FORMAT
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("case.nii", plain(tmp_path))
    with pytest.raises(IngestError, match=f"{name} is a zip (file|archive), despite its name"):
        load(path)


@pytest.mark.parametrize("name", ["case.nrrd", "case.mha"])
def test_a_packed_text_header_says_what_it_is(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"NRRD0004\n"))
    with pytest.raises(IngestError, match=f"{name} is a gzip file, despite its name"):
        load(path)


def test_what_is_no_file_is_called_what_it_is_by_every_reader(tmp_path):
    for name in ("pipe.nii.gz", "pipe.nrrd", "pipe.mha", "pipe.mgz", "pipe.png"):
        os.mkfifo(tmp_path / name)
        (tmp_path / f"lost_{name}").symlink_to("nowhere")
        read = read_picture if name.endswith("png") else load
        for path, what in ((name, "a pipe, socket or device"), (f"lost_{name}", "a broken link")):
            with pytest.raises(IngestError, match=f"{path} is {what}") as caught:
                read(tmp_path / path)
            assert caught.value.code is Reason.NOT_FOUND
    with pytest.raises(IngestError, match="no such file"):
        load(tmp_path / "gone.nii.gz")


COMPRESSED = b"\x1f\x9d\x90"  # compress of Unix, 16 bits; the standard library does not write it


@pytest.mark.parametrize(
    ("suffix", "pack", "what"),
    [
        (".gz", gzip.compress, "gzip"),
        (".GZ", gzip.compress, "gzip"),
        (".bz2", bz2.compress, "bzip2"),
        (".xz", lzma.compress, "xz"),
        (".lzma", lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE), "lzma"),
        (".zst", lambda data: b"\x28\xb5\x2f\xfd" + data, "zstandard"),
        (".Z", lambda data: COMPRESSED + data, "compress"),
        (".lz4", lambda data: b"\x04\x22\x4d\x18" + data, "lz4"),
        (".lz", lambda data: b"LZIP" + data, "lzip"),
    ],
)
@pytest.mark.parametrize(
    ("name", "content"),
    [("x.nrrd", b"NRRD0004\n"), ("x.mha", b"ObjectType = Image\n"), ("x.nhdr", b"NRRD0005\n")],
)
def test_a_packed_volume_is_to_be_unpacked_and_not_renamed(
    name, content, suffix, pack, what, tmp_path
):
    path = tmp_path / f"{name}{suffix}"
    path.write_bytes(pack(content + bytes(400)))
    said = f"{name}{suffix} is packed with {what}: unpack it first, and pass {name}$"
    for read in (load, refuse_nothing_found):
        with pytest.raises(IngestError, match=said) as caught:
            read(path)
        assert caught.value.code is Reason.UNKNOWN_FORMAT


@pytest.mark.parametrize(
    ("suffix", "pack", "what"),
    [(".bz2", bz2.compress, "bzip2"), (".xz", lzma.compress, "xz")],
)
def test_so_is_a_nifti_that_is_packed_in_another_way_than_gzip(suffix, pack, what, tmp_path):
    path = tmp_path / f"x.nii{suffix}"
    path.write_bytes(pack(plain(tmp_path)))
    with pytest.raises(IngestError, match=rf"with {what}: unpack it first, and pass x\.nii$"):
        load(path)


@pytest.mark.parametrize("name", ["case.nii", "case.nii.gz", "case.mgz", "case.nrrd", "case.mha"])
def test_what_compress_packed_is_called_so_under_the_name_of_a_volume(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(COMPRESSED + bytes(400))
    with pytest.raises(IngestError, match=f"{name} is a compress file, despite .*: unpack it"):
        load(path)


def test_a_nifti_packed_with_gzip_under_no_suffix_of_a_volume_is_to_be_renamed(tmp_path):
    path = tmp_path / "case.gz"
    path.write_bytes(gzip.compress(plain(tmp_path)))
    with pytest.raises(IngestError, match=r"case\.gz is NIfTI, .*\.nii\.gz where it is packed$"):
        load(path)


def test_a_folder_of_packed_volumes_alone_says_so(tmp_path):
    for name in ("a.nrrd.gz", "b.nii.Z"):
        (tmp_path / name).write_bytes(gzip.compress(bytes(400)))
    with pytest.raises(ValueError, match=r"2 packed files .*, first a\.nrrd\.gz: unpack them"):
        refuse_nothing_found(tmp_path)
