"""Slice pictures: a lesion's slice before and after registration, and in the later study."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from medseg.inference.outputs.value_unit import HU
from medseg.inference.preview.overlay import draw_outlines
from medseg.report.followup.case import Case
from medseg.report.followup.change import LesionChange
from medseg.report.followup.compare import Followup
from medseg.report.followup.lesion_map import LesionMap
from medseg.report.followup.plane import Plane, cut_plane
from medseg.report.measure import Measurement, find_slice_axis

PIXELS = 240
EARLIER, LATER = (0, 225, 235), (255, 225, 40)
"""Colours of the outlines of the lesions of both studies; the colour-blind tell them apart."""

_LEAST_SIDE_MM, _AROUND_MM = 110.0, 50.0
_THICK, _THIN = 2, 1  # pixels of the outlines of the lesions that are meant, and of others
_SPREADS = 4  # between the quartiles, from the median to black and to white
_LEAST_PERCENTILE, _MOST_PERCENTILE = 1, 99
_BAR_MM = 20
_FONT = ImageFont.load_default(size=14)
_INK = (255, 255, 255)


@dataclass(frozen=True)
class SlicePicture:
    """One picture.

    Attributes:
        title: what it shows.
        png: the picture.
    """

    title: str
    png: bytes


def draw_slices(
    found: Followup,
    change: LesionChange,
    limits: tuple[tuple[float, float], ...],
    *,
    unregistered: bool = True,
) -> tuple[str, list[SlicePicture]]:
    """The slice of a lesion in both studies, all at the same place and magnification.

    The place is that of the largest later lesion, or of the earlier one, moved. The earlier study
    is shown as it lay, if it was moved, and moved; outlines of the earlier lesions are light blue,
    those of the later ones yellow, and thin where they are of other lesions.

    Args:
        found: the comparison, with images.
        change: of the lesion.
        limits: the values that are drawn black and white, of the earlier and of the later image.
        unregistered: whether the earlier study is also shown as it lay.

    Returns:
        What the plane is, with the number of its slice in the later study, and the pictures.

    Raises:
        ValueError: the images are not at hand, or the change is that of a whole structure.
    """
    before, after, match = found.before, found.after, change.match
    if before.image is None or after.image is None or match is None:
        raise ValueError("pictures need the images of both studies and a lesion: give them")
    longest = [one.long_axis_mm or 0.0 for one in (*change.before, *change.after)]
    side = max(_LEAST_SIDE_MM, max(longest) + _AROUND_MM)
    centre = _find_centre(found, change)
    plane = cut_plane(after.geometry, centre, side_mm=side, pixels=PIXELS)
    old, new = found.maps[change.structure]
    back = np.linalg.inv(found.registration.matrix)
    earlier = _list_outlines(plane, old, match.before, EARLIER, back)
    later = _list_outlines(plane, new, match.after, LATER, None)
    pictures = []
    if unregistered and found.registration.method != "none":
        lay = _list_outlines(plane, old, match.before, EARLIER, None)
        shown = _draw(plane, before, None, limits[0], lay, side)
        pictures.append(SlicePicture("Earlier, before registration", shown))
    moved = "Earlier" if found.registration.method == "none" else "Earlier, registered"
    pictures.append(SlicePicture(moved, _draw(plane, before, back, limits[0], earlier, side)))
    shown = _draw(plane, after, None, limits[1], [*earlier, *later], side)
    pictures.append(SlicePicture("Later", shown))
    return f"{plane.name} {_name_slice(centre, after)}", pictures


def _name_slice(centre: NDArray[np.float64], case: Case) -> str:
    """Which slice of the file a place lies in: "slice 66 of 129"."""
    axis = find_slice_axis(case.geometry)
    count = case.geometry.shape[axis]
    number = round(float(case.geometry.world_to_voxel(centre)[axis])) + 1
    return f"slice {min(max(number, 1), count)} of {count}"


def choose_limits(*cases: Case) -> tuple[float, float]:
    """The values that are drawn black and white: those round the values of the structures.

    Args:
        cases: one, or several whose pictures have one grey window. Where all are in HU, the limits
            are whole tens.

    Raises:
        ValueError: the image of one is not at hand.
    """
    images: list[NDArray] = []
    for case in cases:
        if case.image is None:
            raise ValueError(
                f"the image of {case.name} is not at hand: read the case with its image"
            )
        images.append(case.image)
    within = np.concatenate(
        [image[case.mask > 0] for image, case in zip(images, cases, strict=True)]
    )
    if not within.size:
        every = np.concatenate([image.ravel() for image in images])
        low, high = map(float, np.percentile(every, (_LEAST_PERCENTILE, _MOST_PERCENTILE)))
    else:
        first, middle, third = np.percentile(within, (25, 50, 75))
        low, high = (float(middle + sign * _SPREADS * (third - first)) for sign in (-1, 1))
    if not low < high:
        return low - 0.5, low + 0.5
    if all(case.unit == HU for case in cases):
        return 10.0 * math.floor(low / 10), 10.0 * math.ceil(high / 10)
    return low, high


def _find_centre(found: Followup, change: LesionChange) -> NDArray[np.float64]:
    """The middle of the slice of the largest later lesion, or of the earlier one, moved."""
    if change.after:
        largest = max(change.after, key=lambda one: one.volume_ml)
        return _move_to_slice(largest, found.after)
    largest = max(change.before, key=lambda one: one.volume_ml)
    matrix = found.registration.matrix
    moved: NDArray[np.float64] = matrix[:3, :3] @ np.array(largest.centroid_mm) + matrix[:3, 3]
    return moved


def _move_to_slice(lesion: Measurement, case: Case) -> NDArray[np.float64]:
    """The centre of gravity, moved into the slice in which the lesion was measured."""
    voxel = case.geometry.world_to_voxel(np.array(lesion.centroid_mm))
    if lesion.slice_index is not None and lesion.slice_axis is not None:
        voxel[lesion.slice_axis] = lesion.slice_index
    return case.geometry.voxel_to_world(voxel)


def _list_outlines(
    plane: Plane,
    lesions: LesionMap,
    numbers: tuple[int, ...],
    colour: tuple[int, int, int],
    matrix: NDArray | None,
) -> list[tuple[NDArray, tuple[int, int, int], int]]:
    shown = plane.sample(lesions.pieces, lesions.geometry, matrix=matrix, order=0)
    mine = np.isin(shown, numbers)
    return [((shown > 0) & ~mine, colour, _THIN), (mine, colour, _THICK)]


def _draw(
    plane: Plane,
    case: Case,
    matrix: NDArray | None,
    limits: tuple[float, float],
    outlines: list[tuple[NDArray, tuple[int, int, int], int]],
    side_mm: float,
) -> bytes:
    """A picture as PNG, with the letters of the patient's sides and a bar of 20 mm."""
    low, high = limits
    image = np.asarray(case.image)
    values = plane.sample(image, case.geometry, matrix=matrix, outside=low)
    picture = draw_outlines((values - low) / (high - low), outlines, (PIXELS, PIXELS))
    pen = ImageDraw.Draw(picture)
    middle = PIXELS / 2
    for letter, place in zip(plane.letters, ((10, middle), (middle, 10)), strict=True):
        _write(pen, place, letter)
    length = _BAR_MM / side_mm * PIXELS
    pen.line([(12, PIXELS - 10), (12 + length, PIXELS - 10)], fill=_INK, width=3)
    _write(pen, (12 + length / 2, PIXELS - 22), f"{_BAR_MM} mm")
    return _encode(picture)


def _write(pen: ImageDraw.ImageDraw, place: tuple[float, float], text: str) -> None:
    pen.text(place, text, fill=_INK, font=_FONT, anchor="mm", stroke_width=2, stroke_fill=(0, 0, 0))


def _encode(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "png", optimize=True)
    return file.getvalue()
