"""Tests of medseg.ingest.picture_file: label maps stored as pictures, judged alike by all."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from medseg.datasets import prepared
from medseg.ingest import IngestError, Reason
from medseg.ingest.picture import PictureReader
from medseg.ingest.picture_file import read_label_picture

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
    np.testing.assert_array_equal(read_label_picture(tmp_path / item["label"], declared), expected)
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


@pytest.mark.parametrize("mode", ["1", "F"])
def test_an_image_that_training_refuses_is_not_prepared(mode, tmp_path):
    item = save(tmp_path, Image.fromarray(GREY))
    Image.fromarray(GREY).convert(mode).save(tmp_path / "image.tif")
    with pytest.raises(ValueError, match=f"Pillow mode {mode}"):
        prepared.write(tmp_path, "own", [item | {"image": "image.tif"}], label_values=(0, 255))


def test_a_colour_image_is_prepared(tmp_path):
    item = save(tmp_path, Image.fromarray(GREY))
    stacked(GREY, INDEX, GREY).save(tmp_path / "image.png")
    prepared.write(tmp_path, "own", [item], label_values=(0, 255))


def test_it_does_without_torch():
    code = "import sys, medseg.ingest.picture_file; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
