"""Tests of medseg.inference.preview.volume: magnification, contact sheet, and nothing overlaps."""

from datetime import date
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from medseg.geometry import Geometry
from medseg.inference.preview.caption import RESEARCH_USE, About
from medseg.inference.preview.field import LEAST_FIELD_MM
from medseg.inference.preview.page import MARGIN, list_texts
from medseg.inference.preview.volume import (
    LONG_STACK,
    PLANE_HEIGHT,
    PLANE_WIDTH,
    SHEET_SLICES,
    THIN_PLANE,
    TILE,
    draw_preview,
)

LEAST_PICTURE = 40
"""Pixels: what is smaller are patches of colour and scale bars."""


def drawn(pages, shape, *, spacing_mm=(1.0, 1.0, 1.0), where=None, affine=None, **options):
    """The page of a grey volume with a mask, and its planes and tiles in the order of layout."""
    label = np.zeros(shape, np.uint8)
    if where is not None:
        label[where] = 1
    image = options.pop("image", np.full(shape, 0.5))
    grid = Geometry(shape, np.diag([*spacing_mm, 1.0]) if affine is None else affine)
    chosen = {"classes": ["liver"], "limits": (0.0, 1.0), **options}
    made = draw_preview(image, label, grid, **chosen)
    parts = [p for p in pages[-1].parts if isinstance(p.content, Image.Image)]
    return made, [p for p in parts if min(p.width, p.height) >= LEAST_PICTURE]


def lines(pages):
    return list_texts(pages[-1])


CASES = {
    "cube": {"shape": (40, 40, 40), "where": np.s_[10:20, 10:20, 10:20]},
    "no mask": {"shape": (40, 40, 40)},
    "one slice": {"shape": (60, 60, 1), "where": np.s_[10:20, 10:20, :]},
    "thick slices": {"shape": (60, 60, 30), "spacing_mm": (1, 1, 6), "where": np.s_[:9, :9, :9]},
    "long": {"shape": (30, 30, 300), "where": np.s_[5:9, 5:9, 20:280]},
    "small structure": {"shape": (90, 90, 90), "where": np.s_[40:43, 40:43, 40:43]},
    "narrow": {"shape": (4, 4, 40)},
    "oblique": {
        "shape": (30, 30, 30),
        "affine": Geometry((1, 1, 1), np.diag([1.0, 1, 1, 1])).affine
        @ np.array([[1, 0, 0, 0], [0, 0.8, -0.6, 0], [0, 0.6, 0.8, 0], [0, 0, 0, 1]]),
    },
    "many long names": {
        "shape": (40, 40, 1),
        "classes": [f"a class with quite a long name {n}" for n in range(20)],
        "about": About("x" * 200, "liver 0.1.0", notes=["a note that goes on and on " * 9] * 2),
    },
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_no_text_lies_on_a_picture_or_another_text_or_beyond_the_page(pages, case):
    made, _ = drawn(pages, **case)
    boxes = [(p.x, p.y, p.x + p.width, p.y + p.height) for p in pages[-1].parts]
    for (a, b, c, d), (e, f, g, h) in combinations(boxes, 2):
        assert c <= e or g <= a or d <= f or h <= b
    for left, top, right, bottom in boxes:
        assert left >= 0
        assert top >= 0
        assert right <= made.width - 2 * MARGIN
        assert bottom <= made.height - 2 * MARGIN


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "sizes"),
    [
        # width x height of axial, coronal, sagittal: one scale, so that each fits into 480 x 640
        ((40, 40, 40), (1, 1, 1), [(480, 480)] * 3),
        ((40, 40, 8), (1, 1, 5), [(480, 480)] * 3),
        ((40, 20, 20), (1, 1, 1), [(480, 240), (480, 240), (240, 240)]),
        ((20, 40, 20), (1, 1, 1), [(240, 480), (240, 240), (480, 240)]),
        ((20, 20, 80), (1, 1, 1), [(160, 160), (160, 640), (160, 640)]),
        ((40, 40, 8), (1, 1, 1), [(480, 480), (480, 96), (480, 96)]),
        ((40, 40, 7), (1, 1, 1), [(480, 480)] * 3),  # strips of 84: three slices of the stack
    ],
)
def test_all_planes_have_one_magnification_in_millimetres(pages, shape, spacing_mm, sizes):
    assert (PLANE_WIDTH, PLANE_HEIGHT, THIN_PLANE) == (480, 640, 96)
    _, planes = drawn(pages, shape, spacing_mm=spacing_mm)
    assert [(p.width, p.height) for p in planes[:3]] == sizes
    bars = [line for line in lines(pages) if line.endswith("mm") and line[0].isdigit()]
    assert len(set(bars[1:4])) == 1  # the first line of this kind describes the grid


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_of_a_volume_of_a_few_slices_the_slices_are_drawn_and_no_strips(pages, axis):
    """Of a mask in every slice, the middles of the thirds; grey tells which slice is which."""
    shape = [60, 60, 60]
    shape[axis] = 5
    grey = np.linspace(0.2, 0.8, 5)
    image = np.moveaxis(np.broadcast_to(grey, (60, 60, 5)), -1, axis)
    _, planes = drawn(pages, tuple(shape), image=image, where=np.s_[:, :, :])
    values = [p.content.getpixel((240, 240))[2] for p in planes]
    tint = 0.15 * 70  # of the blue of the first colour
    assert values == pytest.approx([0.85 * 255 * grey[n] + tint for n in (0, 2, 4)], abs=2)


