"""Tests of medseg.datasets.sources.picture_files, by pictures of a published source."""

import io

import numpy as np
import pytest
from datasets.sources.published_source import png
from PIL import Image

from medseg.datasets.sources import picture_files
from medseg.datasets.sources.published_files import open_published


def test_every_page_is_read_and_a_picture_has_one(source):
    pages = [np.full((2, 3), value, np.uint8) for value in (1, 2, 3)]
    first, *rest = (Image.fromarray(page) for page in pages)
    content = io.BytesIO()
    first.save(content, format="TIFF", save_all=True, append_images=rest)
    files = {"stack.tif": content.getvalue(), "one.png": png(pages[0])}
    with open_published(source(files), remedy="x") as published:
        read = [np.asarray(page) for page in published.read_pages("stack.tif")]
        np.testing.assert_array_equal(read, pages)
        np.testing.assert_array_equal(np.asarray(published.read_picture("one.png")), pages[0])
        with pytest.raises(
            ValueError, match=r"^stack.tif of .* has 3 pages, a picture file has one$"
        ):
            published.read_picture("stack.tif")


@pytest.mark.parametrize("content", [b"", b"text", "cut", "no header"])
def test_an_unreadable_picture_is_refused_by_its_name(source, content):
    noise = np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)
    sound = png(noise)
    damaged = {"cut": sound[: len(sound) // 2], "no header": sound[:8] + sound[33:]}
    with (
        open_published(source({"a/1.png": damaged.get(content, content)}), remedy="x") as published,
        pytest.raises(ValueError, match=r"^a/1.png of .* cannot be read \(.*\): download or"),
    ):
        published.read_picture("a/1.png")


def test_a_picture_of_more_pixels_than_pillow_decodes_is_refused(source):
    content = io.BytesIO()
    Image.new("1", (20000, 10000)).save(content, format="PNG")  # 200 million pixels, 25 kB
    with (
        open_published(source({"1.png": content.getvalue()}), remedy="x") as published,
        pytest.raises(ValueError, match=r"^1.png of .* cannot be read \(Image size \(200000000"),
    ):
        published.read_picture("1.png")


def test_a_picture_that_claims_many_pixels_in_few_bytes_is_refused_undecoded(
    source, monkeypatch, recwarn
):
    content = io.BytesIO()
    Image.new("1", (13000, 13000)).save(content, format="PNG")  # 169 million pixels, 21 kB
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    with (
        open_published(source({"1.png": content.getvalue()}), remedy="x") as published,
        pytest.raises(ValueError, match=r"^1.png of .* \(it claims 169000000 pixels or more"),
    ):
        published.read_picture("1.png")
    assert list(recwarn) == []


def test_pages_that_claim_many_pixels_together_are_refused(source, monkeypatch):
    monkeypatch.setattr(picture_files, "MOST_PIXELS", 1000)
    content = io.BytesIO()
    page = Image.new("L", (20, 20))
    page.save(content, format="TIFF", save_all=True, append_images=[page, page])
    with (
        open_published(source({"1.tif": content.getvalue()}), remedy="x") as published,
        pytest.raises(ValueError, match="it claims 1200 pixels or more"),
    ):
        published.read_pages("1.tif")
