"""Tests of medseg.ingest.pictures.picture_checks: bombs and misread files are refused undecoded."""

from __future__ import annotations

import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from medseg.ingest import IngestError, Reason
from medseg.ingest.pictures.file import read_label_picture, read_picture


def blank(path, side, mode="L"):
    Image.new(mode, (side, side)).save(path)
    return path


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB"])
def test_a_large_blank_picture_is_refused_from_its_header(mode, tmp_path):
    path = blank(tmp_path / "blank.png", 6000, mode)
    tracemalloc.start()
    with pytest.raises(IngestError, match=r"6000x6000 pixels in .* blank") as caught:
        read_picture(path, colour=mode == "RGB")
    assert caught.value.code is Reason.TOO_LARGE
    with pytest.raises(IngestError, match="more than 1000 for each byte"):
        read_label_picture(path, (0, 255))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21


@pytest.mark.parametrize(("mode", "colour"), [("L", True), ("RGB", True), ("L", False)])
def test_what_a_blank_picture_becomes_is_held_to_some_300_megabytes(mode, colour, tmp_path):
    side = 2049 if colour else 3548  # of more than 3 * 2**22 samples, as read
    with pytest.raises(IngestError, match="blank, or made to fill memory"):
        read_picture(blank(tmp_path / "blank.png", side, mode), colour=colour)
    assert (
        read_picture(blank(tmp_path / "less.png", side - 2, mode), colour=colour).array.any() == 0
    )


def test_a_blank_picture_of_usual_size_and_a_large_one_of_noise_are_read(tmp_path):
    assert not read_picture(blank(tmp_path / "blank.png", 1000)).array.any()
    noise = np.random.default_rng(0).integers(0, 255, (5800, 5800), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.tif")
    np.testing.assert_array_equal(read_picture(tmp_path / "noise.tif").array, noise)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_bmp_with_a_palette_of_two_greys_is_refused_where_pillow_misreads_it(bits, tmp_path):
    """Pillow takes it for one bit a pixel: an index of 1 in a byte became background."""
    Image.fromarray(np.tile([[0, 1, 1], [1, 0, 0]], (1, 4)).astype(np.uint8)).save(
        tmp_path / "a.bmp"
    )
    content = (tmp_path / "a.bmp").read_bytes()
    head = bytearray(content[:54])
    struct.pack_into("<I", head, 10, 62)
    struct.pack_into("<H", head, 28, bits)
    struct.pack_into("<I", head, 46, 2)
    path = tmp_path / "b.bmp"
    path.write_bytes(head + bytes(4) + b"\xff\xff\xff\0" + content[54 + 1024 :])
    with pytest.raises(IngestError, match=f"b.bmp is a BMP of {bits} bits with a palette of few"):
        read_label_picture(path, (0, 255))