def test_a_class_is_drawn_where_it_lies_seen_from_the_feet_the_front_and_the_left(pages):
    """The centre of voxels 30 to 34 of 40 is at 32.5 / 40 from the patient's left, that of 20 to 24
    at 22.5 / 40 from the back and the feet."""
    right, front, up = 1 - 32.5 / 40, 1 - 22.5 / 40, 1 - 22.5 / 40
    _, planes = drawn(pages, (40, 40, 40), where=np.s_[30:35, 20:25, 20:25])
    expected = [(front, right), (up, right), (up, front)]
    for plane, (row, column) in zip(planes[:3], expected, strict=True):
        rows, columns = np.nonzero((np.asarray(plane.content) == (230, 85, 70)).all(axis=-1))
        assert rows.mean() / 480 == pytest.approx(row, abs=0.005)
        assert columns.mean() / 480 == pytest.approx(column, abs=0.005)


def test_every_side_of_every_plane_has_its_letter(pages):
    drawn(pages, (10, 10, 10))
    letters = [line for line in lines(pages) if line in tuple("RLAPSI")]
    assert letters == [*"ARLP", *"SRLI", *"SAPI"]


def test_the_page_states_case_bundle_day_grid_window_slices_and_use(pages):
    about = About("case_001", "liver 0.3.1", date(2026, 11, 29))
    drawn(
        pages,
        (10, 20, 10),
        spacing_mm=(1, 1, 2.5),
        where=np.s_[2:4, 3:5, 6:8],
        about=about,
        window="window -160 to 240 HU (W 400, L 40)",
    )
    assert lines(pages)[:4] == [
        "case_001",
        "liver 0.3.1 · 2026-11-29",
        "10 x 20 x 10 voxels of 1 x 1 x 2.5 mm",
        "window -160 to 240 HU (W 400, L 40)",
    ]
    for title in (
        *(
            "axial, slice 7 of 10",
            "15.0 mm superior of the file's origin",
            "coronal, slice 4 of 20",
            "3.0 mm anterior of the file's origin",
        ),
        *("sagittal, slice 3 of 10", "2.0 mm right of the file's origin"),
    ):
        assert title in lines(pages)
    assert lines(pages)[-2:] == ["liver 0.0200 mL", RESEARCH_USE]


def test_an_oblique_grid_says_so_on_the_page(pages):
    drawn(pages, **CASES["oblique"])
    text = "\n".join(lines(pages))
    assert "oblique grid: turned by up to 37° against the patient's axes" in text
    assert "oblique axial, slice 16 of 30" in text
    assert ", tilted 37°" in text
    assert "sheared" not in text


def test_a_sheared_grid_says_so_on_the_page_and_keeps_the_volume_of_its_voxels(pages):
    sheared = np.diag([1.0, 1.0, 2.0, 1.0])
    sheared[1, 2] = 0.5  # the volume stays 2 cubic millimetres
    drawn(pages, (10, 10, 10), affine=sheared, where=np.s_[:10, :10, :10])
    text = "\n".join(lines(pages))
    assert "sheared grid: drawn as if its axes met at right angles" in text
    assert "liver 2.00 mL" in text


