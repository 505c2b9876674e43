"""Tests of medseg.ingest.volumes.streams: a packed file is what it was, or its fault is named."""

import bz2
import gzip
import zlib

import nibabel as nib
import pytest
from ingest.volumes.nifti_files import image

from medseg.ingest import IngestError, Reason, load
from medseg.ingest.volumes.streams import (
    MOST_INFLATED,
    open_stream,
    read_gzip_length,
    read_up_to,
    skip,
)


def test_a_gzip_whose_checksum_fails_is_refused(tmp_path):
    path = tmp_path / "case.nii.gz"
    nib.save(image(), path)
    content = bytearray(path.read_bytes())
    content[-5] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(IngestError, match=r"gzip stream of .* is damaged") as caught:
        load(path)
    assert caught.value.code is Reason.UNREADABLE


@pytest.mark.parametrize("content", [b"plain text, not a scan", b"x"])
def test_a_file_that_is_no_gzip_is_not_called_damaged(tmp_path, content):
    path = tmp_path / "text.nii.gz"
    path.write_bytes(content)
    with pytest.raises(
        IngestError, match=r"text\.nii\.gz has the suffix \.gz but is not a gzip file"
    ) as caught:
        load(path)
    assert caught.value.code is Reason.UNKNOWN_FORMAT


CONTENT = bytes(range(256)) * 300
PACK = {
    "": lambda content: content,
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "bzip2": bz2.compress,
    "hex": lambda content: content.hex(" ").encode(),
}
PACKINGS = pytest.mark.parametrize("packing", PACK)


def written(path, packing, content=CONTENT):
    path.write_bytes(b"header" + PACK[packing](content))
    return path


@PACKINGS
def test_a_file_is_unpacked_from_any_byte_on_in_parts_of_any_size(packing, tmp_path):
    path = written(tmp_path / "a", packing)
    with open_stream(path, packing, start=6) as stream:
        assert skip(stream, 1000) == 1000
        assert read_up_to(stream, 7) == CONTENT[1000:1007]
        assert read_up_to(stream, 10**6) == CONTENT[1007:]
        assert (skip(stream, 1), read_up_to(stream, 1)) == (0, b"")


def test_a_negative_start_is_counted_from_the_end(tmp_path):
    with open_stream(written(tmp_path / "a", ""), start=-3) as stream:
        assert stream.read(9) == CONTENT[-3:]


@pytest.mark.parametrize("packing", ["gzip", "zlib", "bzip2", "hex"])
def test_a_packed_file_that_is_cut_is_truncated(packing, tmp_path):
    path = written(tmp_path / "a", packing)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IngestError) as caught, open_stream(path, packing, start=6) as stream:
        read_up_to(stream, 10**6)
    assert caught.value.code is Reason.TRUNCATED


@pytest.mark.parametrize(("packing", "content"), [("zlib", b"no zlib"), ("hex", b"0g")])
def test_a_packed_file_that_is_damaged_is_unreadable(packing, content, tmp_path):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(IngestError) as caught, open_stream(tmp_path / "a", packing) as stream:
        read_up_to(stream, 10**6)
    assert caught.value.code is Reason.UNREADABLE


@pytest.mark.parametrize("packing", ["gzip", "zlib", "bzip2"])
def test_no_byte_stands_for_more_than_is_reckoned_with(packing):
    content = bytes(10**7)
    assert len(content) / len(PACK[packing](content)) < MOST_INFLATED[packing]


def test_a_gzip_file_ends_with_the_length_of_its_content(tmp_path):
    (tmp_path / "a").write_bytes(gzip.compress(CONTENT))
    assert read_gzip_length(tmp_path / "a") == 256 * 300
