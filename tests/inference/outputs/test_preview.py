"""Tests of medseg.inference.outputs.preview: sides, proportions and captions of what is drawn."""

import numpy as np
import pytest

from medseg.inference.outputs import preview
from medseg.inference.outputs.preview import (
    COLOURS,
    PLANE_HEIGHT,
    PLANE_WIDTH,
    draw_picture,
    draw_preview,
)

RED = COLOURS[0]
MARGIN = 8


def box(shape=(40, 40, 40), *, where=np.s_[30:35, 20:25, 20:25], value=1):
    label = np.zeros(shape, np.uint8)
    label[where] = value
    return label


def picture(label, *, image=None, spacing_mm=(1.0, 1.0, 1.0), classes=("liver",)):
    grey = np.full(label.shape, 0.5) if image is None else image

    def planes_of(axis, index):
        return np.take(grey, index, axis=axis)

    return draw_preview(planes_of, label, spacing_mm=spacing_mm, classes=classes)


def planes(drawn):
    """The three planes of a cube, each `PLANE_HEIGHT` wide, as arrays."""
    array = np.asarray(drawn)[MARGIN : MARGIN + PLANE_HEIGHT]
    starts = [MARGIN + n * (PLANE_HEIGHT + MARGIN) for n in range(3)]
    return [array[:, x : x + PLANE_HEIGHT] for x in starts]


def outline(plane, colour=RED):
    """Centre of the outline, as (row, column) in parts of the plane."""
    rows, columns = np.nonzero((plane == colour).all(axis=-1))
    return rows.mean() / plane.shape[0], columns.mean() / plane.shape[1]


@pytest.fixture
def captions(monkeypatch):
    """The texts that are drawn below the planes."""
    seen = []
    draw_line = preview._draw_line

    def note(draw, line, *, y):
        seen.append([text for _, _, text in line])
        draw_line(draw, line, y=y)

    monkeypatch.setattr(preview, "_draw_line", note)
    return seen


def test_the_patients_right_is_on_the_left_and_front_and_head_are_on_top():
    # the centre of voxels 30..34 of 40 is at 32.5 / 40 from the patient's left, and 22.5 / 40 from
    # the back and the feet
    right, front, up = 1 - 32.5 / 40, 1 - 22.5 / 40, 1 - 22.5 / 40
    axial, coronal, sagittal = (outline(p) for p in planes(picture(box())))
    assert axial == pytest.approx((front, right), abs=0.01)
    assert coronal == pytest.approx((up, right), abs=0.01)
    assert sagittal == pytest.approx((up, front), abs=0.01)


def test_each_plane_is_the_one_with_the_largest_area():
    label = box(where=np.s_[10:12, 10:12, 5])
    label[10:20, 10:20, 30] = 1
    image = np.zeros(label.shape)
    image[..., 30] = 1.0
    axial = planes(picture(label, image=image))[0]
    assert axial[5, 5].tolist() == [255, 255, 255]


def test_a_class_is_an_outline_over_a_tint_through_which_the_image_shows():
    axial = planes(picture(box(where=np.s_[10:30, 10:30, 10:30])))[0]
    middle, edge, outside = axial[192, 192], axial[192, 96], axial[192, 40]
    assert edge.tolist() == list(RED)
    assert outside.tolist() == [127] * 3
    np.testing.assert_allclose(middle, 0.85 * 127 + 0.15 * np.array(RED), atol=1)


def test_classes_have_colours_of_their_own():
    label = box(where=np.s_[5:15, 10:30, 10:30]) + box(where=np.s_[25:35, 10:30, 10:30], value=2)
    axial = planes(picture(label, classes=("liver", "tumour")))[0]
    assert outline(axial, COLOURS[0])[1] == pytest.approx(1 - 10 / 40, abs=0.01)
    assert outline(axial, COLOURS[1])[1] == pytest.approx(1 - 30 / 40, abs=0.01)


def test_the_sixth_class_has_the_colour_of_the_first():
    names = [str(n) for n in range(1, 7)]
    axial = planes(picture(box(value=6), classes=names))[0]
    assert outline(axial)[1] == pytest.approx(1 - 32.5 / 40, abs=0.01)


def test_the_caption_names_each_class_with_its_volume(captions):
    label = box(where=np.s_[:10, :10, :10])  # 1000 voxels of 2 * 2 * 5 mm = 20 mL
    picture(label, spacing_mm=(2.0, 2.0, 5.0), classes=("liver", "tumour"))
    assert captions == [["liver 20.0 mL", "tumour: none"]]


