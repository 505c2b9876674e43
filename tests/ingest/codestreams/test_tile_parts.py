"""Tests of medseg.ingest.codestreams.tile_parts: tiles that a raised size asks for are missed."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series
from pydicom import uid
from pydicom.encaps import encapsulate, get_frame

from medseg.ingest import IngestError, Reason, load
from medseg.ingest.codestreams.tile_parts import count_missing_tiles

STORED = np.random.default_rng(0).integers(0, 1000, (1, 64, 64)).astype(np.uint16)
SIZE = b"\xff\x4f\xff\x51"


def codestream(stored=STORED):
    (dataset,) = make_series(stored)
    dataset.compress(uid.JPEG2000Lossless, generate_instance_uid=False)
    return get_frame(dataset.PixelData, 0, number_of_frames=1), dataset


def raised(frame, rows, columns):
    changed = bytearray(frame)
    struct.pack_into(">2I", changed, changed.find(SIZE) + 8, columns, rows)
    return bytes(changed)


@pytest.mark.parametrize(
    ("size", "tiles"),
    [((64, 64), (0, 1)), ((65, 64), (1, 2)), ((64, 128), (1, 2)), ((128, 192), (5, 6))],
)
def test_tiles_are_counted_by_the_size_and_by_the_parts(size, tiles):
    """Tiles of 64 x 64, of which the data is that of the first."""
    frame, _ = codestream()
    assert count_missing_tiles(raised(frame, *size)) == tiles


def test_a_size_that_asks_for_more_tiles_than_there_are_indices_lacks_them():
    frame, _ = codestream()
    assert count_missing_tiles(raised(frame, 2**31, 2**31))[0] > 0


@pytest.mark.parametrize("cut", [0, 3, 20, 45, 60])
def test_a_codestream_that_ends_within_its_headers_raises_nothing(cut):
    missing, asked = count_missing_tiles(codestream()[0][:cut])
    assert 0 <= missing <= asked


@pytest.mark.parametrize("syntax", [uid.JPEG2000Lossless, uid.JPEG2000])
def test_an_image_of_a_raised_size_is_refused(syntax, tmp_path):
    frame, dataset = codestream()
    dataset.file_meta.TransferSyntaxUID = syntax
    write_series(tmp_path / "whole", [dataset])
    np.testing.assert_array_equal(load(tmp_path / "whole")[0].shape, (64, 64, 1))
    dataset.Rows, dataset.Columns = 128, 256
    dataset.PixelData = encapsulate([raised(frame, 128, 256)])
    dataset["PixelData"].is_undefined_length = True
    write_series(tmp_path / "raised", [dataset])
    with pytest.raises(IngestError) as caught:
        load(tmp_path / "raised")
    assert caught.value.code is Reason.UNDECODABLE
    assert "lacks 7 of 8 tiles" in str(caught.value.__cause__)
