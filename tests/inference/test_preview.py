"""Tests of medseg.inference.preview: sides, proportions and captions of the picture."""

import numpy as np
import pytest

from medseg.inference import preview
from medseg.inference.preview import COLOURS, PLANE_HEIGHT, PLANE_WIDTH, draw_preview

RED = COLOURS[0]
MARGIN = 8


def box(shape=(40, 40, 40), *, where=np.s_[30:35, 20:25, 20:25], value=1):
    label = np.zeros(shape, np.uint8)
    label[where] = value
    return label


def picture(label, *, image=None, spacing_mm=(1.0, 1.0, 1.0), classes=("liver",)):
    grey = np.full(label.shape, 0.5) if image is None else image
    return draw_preview(grey, label, spacing_mm=spacing_mm, classes=classes)


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
        ((64, 64, 1), (1, 1, 2), [(384, 384), (512, 16), (512, 16)]),
        ((512, 512, 1), (1, 1, 0.1), [(384, 384), (512, 1), (512, 1)]),
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
