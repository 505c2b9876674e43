"""Page: texts and pictures laid out beside and below each other, and drawn as one picture.

A page is made of blocks, which know their size. Blocks are joined in rows and columns, so that no
text can lie on a picture or on another text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

WHITE, GREY, ORANGE = (255, 255, 255), (190, 190, 190), (255, 160, 70)
BLACK = (0, 0, 0)
NORMAL, LARGE = 15, 20
"""Heights of letters in pixels."""

MARGIN = 12

_FONTS = {size: ImageFont.load_default(size=size) for size in (NORMAL, LARGE)}
_BEYOND_ASCII = "·°±"  # the letters that the font has beside those of ASCII
_BAR_HEIGHT = 9
_STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Words:
    """One line of text as it is drawn."""

    text: str
    size: int
    colour: Colour


@dataclass(frozen=True)
class Part:
    """A text or a picture at its place in a block, in pixels from the upper left corner."""

    x: int
    y: int
    width: int
    height: int
    content: Words | Image.Image


@dataclass(frozen=True)
class Block:
    """A rectangle of a page with what is drawn in it."""

    width: int
    height: int
    parts: tuple[Part, ...] = ()

    def place_at(self, x: int, y: int) -> tuple[Part, ...]:
        """Its parts where the block begins at (x, y)."""
        return tuple(Part(p.x + x, p.y + y, p.width, p.height, p.content) for p in self.parts)


def write(text: str, *, size: int = NORMAL, colour: Colour = WHITE) -> Block:
    """One line of text; letters that the font does not have are escapes, such as `\\xe4`."""
    known = "".join(c if c.isascii() or c in _BEYOND_ASCII else _escape(c) for c in text)
    width, height = math.ceil(_FONTS[size].getlength(known)), math.ceil(size * 1.35)
    return Block(width, height, (Part(0, 0, width, height, Words(known, size, colour)),))


def write_paragraph(text: str, width: int, *, size: int = NORMAL, colour: Colour = WHITE) -> Block:
    """Text broken between words into lines of at most `width` pixels; a longer word is broken."""
    lines: list[str] = []
    for word in text.split():
        for piece in _break_word(word, width, size=size):
            longer = f"{lines[-1]} {piece}" if lines else piece
            if lines and write(longer, size=size).width <= width:
                lines[-1] = longer
            else:
                lines.append(piece)
    return stack([write(line, size=size, colour=colour) for line in lines], gap=0)


def show(picture: Image.Image) -> Block:
    """A picture."""
    return Block(*picture.size, (Part(0, 0, *picture.size, picture),))


def fill(width: int, height: int, colour: Colour) -> Block:
    """A rectangle of one colour."""
    return show(Image.new("RGB", (width, height), colour))


def indent(block: Block, pixels: int) -> Block:
    """A block with so many empty pixels on its left."""
    return Block(block.width + pixels, block.height, block.place_at(pixels, 0))


def put_beside(blocks: Iterable[Block], *, gap: int = MARGIN, centred: bool = False) -> Block:
    """Blocks from left to right, at one height of their upper edges or of their middles."""
    blocks = list(blocks)
    height = max((block.height for block in blocks), default=0)
    parts: list[Part] = []
    x = 0
    for block in blocks:
        parts += block.place_at(x, (height - block.height) // 2 if centred else 0)
        x += block.width + gap
    return Block(max(x - gap, 0), height, tuple(parts))


def stack(blocks: Iterable[Block], *, gap: int = MARGIN) -> Block:
    """Blocks from top to bottom, at one place of their left edges; empty ones take no place."""
    parts: list[Part] = []
    width = y = 0
    for block in blocks:
        if not block.height:
            continue
        parts += block.place_at(0, y)
        y += block.height + gap
        width = max(width, block.width)
    return Block(width, max(y - gap, 0), tuple(parts))


def lay_out(blocks: Iterable[Block], width: int, *, gap: int = MARGIN) -> Block:
    """Blocks in as many rows as fit into `width` pixels, at least one block in each."""
    rows: list[list[Block]] = []
    for block in blocks:
        longer = [*rows[-1], block] if rows else [block]
        if rows and sum(b.width + gap for b in longer) - gap <= width:
            rows[-1] = longer
        else:
            rows.append([block])
    return stack([put_beside(row, gap=gap) for row in rows], gap=max(gap // 2, 4))


def measure_bar(pixels_per_unit: float, most_pixels: float) -> float:
    """The longest 1, 2 or 5 times a power of ten whose bar is at most so many pixels long.

    Example:
        >>> measure_bar(1.6, 100), measure_bar(20.0, 100)
        (50.0, 5.0)
    """
    longest = most_pixels / pixels_per_unit
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in _STEPS if step * power <= longest * (1 + 1e-9))


def draw_bar(pixels_per_unit: float, most_pixels: float, unit: str) -> Block:
    """A scale bar with its length, such as "50 mm"."""
    length = measure_bar(pixels_per_unit, most_pixels)
    width = max(round(length * pixels_per_unit), 2)
    bar = Image.new("RGB", (width, _BAR_HEIGHT), BLACK)
    draw = ImageDraw.Draw(bar)
    draw.rectangle((0, _BAR_HEIGHT // 2 - 1, width - 1, _BAR_HEIGHT // 2 + 1), fill=WHITE)
    draw.rectangle((0, 0, 1, _BAR_HEIGHT - 1), fill=WHITE)
    draw.rectangle((width - 2, 0, width - 1, _BAR_HEIGHT - 1), fill=WHITE)
    return put_beside([show(bar), write(f"{length:g} {unit}")], gap=6, centred=True)


def draw_page(block: Block) -> Image.Image:
    """A block as a picture, with a margin around it, white on black."""
    page = Image.new("RGB", (block.width + 2 * MARGIN, block.height + 2 * MARGIN), BLACK)
    draw = ImageDraw.Draw(page)
    for part in block.place_at(MARGIN, MARGIN):
        if isinstance(part.content, Words):
            words = part.content
            font, middle = _FONTS[words.size], part.y + part.height // 2
            draw.text((part.x, middle), words.text, words.colour, font=font, anchor="lm")
        else:
            page.paste(part.content, (part.x, part.y))
    return page


def list_texts(block: Block) -> list[str]:
    """The lines of text of a block, in the order in which they were laid out."""
    return [p.content.text for p in block.parts if isinstance(p.content, Words)]


def _break_word(word: str, width: int, *, size: int) -> Sequence[str]:
    """A word, or where it is wider than the line the pieces that are not."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and write(pieces[-1] + letter, size=size).width > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _escape(letter: str) -> str:
    return letter.encode("ascii", "backslashreplace").decode()
