"""Tests of medseg.ingest.pictures.orientation: all formats are read as stored, and tags
compared."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
from PIL import ExifTags, Image

from medseg.datasets import prepared
from medseg.datasets.sources.published_files import open_published
from medseg.ingest import IngestError, Reason
from medseg.ingest.pictures.file import read_label_picture, read_picture
from medseg.ingest.pictures.load import PictureReader
from medseg.ingest.reader import SameGridd

FORMATS = [".png", ".tif", ".webp", ".jpg"]


def blocks(rows=16, columns=24, mode="L"):
    """A grey that is another in each quarter, so that no turn leaves it as it is."""
    array = np.zeros((rows, columns), np.uint8)
    array[: rows // 2, columns // 2 :] = 80
    array[rows // 2 :, : columns // 2] = 160
    array[rows // 2 :, columns // 2 :] = 255
    return np.asarray(Image.fromarray(array).convert(mode))


def save(array, path, tag=None):
    options = {"lossless": True} if path.suffix == ".webp" else {}
    if tag is not None:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = tag
        options["exif"] = exif
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_picture_is_read_as_stored_in_every_format(suffix, tag, tmp_path):
    stored = blocks(mode="RGB" if suffix == ".webp" else "L")
    path = save(stored, tmp_path / f"a{suffix}", tag)
    picture = read_picture(path, colour=suffix == ".webp")
    tolerance = 3 if suffix == ".jpg" else 0
    seen = picture.array if suffix != ".webp" else np.moveaxis(picture.array, 0, -1)
    np.testing.assert_allclose(seen, stored.astype(int), atol=tolerance)
    assert picture.orientation == tag


@pytest.mark.parametrize("tag", [0, 9, 255])
def test_a_tag_that_stands_for_no_turn_is_none(tag, tmp_path):
    assert read_picture(save(blocks(), tmp_path / "a.png", tag)).orientation == 1


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("tag", [3, 6])
def test_a_mask_is_read_as_stored_too(tag, suffix, tmp_path):
    path = save(blocks(), tmp_path / f"a{suffix}", tag)
    labels = read_label_picture(path, (0, 80, 160, 255))
    np.testing.assert_array_equal(labels.array, blocks())
    assert labels.orientation == tag


def load_pair(image, label):
    values = [0, 80, 160, 255]
    return Compose(
        [
            LoadImaged("image", reader=PictureReader()),
            LoadImaged("label", reader=PictureReader(labels=values)),
            EnsureChannelFirstd(["image", "label"]),
            SameGridd(["image", "label"]),
        ]
    )({"image": str(image), "label": str(label)})


@pytest.mark.parametrize(
    ("tags", "shape"),
    [
        ((3, None), (16, 24)),
        ((None, 3), (16, 24)),
        ((6, 8), (16, 24)),
        ((6, 1), (16, 16)),
        ((1, 6), (16, 16)),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_an_image_and_a_mask_of_different_tags_are_refused(suffix, tags, shape, tmp_path):
    image = save(blocks(*shape), tmp_path / "a.png", tags[0])
    label = save(blocks(*shape), tmp_path / f"b{suffix}", tags[1])
    with pytest.raises(RuntimeError) as caught:
        load_pair(image, label)
    error = caught.value.__cause__
    assert isinstance(error, IngestError)
    assert error.code is Reason.DIFFERENT_GRIDS
    first, second = (tag or 1 for tag in tags)
    assert f"a.png has EXIF orientation {first} and " in str(error)
    assert f"b{suffix} {second}, which is not applied" in str(error)


def test_a_mask_of_the_size_that_is_shown_is_refused_by_the_tag(tmp_path):
    image = save(blocks(16, 24), tmp_path / "a.png", 6)
    label = save(blocks(24, 16), tmp_path / "b.png")
    with pytest.raises(RuntimeError) as caught:
        load_pair(image, label)
    assert "a.png has EXIF orientation 6" in str(caught.value.__cause__)


@pytest.mark.parametrize("tags", [(3, 3), (6, 6), (6, None), (None, 8)])
def test_tags_that_match_as_stored_are_read_with_a_note(tags, tmp_path, caplog):
    """Of a picture that is not square, only the stored size fits the mask."""
    image = save(blocks(), tmp_path / "a.png", tags[0])
    label = save(blocks(), tmp_path / "b.png", tags[1])
    with caplog.at_level(logging.WARNING):
        case = load_pair(image, label)
    np.testing.assert_array_equal(case["image"][0], blocks())
    np.testing.assert_array_equal(case["label"][0], blocks())
    tagged, tag = (image, tags[0]) if tags[0] else (label, tags[1])
    assert f"{tagged} has EXIF orientation {tag}, which is not applied" in caplog.text


def test_a_prepared_set_compares_tags_too(tmp_path):
    for case in "ab":
        save(blocks(), tmp_path / f"{case}.png", 3 if case == "b" else None)
        save(blocks(), tmp_path / f"{case}_mask.png")
    items = [{"case": c, "patient": c, "image": f"{c}.png", "label": f"{c}_mask.png"} for c in "ab"]
    with pytest.raises(ValueError, match="image of case b has EXIF orientation 3 and label 1"):
        prepared.write(tmp_path, "x", items, label_values=[0, 80, 160, 255], folds=2)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_a_published_picture_is_taken_as_stored_with_a_warning(suffix, tmp_path, caplog):
    save(blocks(), tmp_path / f"a{suffix}", 6)
    with open_published(tmp_path, remedy="") as published, caplog.at_level(logging.WARNING):
        picture = published.read_picture(f"a{suffix}")
    np.testing.assert_allclose(np.asarray(picture), blocks().astype(int), atol=3)
    assert f"a{suffix} of {tmp_path} has EXIF orientation 6, which is not applied" in caplog.text