def test_a_region_is_counted_with_those_within_it(captions):
    label = box(where=np.s_[:10, :10, :10])  # 20 mL, of which the half is tumour
    label[:5, :10, :10] = 2
    classes = {"liver": [1, 2], "tumour": [2]}
    picture(label, spacing_mm=(2.0, 2.0, 5.0), classes=classes)
    picture(label, spacing_mm=(2.0, 2.0, 5.0), classes={"liver": [1], "tumour": [2]})
    assert captions == [
        ["liver 20.0 mL", "tumour 10.0 mL"],
        ["liver 10.0 mL", "tumour 10.0 mL"],
    ]


def test_a_caption_that_is_too_long_goes_on_in_another_line(captions):
    names = [f"a class with a long name {n}" for n in range(12)]
    drawn = picture(box(), classes=names)
    assert [text for line in captions for text in line] == ["a class with a long name 0 0.1 mL"] + [
        f"{name}: none" for name in names[1:]
    ]
    assert len(captions) > 1
    assert drawn.height == PLANE_HEIGHT + 2 * MARGIN + 22 * len(captions)


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "sizes"),
    [
        # width x height of axial, coronal, sagittal; each fits into 512 x 384
        ((40, 40, 40), (1, 1, 1), [(384, 384), (384, 384), (384, 384)]),
        ((40, 40, 8), (1, 1, 5), [(384, 384), (384, 384), (384, 384)]),
        ((40, 20, 20), (1, 1, 1), [(512, 256), (512, 256), (384, 384)]),
        ((40, 40, 7), (1, 1, 1), [(384, 384)] * 3),
        ((40, 40, 8), (1, 1, 1), [(384, 384), (512, 102), (512, 102)]),
        ((10, 10, 100), (1, 1, 1), [(384, 384), (38, 384), (38, 384)]),
    ],
)
def test_planes_keep_their_proportions_in_millimetres_and_fit_the_picture(shape, spacing_mm, sizes):
    assert max(w for w, _ in sizes) <= PLANE_WIDTH
    drawn = picture(np.zeros(shape, np.uint8), image=np.ones(shape), spacing_mm=spacing_mm)
    assert drawn.width == sum(width for width, _ in sizes) + 4 * MARGIN
    x, white = MARGIN, np.asarray(drawn)[MARGIN : MARGIN + PLANE_HEIGHT].min(axis=-1) > 250
    for width, height in sizes:
        column = white[:, x + width // 2]  # away from the letters at the sides
        assert column.sum() == height
        x += width + MARGIN


@pytest.mark.parametrize(
    ("slices", "shown"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (5, [0, 2, 4]), (6, [1, 3, 5])]
)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_of_a_volume_of_a_few_slices_the_slices_are_drawn_and_no_strips(slices, shown, axis):
    """Of a mask in every slice, the middles of the thirds; grey tells which slice is which."""
    shape = [60, 60, 60]
    shape[axis] = slices
    grey = np.linspace(0.2, 0.8, slices)
    image = np.moveaxis(np.broadcast_to(grey, (60, 60, slices)), -1, axis)
    label = np.moveaxis(box((60, 60, slices), where=np.s_[10:20, 10:20, :]), -1, axis)
    drawn = picture(label, image=image)
    assert drawn.width == len(shown) * (PLANE_HEIGHT + MARGIN) + MARGIN
    seen = [plane[8, 100, 0] / 255 for plane in planes(drawn)[: len(shown)]]
    assert seen == pytest.approx([grey[n] for n in shown], abs=0.01)


def test_the_slices_of_a_thin_volume_are_those_with_a_mask(captions):
    image = np.broadcast_to(np.linspace(0, 1, 6), (60, 60, 6))
    label = box((60, 60, 6), where=np.s_[10:20, 10:20, 4:6])
    seen = [plane[8, 100, 0] / 255 for plane in planes(picture(label, image=image))[:2]]
    assert seen == pytest.approx([0.8, 1.0], abs=0.01)


def test_the_sides_of_thin_volumes_are_those_of_their_planes():
    """The right front of a thin axial stack, and the upper front of a thin sagittal one."""
    axial = planes(picture(box((40, 40, 1), where=np.s_[30:35, 30:35, :])))[0]
    sagittal = planes(picture(box((1, 40, 40), where=np.s_[:, 30:35, 30:35])))[0]
    for plane in (axial, sagittal):
        assert outline(plane) == pytest.approx((1 - 32.5 / 40, 1 - 32.5 / 40), abs=0.01)


def test_a_single_slice_is_as_wide_as_its_longest_caption(captions):
    names = ["a class with a name that is longer than a single plane of a preview is wide"]
    drawn = picture(box((40, 40, 1), where=np.s_[10:20, 10:20, :]), classes=names)
    assert drawn.width > preview._FONT.getlength(captions[0][0])


def test_an_empty_mask_shows_the_middle_and_says_none(captions):
    image = np.zeros((40, 40, 40))
    image[20] = image[:, 20] = image[:, :, 20] = 1.0
    drawn = picture(np.zeros((40, 40, 40), np.uint8), image=image)
    assert all(plane[100, 100].tolist() == [255] * 3 for plane in planes(drawn))
    assert captions == [["liver: none"]]


def test_values_outside_the_window_are_black_and_white():
    image = np.full((40, 40, 40), -3.0)
    image[20:] = 7.0
    axial = planes(picture(np.zeros((40, 40, 40), np.uint8), image=image))[0]
    assert axial[100, 50].tolist() == [255] * 3
    assert axial[100, 330].tolist() == [0] * 3


# ---- pictures


def drawn_picture(image, label, *, classes=("nucleus",)):
    return draw_picture(np.asarray(image, float), np.asarray(label, np.uint8), classes=classes)


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
def test_a_picture_of_any_size_fits_the_preview_and_keeps_its_proportions(shape, size):
    drawn = drawn_picture(np.ones((3, *shape)), np.zeros(shape))
    white = np.asarray(drawn)[MARGIN : MARGIN + size[1]].min(axis=-1) == 255
    assert white.any(axis=0).sum() == size[0]
    assert white.any(axis=1).sum() == size[1]
    assert drawn.height == size[1] + 2 * MARGIN + 22


def test_rows_run_down_and_columns_to_the_right():
    label = np.zeros((96, 128))  # shown 8 times as large
    label[10:20, 100:120] = 1
    drawn = np.asarray(drawn_picture(np.zeros((3, 96, 128)), label))
    shown = drawn[MARGIN : MARGIN + 768, MARGIN : MARGIN + 1024]
    assert outline(shown) == pytest.approx((15 / 96, 110 / 128), abs=0.002)


def test_colours_are_shown_as_they_are_and_grey_as_grey():
    rgb = np.broadcast_to(np.array([1.0, 0.0, 0.6])[:, None, None], (3, 8, 8))
    for image, expected in ((rgb, [255, 0, 153]), (np.full((1, 8, 8), 0.6), [153] * 3)):
        drawn = np.asarray(drawn_picture(image, np.zeros((8, 8))))
        assert drawn[100, 100].tolist() == expected


def test_a_tint_lies_within_the_outline_of_a_picture():
    label = np.zeros((96, 128))
    label[30:60, 30:60] = 1
    drawn = np.asarray(drawn_picture(np.full((3, 96, 128), 0.5), label))
    middle, edge = drawn[MARGIN + 8 * 45, MARGIN + 8 * 45], drawn[MARGIN + 8 * 30, MARGIN + 8 * 45]
    assert edge.tolist() == list(RED)
    np.testing.assert_allclose(middle, 0.85 * 127 + 0.15 * np.array(RED), atol=1)


def test_a_class_that_covers_a_picture_is_outlined_along_its_edge():
    drawn = np.asarray(drawn_picture(np.full((3, 96, 128), 0.5), np.ones((96, 128))))
    shown = drawn[MARGIN : MARGIN + 768, MARGIN : MARGIN + 1024]
    assert all((shown[edge] == RED).all() for edge in (np.s_[:2], np.s_[-2:]))
    assert all((shown[:, edge] == RED).all() for edge in (np.s_[:2], np.s_[-2:]))
    assert not (shown[2:-2, 2:-2] == RED).all(axis=-1).any()


def test_the_caption_of_a_picture_gives_pixels_and_per_cent(captions):
    label = np.zeros((50, 40))
    label[:10, :25] = 1  # 250 of 2000
    drawn_picture(np.zeros((1, 50, 40)), label, classes=("nucleus", "cell"))
    assert captions == [["nucleus 250 pixels, 12.5 %", "cell: none"]]


def test_a_narrow_picture_is_as_wide_as_its_longest_caption(captions):
    names = ["a class with quite a long name", "b"]
    drawn = drawn_picture(np.zeros((1, 3000, 4)), np.zeros((3000, 4)), classes=names)
    assert captions == [[f"{names[0]}: none"], ["b: none"]]
    assert drawn.width > preview._FONT.getlength(names[0])


@pytest.mark.parametrize("channels", [2, 4])
def test_a_picture_that_is_neither_grey_nor_colour_has_no_preview(channels):
    with pytest.raises(ValueError, match=f"has {channels} channels: a preview needs 1 or 3"):
        drawn_picture(np.zeros((channels, 4, 4)), np.zeros((4, 4)))
