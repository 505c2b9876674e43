"""Tests of medseg.ingest.pictures.bounded_bytes: what surrounds the pixels of a picture is bounded,
too."""

import io
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from medseg.ingest import IngestError, Reason
from medseg.ingest.pictures.bounded_bytes import FREE_PIECES, count_tiff_frames, open_picture
from medseg.ingest.pictures.file import read_label_picture, read_picture

PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)
MANY = FREE_PIECES + 100


def saved(kind, image=None, **how):
    content = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(content, kind, **how)
    return content.getvalue()


def chunk(kind, data=b""):
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*more, behind=()):
    """A PNG with chunks before its pixels, or behind them."""
    content = saved("PNG")
    at, end = content.index(b"IDAT") - 4, content.index(b"IEND") - 4
    return content[:at] + b"".join(more) + content[at:end] + b"".join(behind) + content[end:]


def jpeg(*segments):
    content = saved("JPEG")
    return content[:2] + b"".join(segments) + content[2:]


def segment(marker, data):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def gif(extensions):
    content = saved("GIF")
    start = 13 + 3 * 2 ** ((content[10] & 7) + 1)
    return content[:start] + extensions + content[start:]


def tiff(entries, *, following=0, data=b"", order="<", count=1):
    """Directories, one behind the other, whose tables lie behind them."""
    fields = {256: (4, 8), 257: (4, 8), 258: (3, 8), 259: (3, 1), 262: (3, 1), 277: (3, 1)}
    listed = sorted([*((tag, kind, 1, value) for tag, (kind, value) in fields.items()), *entries])
    made, size = b"", 2 + 12 * len(listed) + 4
    for number in range(count):
        place = 8 + size * (number + 1)
        made += struct.pack(order + "H", len(listed))
        for tag, kind, n, value in listed:
            short = kind == 3 and n == 1
            made += struct.pack(order + ("HHIHxx" if short else "HHII"), tag, kind, n, value)
        made += struct.pack(order + "I", place if number + 1 < count else following)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "I", 8) + made + data


PROFILE = chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(2**20)))
STRIPS = [(273, 4, MANY, 8), (278, 4, 1, 1), (279, 4, MANY, 8)]
ONE_STRIP = [(273, 4, 1, 8), (278, 4, 1, 8), (279, 4, 1, 64)]
TILES = [(322, 4, 1, 16), (323, 4, 1, 16), (324, 4, MANY, 8), (325, 4, MANY, 8)]

BOMBS = {
    "PNG of colour profiles": (png(*[PROFILE] * 500), "500 colour profiles, a PNG has one"),
    "colour profiles behind": (png(behind=[PROFILE] * 500), "500 colour profiles"),
    "PNG of texts": (png(chunk(b"tEXt", b"k\0v") * MANY), "more pieces"),
    "PNG of empty pixels": (png(behind=[chunk(b"IDAT") * MANY]), "more pieces"),
    "JPEG of comments": (jpeg(segment(0xFE, b"") * MANY), "more pieces"),
    "JPEG of filling": (jpeg(b"\xff" * 2 * MANY), "more pieces"),
    "JPEG of EXIF": (jpeg(segment(0xE1, b"Exif\0\0" + bytes(65000)) * 300), "before its pixels"),
    "GIF of comments": (gif(b"\x21\xfe\x01a\x00" * MANY), "more pieces"),
    "TIFF of strips": (tiff(STRIPS, data=bytes(2**21)), "strips or tiles"),
    "TIFF of tiles": (tiff(TILES, data=bytes(2**21)), "strips or tiles"),
    "PNM of a comment": (b"P5\n#" + b"a" * 2 * MANY + b"\n8 8\n255\n" + bytes(64), "more pieces"),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("read", [read_picture, lambda p: read_label_picture(p, (0, 1))])
def test_what_surrounds_pixels_is_refused_before_it_costs_time_or_memory(name, read, tmp_path):
    content, finding = BOMBS[name]
    path = tmp_path / "a.png"
    path.write_bytes(content)
    start = time.process_time()
    with pytest.raises(IngestError, match=finding) as caught:
        read(path)
    assert caught.value.code in (Reason.TOO_LARGE, Reason.UNREADABLE)
    assert time.process_time() - start < 2


def test_a_file_is_not_held_in_memory_for_what_lies_behind_its_picture(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(saved("PNG"))
    with path.open("r+b") as file:
        file.truncate(2**30)
    tracemalloc.start()
    np.testing.assert_array_equal(read_picture(path).array, PIXELS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_so_is_none_whose_codes_are_held_against_its_size(kind, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(saved(kind))
    with path.open("r+b") as file:
        file.truncate(2**30)
    tracemalloc.start()
    assert read_picture(path).array.shape == PIXELS.shape
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**27


def test_a_jpeg_that_goes_over_its_pixels_again_and_again_is_refused(tmp_path):
    content = saved("JPEG", Image.new("L", (3000, 3000)), progressive=True)
    start = content.rindex(b"\xff\xda")
    scan, path = content[start:-2], tmp_path / "a.jpg"
    path.write_bytes(content[:start] + scan * 300 + content[-2:])
    with pytest.raises(IngestError, match=r"over its 3000x3000 pixels 30\d times"):
        read_picture(path)
    small = saved("JPEG", Image.fromarray(PIXELS), progressive=True)
    start = small.rindex(b"\xff\xda")
    path.write_bytes(small[:start] + small[start:-2] * 300 + small[-2:])
    assert read_picture(path).array.shape == (8, 8)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("count", "frames"), [(1, 1), (2, 2), (3000, 100)])
def test_directories_of_a_tiff_are_counted(order, count, frames, tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(ONE_STRIP, order=order, count=count, data=bytes(64)))
    with open_picture(path) as file:
        assert count_tiff_frames(file) == frames
    if frames > 1:
        with pytest.raises(IngestError, match=f"{frames} frames"):
            read_picture(path)


def test_directories_of_a_big_tiff_are_counted(tmp_path):
    path = tmp_path / "a.tif"
    images = [Image.fromarray(PIXELS) for _ in range(3)]
    images[0].save(path, big_tiff=True, save_all=True, append_images=images[1:])
    assert path.read_bytes()[2] == 43
    with open_picture(path) as file:
        assert count_tiff_frames(file) == 3


def test_directories_in_a_circle_are_one(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(ONE_STRIP, following=8, data=bytes(64)))
    assert read_picture(path).array.shape == (8, 8)


def test_a_directory_that_is_cut_is_a_refusal(tmp_path):
    path = tmp_path / "a.tif"
    whole = tiff(ONE_STRIP, following=10**6)
    for content in (whole, whole[:40]):
        path.write_bytes(content)
        with pytest.raises(IngestError, match="ends early or is damaged"):
            read_picture(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "TGA"])
def test_a_picture_is_read_whatever_its_name(kind, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(saved(kind, Image.fromarray(PIXELS).convert("RGB")))
    assert read_picture(path, colour=True).array.shape == (3, 8, 8)


@pytest.mark.parametrize("kind", ["EPS", "ICO", "PCX", "PDF", "XBM"])
def test_what_pillow_would_give_to_other_programs_is_no_picture(kind, tmp_path):
    path = tmp_path / "a.png"
    mode = "1" if kind == "XBM" else "L"
    path.write_bytes(saved(kind, Image.fromarray(PIXELS).convert(mode)))
    with pytest.raises(IngestError, match="not a picture"):
        read_picture(path)
