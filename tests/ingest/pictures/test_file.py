"""Tests of medseg.ingest.pictures.file: label maps stored as pictures, judged alike by all."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib

import numpy as np
import PIL
import pytest
from PIL import Image

from medseg.datasets import prepared
from medseg.ingest import IngestError, Reason
from medseg.ingest.pictures.file import read_label_picture, read_picture
from medseg.ingest.pictures.load import PictureReader

INDEX = np.array([[0, 1, 1], [1, 0, 0]], np.uint8)
COLOURS = [0, 0, 0, 128, 0, 0]  # black and dark red, as of PASCAL VOC


def palette(colours, values=INDEX):
    image = Image.fromarray(values, mode="P")
    image.putpalette(colours + [0] * (768 - len(colours)))
    return image


def stacked(*channels):
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


GREY = INDEX * 255
OPAQUE = np.full_like(INDEX, 255)

READ = {
    "grey": (Image.fromarray(GREY), (0, 255), GREY),
    "16 bit": (Image.fromarray((INDEX.astype(np.uint16)) * 1000), (0, 1000), INDEX * 1000.0),
    "palette of colours": (palette(COLOURS), (0, 1), INDEX),
    "palette of greys by index": (palette([0, 0, 0, 255, 255, 255]), (0, 1), INDEX),
    "palette of greys by level": (palette([0, 0, 0, 255, 255, 255]), (0, 255), GREY),
    "inverted palette by level": (palette([255, 255, 255, 0, 0, 0]), (0, 255), 255 - GREY),
    "one bit as 0 and 1": (Image.fromarray(INDEX.astype(bool)), (0, 1), INDEX),
    "one bit as 0 and 255": (Image.fromarray(INDEX.astype(bool)), (0, 255), GREY),
    "equal channels": (stacked(GREY, GREY, GREY), (0, 255), GREY),
    "equal channels, opaque": (stacked(GREY, GREY, GREY, OPAQUE), (0, 255), GREY),
    "grey, opaque": (Image.fromarray(GREY).convert("LA"), (0, 255), GREY),
    "single precision": (Image.fromarray((INDEX * 0.9999999).astype(np.float32)), (0, 1), INDEX),
}

REFUSED = {
    "coloured": (stacked(GREY, GREY, INDEX), (0, 1, 255), Reason.COLOUR),
    "transparent": (stacked(GREY, GREY, GREY, GREY), (0, 255), Reason.PIXEL_FORMAT),
    "palette of other values": (palette(COLOURS), (0, 2), Reason.UNDECLARED_LABELS),
    "both readings declared": (palette([0, 0, 0, 2, 2, 2]), (0, 1, 2), Reason.PIXEL_FORMAT),
    "bits of both readings": (Image.fromarray(INDEX > 0), (0, 1, 255), Reason.PIXEL_FORMAT),
    "undeclared grey": (Image.fromarray(GREY), (0, 1), Reason.UNDECLARED_LABELS),
}


def save(root, image):
    """A case whose mask is the picture; the suffix is that of a format which holds its mode."""
    suffix = ".tif" if image.mode == "F" else ".png"
    image.save(root / f"mask{suffix}")
    Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3)).save(root / "image.png")
    return {"case": "a", "patient": "a", "image": "image.png", "label": f"mask{suffix}"}


@pytest.mark.parametrize("name", READ)
def test_training_and_preparing_read_the_same_labels(name, tmp_path):
    image, declared, expected = READ[name]
    item = save(tmp_path, image)
    np.testing.assert_array_equal(
        read_label_picture(tmp_path / item["label"], declared).array, expected
    )
    array, _ = PictureReader(labels=declared).get_data([tmp_path / item["label"]])
    np.testing.assert_array_equal(array, expected)
    prepared.write(tmp_path, "own", [item], label_values=declared)


@pytest.mark.parametrize("name", REFUSED)
def test_training_and_preparing_refuse_the_same_labels(name, tmp_path):
    image, declared, code = REFUSED[name]
    item = save(tmp_path, image)
    with pytest.raises(IngestError) as caught:
        PictureReader(labels=declared).get_data([tmp_path / item["label"]])
    assert caught.value.code is code
    with pytest.raises(ValueError, match="label of case a"):
        prepared.write(tmp_path, "own", [item], label_values=declared)


YCBCR = pytest.param(
    "YCbCr",
    marks=pytest.mark.skipif(
        int(PIL.__version__.partition(".")[0]) < 13, reason="Pillow does not read its own TIFF"
    ),
)


@pytest.mark.parametrize("kind", ["RGB", "RGBA", "CMYK", YCBCR])
def test_the_remedy_for_a_mask_in_colours_is_about_the_mask(kind, tmp_path):
    save(tmp_path, Image.fromarray(GREY))
    stacked(GREY, GREY, INDEX).convert(kind).save(tmp_path / "mask.tif")
    item = {"case": "a", "patient": "a", "image": "image.png", "label": "mask.tif"}
    said = r"mask\.tif has colours .*: store the mask in grey, with one grey value for each class"
    with pytest.raises(IngestError, match=said):
        PictureReader(labels=(0, 1, 255)).get_data([tmp_path / "mask.tif"])
    with pytest.raises(ValueError, match=f"label of case a: .*{said}"):
        prepared.write(tmp_path, "own", [item], label_values=(0, 1, 255))


def test_the_remedy_for_numbered_objects_in_colours_is_about_their_mask(tmp_path):
    item = save(tmp_path, Image.fromarray(GREY)) | {"instances": "objects.png"}
    stacked(GREY, GREY, INDEX).save(tmp_path / "objects.png")
    with pytest.raises(ValueError, match=r"objects\.png has .*with one grey value for each object"):
        prepared.write(tmp_path, "own", [item], label_values=(0, 255))


@pytest.mark.parametrize(
    ("mode", "said"), [("1", "has black and white"), ("F", r"has grey \(fractions of 32 bits\)")]
)
def test_an_image_that_training_refuses_is_not_prepared(mode, said, tmp_path):
    item = save(tmp_path, Image.fromarray(GREY))
    Image.fromarray(GREY).convert(mode).save(tmp_path / "image.tif")
    with pytest.raises(ValueError, match=said):
        prepared.write(tmp_path, "own", [item | {"image": "image.tif"}], label_values=(0, 255))


def test_a_colour_image_is_prepared(tmp_path):
    item = save(tmp_path, Image.fromarray(GREY))
    stacked(GREY, INDEX, GREY).save(tmp_path / "image.png")
    prepared.write(tmp_path, "own", [item], label_values=(0, 255))


def test_it_does_without_torch():
    code = "import sys, medseg.ingest.pictures.file; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_large_label_map_of_few_regions_is_read_in_strips(tmp_path):
    """Some hundred samples for each byte: too many for a photograph, few enough for labels."""
    labels = np.zeros((6000, 6000), np.uint8)
    labels[::16, ::16] = 255
    labels[:1500] = 0
    Image.fromarray(labels).save(tmp_path / "mask.png", compress_level=9)
    packed = labels.size / (tmp_path / "mask.png").stat().st_size
    assert 200 < packed < 1000
    np.testing.assert_array_equal(read_label_picture(tmp_path / "mask.png", (0, 255)).array, labels)
    with pytest.raises(IngestError, match="more than 200 for each byte"):
        read_picture(tmp_path / "mask.png")


def test_a_palette_with_one_colour_in_its_last_row_is_read_by_its_indices(tmp_path, monkeypatch):
    from medseg.ingest.pictures import file

    monkeypatch.setattr(file, "_STRIP_PIXELS", 3)  # a strip is one row
    image = palette([0, 0, 0, 255, 255, 255, 9, 0, 0], np.array([[0, 1, 1], [1, 0, 2]], np.uint8))
    image.save(tmp_path / "mask.png")
    found = read_label_picture(tmp_path / "mask.png", (0, 1, 2)).array
    np.testing.assert_array_equal(found, [[0, 1, 1], [1, 0, 2]])


def grey_png(path, values, bits):
    """A grey PNG of fewer than 8 bits (PNG specification, section 7.2), as Pillow writes none."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    digits = np.unpackbits(values[..., None], axis=-1)[..., -bits:].reshape(len(values), -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in digits)
    size = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)
    parts = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return path


