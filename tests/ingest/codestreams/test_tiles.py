"""Tests of medseg.ingest.codestreams.tiles: missing tiles are counted, and a tile that was made
larger is refused."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from ingest.dicom_writer import make_series, write_series
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate, get_frame

from medseg.ingest import IngestError, Reason, load
from medseg.ingest.codestreams.tiles import check_tile_end, count_missing_tiles
from medseg.ingest.pictures.file import read_picture

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


# ---- a tile that was made larger

PICTURE = np.random.default_rng(0).integers(0, 255, (128, 128)).astype(np.uint8)
OPTIONS = [
    {},
    {"irreversible": True},
    {"irreversible": True, "quality_mode": "rates", "quality_layers": [20, 10]},
    {"tile_size": (64, 64)},
]


def jpeg_2000(stored=PICTURE, *, boxes=False, **options):
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
def test_a_whole_codestream_is_accepted(options, boxes, behind):
    check_tile_end(jpeg_2000(boxes=boxes, **options) + behind)


@pytest.mark.parametrize("precincts", [None, (32, 32)])
def test_empty_packets_at_the_end_are_accepted(precincts):
    stored = PICTURE.repeat(16, axis=0)[:128].repeat(16, axis=1)[:, :128]  # no fine detail
    layers = {"quality_mode": "rates", "quality_layers": [400, 300, 200]}
    check_tile_end(jpeg_2000(stored, precinct_size=precincts, irreversible=True, **layers))


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_image_is_accepted(value):
    check_tile_end(jpeg_2000(np.full_like(PICTURE, value)))


@pytest.mark.parametrize("options", OPTIONS[:3])
@pytest.mark.parametrize("boxes", [False, True])
@pytest.mark.parametrize("size", [(192, 128), (128, 192), (256, 256)])
def test_a_larger_tile_is_noticed(options, boxes, size):
    with pytest.raises(ValueError, match="more bytes than an image"):
        check_tile_end(with_tile(jpeg_2000(boxes=boxes, **options), *size))


def test_a_tile_whose_length_is_not_stated_is_judged_alike():
    frame = bytearray(jpeg_2000())
    struct.pack_into(">I", frame, frame.find(b"\xff\x90") + 6, 0)
    check_tile_end(bytes(frame))
    with pytest.raises(ValueError, match="more bytes than an image"):
        check_tile_end(with_tile(frame, 256, 256))


@pytest.mark.parametrize("cut", [0, 3, 20, 45, 60, 130])
def test_a_codestream_that_ends_early_is_left_to_the_decoder(cut):
    check_tile_end(jpeg_2000()[:cut])


def test_dicom_and_pictures_of_a_raised_tile_are_refused(tmp_path):
    (dataset,) = make_series(PICTURE[None])
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
    with pytest.raises(IngestError, match="more bytes than an image") as caught:
        read_picture(tmp_path / "raised.j2k")
    assert caught.value.code is Reason.TRUNCATED
