"""Tests of medseg.ingest.codestreams.tile_end: a JPEG 2000 whose tile was made larger is
refused."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate

from medseg.ingest import IngestError, Reason, load
from medseg.ingest.codestreams.tile_end import check_tile_end
from medseg.ingest.pictures.file import read_picture

STORED = np.random.default_rng(0).integers(0, 255, (128, 128)).astype(np.uint8)
SIZE = b"\xff\x4f\xff\x51"
OPTIONS = [
    {},
    {"irreversible": True},
    {"irreversible": True, "quality_mode": "rates", "quality_layers": [20, 10]},
    {"tile_size": (64, 64)},
]


def jpeg_2000(stored=STORED, *, boxes=False, **options):
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "JPEG2000", no_jp2=not boxes, **options)
    return buffer.getvalue()


def with_tile(frame, rows, columns):
    """The size of the image and of its tile, both changed."""
    changed = bytearray(frame)
    at = changed.find(SIZE) + 8
    struct.pack_into(">2I", changed, at, columns, rows)
    struct.pack_into(">2I", changed, at + 16, columns, rows)
    return bytes(changed)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("boxes", [False, True])
@pytest.mark.parametrize("behind", [b"", b"\0", b"\xff"])
def test_a_whole_codestream_is_let_pass(options, boxes, behind):
    check_tile_end(jpeg_2000(boxes=boxes, **options) + behind)


@pytest.mark.parametrize("precincts", [None, (32, 32)])
def test_empty_packets_at_the_end_are_let_pass(precincts):
    stored = STORED.repeat(16, axis=0)[:128].repeat(16, axis=1)[:, :128]  # no fine detail
    layers = {"quality_mode": "rates", "quality_layers": [400, 300, 200]}
    check_tile_end(jpeg_2000(stored, precinct_size=precincts, irreversible=True, **layers))


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_image_is_let_pass(value):
    check_tile_end(jpeg_2000(np.full_like(STORED, value)))


@pytest.mark.parametrize("options", OPTIONS[:3])
@pytest.mark.parametrize("boxes", [False, True])
@pytest.mark.parametrize("size", [(192, 128), (128, 192), (256, 256)])
def test_a_larger_tile_is_noticed(options, boxes, size):
    with pytest.raises(ValueError, match="no place"):
        check_tile_end(with_tile(jpeg_2000(boxes=boxes, **options), *size))


def test_a_tile_whose_length_is_not_stated_is_judged_alike():
    frame = bytearray(jpeg_2000())
    struct.pack_into(">I", frame, frame.find(b"\xff\x90") + 6, 0)
    check_tile_end(bytes(frame))
    with pytest.raises(ValueError, match="no place"):
        check_tile_end(with_tile(frame, 256, 256))


@pytest.mark.parametrize("cut", [0, 3, 20, 45, 60, 130])
def test_a_codestream_that_ends_early_is_left_to_the_decoder(cut):
    check_tile_end(jpeg_2000()[:cut])


def test_dicom_and_pictures_of_a_raised_tile_are_refused(tmp_path):
    (dataset,) = make_series(STORED[None])
    dataset.file_meta.TransferSyntaxUID = uid.JPEG2000
    for name, rows in (("whole", 128), ("raised", 192)):
        dataset.Rows = rows
        frame = with_tile(jpeg_2000(), rows, 128)
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].is_undefined_length = True
        write_series(tmp_path / name, [dataset])
        (tmp_path / f"{name}.j2k").write_bytes(frame)
    assert load(tmp_path / "whole")[0].shape == (128, 128, 1)
    assert read_picture(tmp_path / "whole.j2k").array.shape == (128, 128)
    with pytest.raises(IngestError) as caught:
        load(tmp_path / "raised")
    assert caught.value.code is Reason.UNDECODABLE
    with pytest.raises(IngestError, match="no place") as caught:
        read_picture(tmp_path / "raised.j2k")
    assert caught.value.code is Reason.TRUNCATED
