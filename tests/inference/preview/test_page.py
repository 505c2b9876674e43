"""Tests of medseg.inference.preview.page: nothing overlaps, and every text can be read."""

import numpy as np
import pytest
from PIL import Image

from medseg.inference.preview.page import (
    BLACK,
    LARGE,
    MARGIN,
    NORMAL,
    WHITE,
    Block,
    draw_bar,
    draw_page,
    fill,
    indent,
    lay_out,
    list_texts,
    measure_bar,
    put_beside,
    show,
    stack,
    write,
    write_paragraph,
)

RED = (255, 0, 0)


def boxes(block):
    return [(p.x, p.y, p.x + p.width, p.y + p.height) for p in block.parts]


def test_blocks_beside_each_other_begin_where_the_last_one_and_the_gap_end():
    row = put_beside([fill(10, 4, RED), fill(20, 8, RED)], gap=3)
    assert (row.width, row.height) == (33, 8)
    assert boxes(row) == [(0, 0, 10, 4), (13, 0, 33, 8)]
    middle = put_beside([fill(10, 4, RED), fill(20, 8, RED)], gap=3, centred=True)
    assert boxes(middle) == [(0, 2, 10, 6), (13, 0, 33, 8)]


def test_a_stack_leaves_no_gap_for_an_empty_block():
    column = stack([fill(10, 4, RED), Block(0, 0), indent(fill(20, 8, RED), 5)], gap=3)
    assert (column.width, column.height) == (25, 15)
    assert boxes(column) == [(0, 0, 10, 4), (5, 7, 25, 15)]
    assert (stack([]).width, stack([]).height) == (0, 0)


def test_what_does_not_fit_into_a_row_flows_into_the_next():
    rows = lay_out([fill(10, 4, RED)] * 3, 24, gap=4)
    assert [box[:2] for box in boxes(rows)] == [(0, 0), (14, 0), (0, 8)]
    assert lay_out([fill(99, 4, RED)], 24).width == 99


def test_a_text_lies_within_its_block():
    for text in ("jgpÅy|", "W 400, L 40", "_" * 30, "I", "M" * 20):
        for size in (NORMAL, LARGE):
            block = write(text, size=size)
            drawn = np.asarray(draw_page(block)).max(axis=-1) > 40
            rows, columns = np.nonzero(drawn)
            assert rows.min() >= MARGIN
            assert rows.max() < MARGIN + block.height
            assert columns.min() >= MARGIN - 1
            assert columns.max() <= MARGIN + block.width


def test_a_paragraph_is_broken_between_words_and_a_word_that_is_too_long_within():
    text = "one two " * 30 + "x" * 300
    paragraph = write_paragraph(text, 200)
    lines = list_texts(paragraph)
    assert paragraph.width <= 200
    assert len(lines) > 3
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(line.split()[0] in ("one", "two") for line in lines[:3])


def test_letters_that_the_font_lacks_are_written_as_escapes():
    assert list_texts(write("Gefäß 中 · 17°")) == [r"Gef\xe4\xdf \u4e2d · 17°"]


@pytest.mark.parametrize(
    ("pixels_per_mm", "most", "length"),
    [(1, 100, 100), (1, 99, 50), (1.6, 100, 50), (20, 100, 5), (0.02, 100, 5000), (3, 1, 0.2)],
)
def test_a_bar_is_the_longest_1_2_or_5_that_fits(pixels_per_mm, most, length):
    assert measure_bar(pixels_per_mm, most) == pytest.approx(length)


def test_a_bar_has_the_length_that_it_states():
    bar = draw_bar(1.6, 100, "mm")
    assert list_texts(bar) == ["50 mm"]
    drawn = np.asarray(draw_page(bar))[:, : MARGIN + 80 + 3].min(axis=-1) == 255
    assert np.flatnonzero(drawn.any(axis=0)).tolist() == list(range(MARGIN, MARGIN + 80))


def test_a_page_shows_its_pictures_where_they_lie_on_black():
    page = draw_page(put_beside([fill(3, 2, WHITE), show(Image.new("RGB", (2, 2), RED))], gap=1))
    assert page.size == (6 + 2 * MARGIN, 2 + 2 * MARGIN)
    row = np.asarray(page)[MARGIN, MARGIN : MARGIN + 6].tolist()
    assert [tuple(pixel) for pixel in row] == [WHITE] * 3 + [BLACK] + [RED] * 2
    assert page.getpixel((0, 0)) == BLACK
