"""Tests of medseg.inference.preview.overlay: outlines over a light tint, and no class is lost."""

import numpy as np
import pytest

from medseg.inference.preview.overlay import OUTLINE_PIXELS, draw_outlines, draw_overlay
from medseg.labels import BRIGHT_COLOURS, COLOURS, choose_colour

RED = COLOURS[0]


def overlay(classes, *, size, shades=0.5):
    return np.asarray(draw_overlay(np.full(classes.shape, shades), classes, size))


def box(where, shape=(40, 40), value=1):
    classes = np.zeros(shape, np.uint8)
    classes[where] = value
    return classes


def test_a_class_is_an_outline_over_a_tint_through_which_the_image_shows():
    drawn = overlay(box(np.s_[10:30, 10:30]), size=(400, 400))
    middle, edge, outside = drawn[200, 200], drawn[200, 100], drawn[200, 40]
    assert edge.tolist() == list(RED)
    assert outside.tolist() == [127] * 3
    np.testing.assert_allclose(middle, 0.85 * 127 + 0.15 * np.array(RED), atol=1)


def test_an_outline_lies_on_the_edges_of_the_voxels_of_its_class():
    """Voxels 10 to 29 of 10 pixels each are pixels 100 to 299."""
    drawn = overlay(box(np.s_[10:30, 10:30]), size=(400, 400))
    is_outline = (drawn == RED).all(axis=-1)
    for places in np.nonzero(is_outline):
        assert (places.min(), places.max()) == (100, 299)
    assert is_outline.sum() == 200**2 - (200 - 2 * OUTLINE_PIXELS) ** 2


def test_classes_have_colours_of_their_own():
    for colours in (COLOURS, BRIGHT_COLOURS):
        assert len(set(colours)) == len(colours) == 20
    drawn = overlay(box(np.s_[5:15, 10:30]) + box(np.s_[25:35, 10:30], value=2), size=(400, 400))
    for colour, first in ((COLOURS[0], 50), (COLOURS[1], 250)):
        rows = np.nonzero((drawn == colour).all(axis=-1))[0]
        assert (rows.min(), rows.max()) == (first, first + 99)


def test_beyond_the_last_colour_they_begin_again():
    assert choose_colour(21) == choose_colour(1) == RED
    assert (overlay(box(np.s_[10:30, 10:30], value=21), size=(40, 40))[10, 10] == RED).all()


def test_a_class_that_covers_the_image_is_outlined_along_its_edge():
    drawn = overlay(np.ones((40, 40), np.uint8), size=(80, 80))
    is_outline = (drawn == RED).all(axis=-1)
    assert is_outline[:2].all()
    assert is_outline[-2:].all()
    assert is_outline[:, :2].all()
    assert is_outline[:, -2:].all()
    assert not is_outline[2:-2, 2:-2].any()


@pytest.mark.parametrize("place", [(0, 0), (1234, 777), (2999, 3999)])
def test_an_object_of_one_voxel_is_seen_however_much_the_image_is_reduced(place):
    drawn = overlay(box(place, (3000, 4000)), size=(400, 300))
    assert (drawn == RED).all(axis=-1).sum() >= 1


def test_a_pixel_of_many_voxels_has_the_class_of_most_of_them():
    classes = np.ones((40, 40), np.uint8)
    classes[:, ::4] = 2
    drawn = overlay(classes, size=(10, 10))
    assert (drawn == RED).all(axis=-1)[0].all()
    assert not (drawn == COLOURS[1]).all(axis=-1).any()


def test_objects_that_touch_have_an_outline_each():
    objects = box(np.s_[10:30, 10:20]) + box(np.s_[10:30, 20:30], value=2)
    classes = (objects > 0).astype(np.uint8)
    apart, together = (
        (np.asarray(draw_overlay(np.zeros((40, 40)), classes, (400, 400), objects=o)) == RED).all(
            axis=-1
        )
        for o in (objects, None)
    )
    assert np.flatnonzero(apart[200]).tolist() == [*(100, 101, 198, 199), *(200, 201, 298, 299)]
    assert np.flatnonzero(together[200]).tolist() == [100, 101, 298, 299]


def test_objects_whose_gap_is_less_than_a_pixel_have_an_outline_each():
    objects = box(np.s_[:, 10:199], (400, 400)) + box(np.s_[:, 201:390], (400, 400), value=2)
    classes = (objects > 0).astype(np.uint8)  # the gap of 2 columns lies in the pixels 49 and 50
    drawn = np.asarray(draw_overlay(np.zeros((400, 400)), classes, (100, 100), objects=objects))
    columns = np.flatnonzero((drawn == RED).all(axis=-1)[50])
    assert columns.tolist() == [2, 3, *(48, 49), *(50, 51), 96, 97]


def test_values_outside_0_to_1_are_black_and_white():
    shades = np.full((4, 4), -3.0)
    shades[2:] = 7.0
    drawn = np.asarray(draw_overlay(shades, np.zeros((4, 4), np.uint8), (4, 4)))
    assert drawn[0].max() == 0
    assert drawn[3].min() == 255


def test_colours_are_shown_as_they_are_and_grey_as_grey():
    rgb = np.broadcast_to([1.0, 0.0, 0.6], (8, 8, 3))
    empty = np.zeros((8, 8), np.uint8)
    assert np.asarray(draw_overlay(rgb, empty, (16, 16)))[5, 5].tolist() == [255, 0, 153]
    assert np.asarray(draw_overlay(rgb[..., 2], empty, (16, 16)))[5, 5].tolist() == [153] * 3


def test_outlines_of_two_masks_lie_inside_each_and_the_later_on_top():
    truth, found = box(np.s_[10:30, 10:30]) > 0, box(np.s_[10:30, 20:40]) > 0
    masks = [(truth, (0, 0, 255), 4), (found, (255, 0, 0), 2)]
    drawn = np.asarray(draw_outlines(np.full((40, 40), 0.5), masks, (400, 400)))
    assert drawn[200, 103].tolist() == [0, 0, 255]  # 4 pixels from the left edge of the truth
    assert drawn[200, 104].tolist() == [127] * 3
    assert drawn[200, 201].tolist() == [255, 0, 0]  # 2 pixels from the left edge of the other
    assert drawn[200, 202].tolist() == [127] * 3
    assert drawn[101, 250].tolist() == [255, 0, 0]  # where both have their upper edge
    assert drawn[103, 250].tolist() == [0, 0, 255]
