import logging

import numpy as np
import pytest
from PIL import Image

from medseg.datasets.own.jpeg_masks import convert_masks
from medseg.datasets.own.pair_files import Pair


def draw_disc(*, radius=20, level=255):
    rows, columns = np.mgrid[:96, :96]
    return np.where((rows - 48) ** 2 + (columns - 48) ** 2 < radius**2, level, 0).astype(np.uint8)


def save(path, levels, **options):
    Image.fromarray(levels).save(path, **options)
    return Pair(path.stem, (path.with_name("image.png"),), ("",), path)


@pytest.mark.parametrize("quality", [70, 95])
def test_black_and_white_that_was_blurred_has_the_pixels_of_its_source(tmp_path, caplog, quality):
    source = draw_disc()
    pair = save(tmp_path / "a.jpg", source, quality=quality)
    assert len(np.unique(Image.open(pair.label))) > 2
    (made,), faults = convert_masks([pair], tmp_path / "data")
    assert faults == []
    assert made.label == tmp_path / "data" / "masks" / "a.png"
    assert (np.asarray(Image.open(made.label)) == source).all()
    assert "above 127 counts as 255" in caplog.text


def test_a_mask_in_colour_whose_channels_agree_is_one_of_grey(tmp_path):
    pair = save(tmp_path / "a.jpg", np.repeat(draw_disc()[..., None], 3, axis=-1), quality=90)
    (made,), _ = convert_masks([pair], tmp_path / "data")
    assert (np.asarray(Image.open(made.label)) == draw_disc()).all()


@pytest.mark.parametrize(
    "levels",
    [
        np.maximum(draw_disc(), np.roll(draw_disc(radius=3, level=128), 36, axis=0)),
        draw_disc(level=2),  # values 0 and 2, which JPEG mixes
        np.stack([draw_disc(), draw_disc(level=0), draw_disc(level=0)], axis=-1),  # red
        np.random.default_rng(0).integers(0, 256, (96, 96), np.uint8),  # an image
    ],
    ids=["a second structure of grey", "small values", "colour", "an image"],
)
def test_what_is_not_black_and_white_alone_is_a_fault(tmp_path, levels):
    pair = save(tmp_path / "a.jpg", levels, quality=95)
    made, faults = convert_masks([pair], tmp_path / "data")
    assert made == []
    assert "case a: its label a.jpg is a JPEG, which changes values, and not black" in faults[0]
    assert not (tmp_path / "data").exists()


def test_a_damaged_mask_is_a_fault_and_the_others_are_converted(tmp_path):
    good, bad = (save(tmp_path / name, draw_disc()) for name in ("good.jpg", "bad.jpg"))
    bad.label.write_bytes(bad.label.read_bytes()[:100])
    made, faults = convert_masks([bad, good], tmp_path / "data")
    assert [pair.case for pair in made] == ["good"]
    assert len(faults) == 1
    assert "bad.jpg" in faults[0]


def test_labels_of_other_kinds_stay_as_they_are(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    pairs = [save(tmp_path / "a.png", draw_disc()), Pair("b", (None,), ("",), None)]
    assert convert_masks(pairs, tmp_path / "data") == (pairs, [])
    assert caplog.text == ""
