"""Tests of medseg.inference.preview.picture: a picture of any size, with areas in pixels."""

from datetime import date
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from medseg.inference.preview.caption import RESEARCH_USE, About
from medseg.inference.preview.page import list_texts
from medseg.inference.preview.picture import PICTURE_HEIGHT, PICTURE_WIDTH, draw_picture
from medseg.labels import BRIGHT_COLOURS, COLOURS


def drawn(pages, image, label, *, classes=("nucleus",), **options):
    """The picture within its preview."""
    draw_picture(np.asarray(image, float), np.asarray(label, np.uint8), classes=classes, **options)
    return next(p for p in pages[-1].parts if isinstance(p.content, Image.Image))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        # rows x columns of the picture, width x height of what is shown within 1024 x 768
        ((256, 256), (768, 768)),
        ((256, 512), (1024, 512)),
        ((1040, 1388), (1024, 767)),
        ((2000, 1000), (384, 768)),
        ((1, 1), (768, 768)),
        ((2, 4000), (1024, 1)),
    ],
)
def test_a_picture_of_any_size_fits_the_preview_and_keeps_its_proportions(pages, shape, size):
    assert (PICTURE_WIDTH, PICTURE_HEIGHT) == (1024, 768)
    shown = drawn(pages, np.ones((3, *shape)), np.zeros(shape))
    assert (shown.width, shown.height) == size
    assert np.asarray(shown.content).min() == 255


def test_rows_run_down_and_columns_to_the_right(pages):
    label = np.zeros((96, 128))  # shown 8 times as large
    label[10:20, 100:120] = 1
    shown = np.asarray(drawn(pages, np.zeros((1, 96, 128)), label).content)
    rows, columns = np.nonzero((shown == COLOURS[0]).all(axis=-1))
    assert (rows.min(), rows.max()) == (80, 159)
    assert (columns.min(), columns.max()) == (800, 959)


@pytest.mark.parametrize(("channels", "colour"), [(1, COLOURS[0]), (3, BRIGHT_COLOURS[0])])
def test_on_colours_a_class_is_bright_and_the_legend_has_its_colour(pages, channels, colour):
    shown = drawn(pages, np.zeros((channels, 96, 128)), np.ones((96, 128)))
    assert shown.content.getpixel((0, 0)) == colour
    *_, patch = (p.content for p in pages[-1].parts if isinstance(p.content, Image.Image))
    assert patch.getpixel((0, 0)) == colour


def test_colours_are_shown_as_they_are_and_grey_as_grey(pages):
    rgb = np.broadcast_to(np.array([1.0, 0.0, 0.6])[:, None, None], (3, 8, 8))
    for image, expected in ((rgb, (255, 0, 153)), (np.full((1, 8, 8), 0.6), (153,) * 3)):
        assert drawn(pages, image, np.zeros((8, 8))).content.getpixel((100, 100)) == expected


def test_the_page_states_case_bundle_day_size_range_areas_and_use(pages):
    label = np.zeros((50, 40))
    label[:10, :25] = 1  # 250 of 2000
    about = About("slide_7", "nuclei 0.2.0", date(2026, 11, 29), notes=["odd"])
    names = ("nucleus", "cell")
    drawn(pages, np.zeros((1, 50, 40)), label, classes=names, window="values", about=about)
    assert list_texts(pages[-1]) == [
        "slide_7",
        "nuclei 0.2.0 · 2026-11-29",
        "40 x 50 pixels, shown at 1536 %",
        "values",
        "10 pixels",
        "nucleus 250 pixels, 12.5 %",
        "cell: none",
        "WARNING: odd",
        RESEARCH_USE,
    ]


def test_the_objects_of_each_class_are_counted_and_outlined(pages):
    label = np.repeat([[1, 1, 2, 0]], 3, axis=0)  # shown 256 times as large
    objects = np.repeat([[1, 4, 3, 0]], 3, axis=0)
    names = ("nucleus", "cell", "debris")
    shown = drawn(pages, np.zeros((1, 3, 4)), label, classes=names, objects=objects).content
    assert list_texts(pages[-1])[-4:-1] == [
        "nucleus 6 pixels, 50.0 %, 2 objects",
        "cell 3 pixels, 25.0 %, 1 object",
        "debris: none",
    ]
    assert [shown.getpixel((column, 384)) for column in (255, 256)] == [COLOURS[0]] * 2


@pytest.mark.parametrize("shape", [(3000, 4), (4, 3000), (50, 50)])
def test_no_text_of_a_picture_lies_on_another_or_on_the_picture(pages, shape):
    names = ["a class with a name that is longer than a narrow picture is wide", "b", "ccc"]
    about = About("x" * 200, "nuclei", notes=["a note that goes on and on " * 9])
    drawn(pages, np.zeros((1, *shape)), np.zeros(shape), classes=names, about=about)
    boxes = [(p.x, p.y, p.x + p.width, p.y + p.height) for p in pages[-1].parts]
    for (a, b, c, d), (e, f, g, h) in combinations(boxes, 2):
        assert c <= e or g <= a or d <= f or h <= b


@pytest.mark.parametrize("channels", [2, 4])
def test_a_picture_that_is_neither_grey_nor_colour_has_no_preview(channels):
    with pytest.raises(
        ValueError, match=f"has {channels} channels, and a preview needs 1 or 3: pass"
    ):
        draw_picture(np.zeros((channels, 4, 4)), np.zeros((4, 4), np.uint8), classes=["a"])