@pytest.mark.parametrize(("bits", "stretch"), [(1, 255), (2, 85), (4, 17)])
def test_few_bits_of_grey_are_read_as_they_are_or_stretched_whichever_is_declared(
    bits, stretch, tmp_path
):
    """Of four bits 15 is white: 255 in a picture of eight."""
    values = np.array([[0, 1], [2**bits - 1, 0]], np.uint8)
    path = grey_png(tmp_path / "a.png", values, bits)
    declared = range(2**bits)
    np.testing.assert_array_equal(read_label_picture(path, declared).array, values)
    levels = [value * stretch for value in declared]
    np.testing.assert_array_equal(read_label_picture(path, levels).array, values * stretch)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_a_bmp_of_bits_or_of_grey_is_read(mode, tmp_path):
    Image.fromarray(GREY).convert(mode).save(tmp_path / "a.bmp")
    np.testing.assert_array_equal(read_label_picture(tmp_path / "a.bmp", (0, 255)).array, GREY)


def test_a_mask_that_jpeg_changed_says_how_to_store_it(tmp_path):
    Image.fromarray(np.kron(GREY, np.ones((5, 5), np.uint8))).save(tmp_path / "a.jpg")
    with pytest.raises(IngestError, match="JPEG changes values: write the mask as PNG") as caught:
        read_label_picture(tmp_path / "a.jpg", (0, 255))
    assert caught.value.code is Reason.UNDECLARED_LABELS
