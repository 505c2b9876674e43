"""Tests of medseg.ingest.content: what is no volume of its name is called what it is."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest
from ingest.volume_writer import write_volume

from medseg.ingest import IngestError, Reason, inspect, load
from medseg.ingest.formats import SUFFIXES, find_suffix

PAGE = b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>Please sign in</body></html>"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
NAMES = ["a.nii", "a.nii.gz", "a.hdr", "a.nrrd", "a.nhdr", "a.mha", "a.mhd", "a.mgz", "a.mgh"]


def refused(path):
    with pytest.raises(IngestError) as caught:
        load(path)
    (row,) = inspect(path)
    assert (row.reason, row.findings) == (caught.value.code, (caught.value.finding,))
    assert row.remedies == (caught.value.remedy,)
    return caught.value


def tar():
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("case.nii"))
    return held.getvalue()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PAGE, "is a web page (HTML), despite its name: download the file again"),
        (LFS, "is the pointer that Git LFS keeps for a file, despite its name: run `git lfs"),
        (b"/annex/objects/MD5E-s1--a.nii.gz\n", "git-annex keeps for a file, despite"),
        (bytes(128) + b"DICM" + bytes(400), "despite its name: give it the right suffix"),
        (b"%PDF-1.7\n" + bytes(600), "is a PDF document, despite its name"),
    ],
)
def test_what_is_no_volume_is_called_what_it_is(content, said, name, tmp_path):
    (tmp_path / name).write_bytes(content)
    error = refused(tmp_path / name)
    assert error.code is Reason.UNKNOWN_FORMAT
    assert said in str(error)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_file_is_called_empty(name, tmp_path):
    (tmp_path / name).touch()
    error = refused(tmp_path / name)
    assert error.code is Reason.TRUNCATED
    assert error.finding == f"{tmp_path / name} is empty"


@pytest.mark.parametrize(
    ("name", "said"),
    [("a.zip", "is a zip archive: unpack it"), ("a", "is a zip archive, despite its name")],
)
def test_an_archive_is_called_one(name, said, tmp_path):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("IM0001", bytes(200))
    with pytest.raises(IngestError, match=said):
        load(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.nii.gz", gzip.compress(gzip.compress(bytes(9))), "packed twice"),
        ("a.nii.gz", gzip.compress(tar()), "a tar archive"),
        ("a.nii", tar(), "a tar archive"),
    ],
    ids=["gzip", "packed tar", "tar"],  # not the bytes, in which gzip writes the time
)
def test_so_is_what_gzip_holds(name, content, what, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert refused(tmp_path / name).finding == f"{tmp_path / name} is {what}, despite its name"


@pytest.mark.parametrize(
    ("of", "what"), [("a.nii", "NIfTI"), ("a.nrrd", "NRRD"), ("a.mha", "MetaImage")]
)
@pytest.mark.parametrize("name", ["b.nii.gz", "b.nrrd", "b.mha", "b.mgz"])
def test_a_volume_of_another_format_than_its_name_is_named(of, what, name, tmp_path):
    write_volume(tmp_path / of).rename(tmp_path / name)
    if (what, name) in (("NIfTI", "b.nii.gz"), ("NRRD", "b.nrrd"), ("MetaImage", "b.mha")):
        load(tmp_path / name)
    else:
        assert f"is {what}, despite its name" in refused(tmp_path / name).finding


@pytest.mark.parametrize("name", ["a.nii", "a.nrrd", "a.mha"])
def test_a_damaged_volume_of_its_own_format_keeps_its_reason(name, tmp_path):
    content = write_volume(tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:-2])
    with pytest.raises(IngestError) as caught:
        load(tmp_path / name)
    assert caught.value.code is Reason.TRUNCATED
    assert "whatever" not in caught.value.finding


@pytest.mark.parametrize("name", ["a.img", "A.IMG", "a.img.gz"])
def test_an_img_without_its_hdr_says_what_is_missing(name, tmp_path):
    (tmp_path / name).write_bytes(bytes(100))
    with pytest.raises(IngestError, match=r"half of an \.hdr and \.img pair") as caught:
        load(tmp_path / name)
    assert caught.value.code is Reason.PAIRED_FILES


def test_a_volume_without_its_suffix_is_called_what_it_is(tmp_path):
    write_volume(tmp_path / "a.nii").rename(tmp_path / "a")
    with pytest.raises(IngestError, match="NIfTI, despite its name: give it the right"):
        load(tmp_path / "a")


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_volume_file_is_one_row_of_its_folder(name, tmp_path):
    (tmp_path / name).touch()
    (row,) = inspect(tmp_path)
    assert (row.format, row.reason) == (SUFFIXES[find_suffix(name)], Reason.TRUNCATED)


def test_a_dicom_file_that_was_not_fetched_says_so(tmp_path):
    (tmp_path / "a.dcm").write_bytes(LFS)
    (row,) = inspect(tmp_path)
    assert row.reason is Reason.UNREADABLE
    assert "is the pointer that Git LFS keeps for a file" in row.findings[0]