def numbers(pages):
    """The numbers of the slices of a contact sheet."""
    return [int(line) for line in lines(pages) if line.isdigit()]


def test_a_volume_of_few_slices_has_no_contact_sheet(pages):
    drawn(pages, (40, 40, LONG_STACK), spacing_mm=(1, 1, 4))
    assert numbers(pages) == []
    drawn(pages, (40, 40, LONG_STACK + 1), spacing_mm=(1, 1, 4))
    assert numbers(pages) == list(range(1, LONG_STACK + 2))


def test_a_contact_sheet_goes_from_one_end_of_the_segmentation_to_the_other(pages):
    """Of 160 segmented slices, 16 to 175 counted from 0, the middles of sixteen parts of 10."""
    _, shown = drawn(pages, (30, 30, 200), where=np.s_[2:28, 2:28, 16:176])
    assert numbers(pages) == list(range(22, 182, 10))
    assert len(shown) == 3 + SHEET_SLICES
    heading = next(line for line in lines(pages) if line.startswith("16 axial slices"))
    assert heading.startswith("16 axial slices, 22 to 172, spread over the segmented slices")


def test_a_contact_sheet_without_a_mask_goes_through_the_whole_volume(pages):
    drawn(pages, (30, 30, 160))
    assert numbers(pages) == list(range(6, 166, 10))
    assert "spread over the slices from the feet on" in " ".join(lines(pages))


def test_a_contact_sheet_is_of_the_slices_that_were_taken(pages):
    drawn(pages, (40, 20, 40), spacing_mm=(1, 3, 1))
    assert len(numbers(pages)) == SHEET_SLICES
    assert "16 coronal slices" in " ".join(lines(pages))


def test_a_contact_sheet_is_magnified_around_a_small_structure(pages):
    """A structure of 4 mm is shown with 40 mm around it, 4.4 pixels a millimetre."""
    _, shown = drawn(pages, (90, 90, 90), where=np.s_[40:44, 40:44, 40:44])
    tiles = shown[3:]
    assert numbers(pages) == [41, 42, 43, 44]
    assert [(p.width, p.height) for p in tiles] == [(TILE, TILE)] * 4
    is_outline = (np.asarray(tiles[0].content) == (230, 85, 70)).all(axis=-1)
    assert np.ptp(np.nonzero(is_outline)[0]) + 1 == pytest.approx(4 * TILE / LEAST_FIELD_MM, abs=2)
    assert "40 x 40 mm around the segmentation" in " ".join(lines(pages))


def test_an_empty_mask_shows_the_middle_and_says_none(pages):
    image = np.zeros((40, 40, 40))
    image[20] = image[:, 20] = image[:, :, 20] = 1.0
    _, planes = drawn(pages, (40, 40, 40), image=image)
    assert all(p.content.getpixel((100, 100)) == (255, 255, 255) for p in planes[:3])
    assert "liver: none" in lines(pages)


def test_values_between_the_limits_are_grey_and_a_constant_image_is_black(pages):
    image = np.full((40, 40, 40), 40.0)
    _, planes = drawn(pages, (40, 40, 40), image=image, limits=(-160.0, 240.0))
    assert planes[0].content.getpixel((100, 100)) == (127,) * 3
    _, planes = drawn(pages, (40, 40, 40), image=image, limits=(40.0, 40.0))
    assert planes[0].content.getpixel((100, 100)) == (0,) * 3


def test_the_order_of_the_axes_of_a_file_changes_its_grid_and_nothing_that_is_seen(pages):
    image = np.random.default_rng(0).random((8, 9, 10))
    label = image > 0.5
    ras = np.diag([1.0, 2.0, 3.0, 1.0])
    turned = ras @ np.array([[-1, 0, 0, 7], [0, -1, 0, 8], [0, 0, 1, 0], [0, 0, 0, 1]])
    for array, mask, affine in (
        (image, label, ras),
        (image[::-1, ::-1], label[::-1, ::-1], turned),
    ):
        grid = Geometry(image.shape, affine)
        draw_preview(array, mask.astype(np.uint8), grid, classes=["a"], limits=(0.0, 1.0))
    shown = [
        [np.asarray(p.content) for p in page.parts if isinstance(p.content, Image.Image)]
        for page in pages
    ]
    for first, second in zip(*shown, strict=True):
        np.testing.assert_array_equal(first, second)
