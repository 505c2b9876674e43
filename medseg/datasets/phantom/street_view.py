"""Street view: one synthetic view along a street, as colours and label ids.

A view is drawn from back to front: sky, houses and trees, the ground with a road in perspective,
then things that stand on it. Every shape is evaluated at pixel centres, so the labels are exact.
Road, pavement and walls share their greys, and shadows lie across them: telling them apart takes
more than a threshold.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from medseg.datasets.phantom.canvas import Array, Mask

# Label ids of Cityscapes, see medseg.datasets.cityscapes.
_EGO, _BORDER, _ROAD, _SIDEWALK, PARKING, _BUILDING = 1, 2, 7, 8, 9, 11
_POLE, _LIGHT, _SIGN, _VEGETATION, _TERRAIN, _SKY, _CAR = 17, 19, 20, 21, 22, 23, 26


@dataclass(frozen=True)
class _Thing:
    """What stands on the ground: half its width and its height where depth is 1, and its look.

    `top` is the share of the height that is narrower, `stripes` the number of upright stripes in a
    height of the picture.
    """

    half: float
    height: float
    rgb: tuple[float, float, float]
    top: float = 0.0
    stripes: float = 0.0


_THINGS = {  # by label id
    12: _Thing(0.16, 0.16, (0.50, 0.45, 0.40)),  # wall
    13: _Thing(0.16, 0.14, (0.55, 0.45, 0.35), stripes=25),  # fence
    _LIGHT: _Thing(0.02, 0.62, (0.20, 0.18, 0.10)),
    24: _Thing(0.05, 0.34, (0.65, 0.30, 0.30), top=0.25),  # person
    25: _Thing(0.06, 0.36, (0.30, 0.30, 0.60), top=0.55),  # rider
    27: _Thing(0.15, 0.36, (0.70, 0.70, 0.65), top=0.20),  # truck
    28: _Thing(0.16, 0.40, (0.75, 0.60, 0.15), stripes=9),  # bus
    31: _Thing(0.17, 0.44, (0.60, 0.15, 0.15), stripes=14),  # train
    32: _Thing(0.10, 0.18, (0.15, 0.15, 0.18), top=0.50),  # motorcycle
    33: _Thing(0.10, 0.18, (0.35, 0.45, 0.50), top=0.50, stripes=25),  # bicycle
    _CAR: _Thing(0.15, 0.20, (0.40, 0.42, 0.55), top=0.45),
    _SIGN: _Thing(0.02, 0.50, (0.80, 0.75, 0.20)),
}
_ALWAYS = (_CAR, _SIGN)
_IN_TURN = tuple(thing for thing in _THINGS if thing not in _ALWAYS)  # four of them in a view
_STEP = 3  # so that three views in a row show every class
_PLACES = 8  # side by side, for one thing each: nothing hides another one


@dataclass(frozen=True)
class _Course:
    """Where the road runs: it vanishes at (`vanish`, `horizon`) and is `width` wide in front."""

    horizon: float
    vanish: float
    width: float
    bend: float

    def measure_depth(self, y: Array) -> Array:
        """0 at the horizon and above, 1 at the lower edge: the inverse of the distance."""
        return np.clip((y - self.horizon) / (1 - self.horizon), 0, None)

    def measure_across(self, x: Array, y: Array) -> Array:
        """-1 on the left edge of the road, 1 on the right one."""
        depth = self.measure_depth(y)
        centre = self.vanish + self.bend * depth * (1 - depth)
        return (x - centre) / (self.width * depth + 1e-3)


class View:
    """Colours `rgb` (rows, columns, 3) of 0 to 1 and label `ids`; heights of the picture are 1."""

    def __init__(self, rows: int, columns: int, course: _Course) -> None:
        self.course, self.pixel = course, 1 / rows
        self.y = (np.arange(rows)[:, None] + 0.5) / rows
        self.x = (np.arange(columns)[None, :] + 0.5) / rows
        self.rgb = np.zeros((rows, columns, 3))
        self.ids = np.zeros((rows, columns), np.uint8)

    @property
    def wide(self) -> float:
        """Width of the picture, in heights of it."""
        return self.ids.shape[1] * self.pixel

    @property
    def road(self) -> Mask:
        """The pixels of the road."""
        return self.ids == _ROAD

    @property
    def own_lane(self) -> Mask:
        """The pixels of the road on the right of its middle line."""
        return self.road & (self.course.measure_across(self.x, self.y) > 0)

    def fill(self, where: Mask, colour: ArrayLike, *, label_id: int) -> None:
        """Paint a colour, or a grey, and its label."""
        where = np.broadcast_to(where, self.ids.shape)
        self.rgb[where] = np.asarray(colour)
        self.ids[where] = label_id

    def tint(self, where: Mask, factor: float) -> None:
        """Make pixels lighter or darker; labels stay."""
        self.rgb[np.broadcast_to(where, self.ids.shape)] *= factor

    def find_box(self, x: float, foot: float, *, half: float, height: float) -> Mask:
        """An upright box on the ground at `foot`, a pixel wide and high or more."""
        half, height = max(half, 0.55 * self.pixel), max(height, 1.1 * self.pixel)
        return (abs(self.x - x) <= half) & (self.y <= foot) & (self.y > foot - height)

    def cover(self) -> None:
        """The bonnet of the own car, and the border that rectifying the picture leaves."""
        bonnet = ((self.x - self.wide / 2) / (0.6 * self.wide)) ** 2 + ((self.y - 1.02) / 0.09) ** 2
        self.fill(bonnet < 1, (0.07, 0.08, 0.09), label_id=_EGO)
        edge = (self.x < self.pixel) | (self.x > self.wide - self.pixel)
        self.fill(edge | (self.y < self.pixel), 0.0, label_id=_BORDER)


def draw(rng: np.random.Generator, rows: int, columns: int, *, turn: int, lanes: int) -> View:
    """Draw a view; `turn` chooses the things in it, `lanes` how the road is marked."""
    wide = columns / rows
    course = _Course(
        horizon=rng.uniform(0.38, 0.48),
        vanish=wide * rng.uniform(0.42, 0.58),
        width=rng.uniform(0.55, 0.8) * (1.4 if lanes > 2 else 1.0),
        bend=rng.uniform(-0.5, 0.5),
    )
    view = View(rows, columns, course)
    view.fill(view.y < 2, rng.uniform((0.5, 0.6, 0.7), (0.75, 0.85, 1.0)), label_id=_SKY)
    _draw_houses(rng, view)
    _draw_ground(rng, view, lanes=lanes)
    _draw_things(rng, view, turn=turn)
    return view


def _draw_houses(rng: np.random.Generator, view: View) -> None:
    """Rows of houses that sink towards the vanishing point, and trees before some of them."""
    course = view.course
    edges = np.arange(0, view.wide + 0.2, rng.uniform(0.22, 0.34))
    for left, right in pairwise(edges):
        distance = abs((left + right) / 2 - course.vanish) / view.wide
        top = course.horizon * (1 - min(0.15 + 1.9 * distance, 0.9) * rng.uniform(0.7, 1.0))
        where = (view.x >= left) & (view.x < right) & (view.y > top)
        wall = rng.uniform(0.28, 0.6) * rng.uniform(0.9, 1.1, 3)
        view.fill(where, np.clip(wall, 0, 1), label_id=_BUILDING)
        windows = (np.sin(60 * view.x) > 0.2) & (np.sin(45 * view.y) > 0.3)
        view.tint(where & windows, rng.uniform(0.6, 1.3))
    for _ in range(4):
        x, size = rng.uniform(0, view.wide), rng.uniform(0.07, 0.14)
        centre = course.horizon - 0.4 * size
        crown = ((view.x - x) / size) ** 2 + ((view.y - centre) / (1.4 * size)) ** 2 < 1
        green = rng.uniform((0.16, 0.26, 0.1), (0.3, 0.42, 0.2))
        view.fill(crown, green, label_id=_VEGETATION)


def _draw_ground(rng: np.random.Generator, view: View, *, lanes: int) -> None:
    """Grass, pavements, the road and its markings, the mouth of a side street, shadows."""
    course = view.course
    depth, across = course.measure_depth(view.y), course.measure_across(view.x, view.y)
    ground = depth > 0
    grey = rng.uniform(0.34, 0.44)
    view.fill(ground & (abs(across) > 1), rng.uniform(0.95, 1.15) * grey + 0.04, label_id=_SIDEWALK)
    grass = np.array((0.75, 1.0, 0.55)) * rng.uniform(0.32, 0.45)
    view.fill(ground & (abs(across) > rng.uniform(1.5, 1.9)), grass, label_id=_TERRAIN)
    view.fill(ground & (abs(across) <= 1), grey * np.array((1, 1, 1.04)), label_id=_ROAD)
    side, near = rng.choice((-1, 1)), rng.uniform(0.3, 0.5)
    mouth = (side * across > 1) & (depth > near) & (depth < near + 0.16)
    view.fill(mouth, 1.02 * grey, label_id=PARKING)
    dashes = np.sin(9 / np.maximum(depth, 0.05)) > 0
    for line in np.linspace(-1, 1, lanes + 1)[1:-1] if lanes else ():
        view.tint(ground & (abs(across - line) < 0.03) & dashes, 1.7)
    for start in rng.uniform(0.1, 0.9, 3):
        slope = rng.uniform(-0.2, 0.2)
        band = abs(depth - start - slope * (view.x - course.vanish)) < 0.08 * start
        view.tint(ground & band, rng.uniform(0.5, 0.75))


def _draw_things(rng: np.random.Generator, view: View, *, turn: int) -> None:
    """A pole with a sign, a car and four things in turn, each in a place of its own."""
    chosen = [_IN_TURN[(_STEP * turn + k) % len(_IN_TURN)] for k in range(4)]
    places = rng.permutation(_PLACES)
    width = view.wide / _PLACES
    for place, thing in zip(places, (*_ALWAYS, *chosen), strict=False):
        near = rng.uniform(0.3, 0.6)
        foot = view.course.horizon + (1 - view.course.horizon) * near
        x = (place + 0.5) * width + rng.uniform(-0.05, 0.05) * width
        _draw_thing(rng, view, thing, x=x, foot=foot, scale=0.4 + near, room=0.42 * width)


def _draw_thing(
    rng: np.random.Generator,
    view: View,
    label_id: int,
    *,
    x: float,
    foot: float,
    scale: float,
    room: float,
) -> None:
    thing = _THINGS[label_id]
    half, height = min(thing.half * scale, room), thing.height * scale
    colour = np.clip(np.array(thing.rgb) + rng.uniform(-0.14, 0.14, 3), 0.02, 0.9)
    if label_id in (_LIGHT, _SIGN):
        pole = view.find_box(x, foot, half=0.3 * half, height=height)
        view.fill(pole, rng.uniform(0.3, 0.5), label_id=_POLE)
        board = view.find_box(x, foot - 0.72 * height, half=2 * half, height=0.28 * height)
        view.fill(board, colour, label_id=label_id)
        return
    view.tint(view.find_box(x, foot + 0.03, half=1.1 * half, height=0.05), 0.6)
    body = view.find_box(x, foot, half=half, height=(1 - thing.top) * height)
    view.fill(body, colour, label_id=label_id)
    if thing.top:
        top = thing.top * height
        cabin = view.find_box(x, foot - height + top, half=0.65 * half, height=top)
        view.fill(cabin, 0.7 * colour, label_id=label_id)
    if thing.stripes:
        view.tint(body & (np.sin(2 * np.pi * thing.stripes * view.x) > 0.2), 0.55)


def draw_photograph(rng: np.random.Generator, view: View) -> NDArray[np.uint8]:
    """What a camera makes of the view: uneven light, texture, a little blur and noise."""
    rows, columns = view.ids.shape
    texture = gaussian_filter(rng.standard_normal((rows, columns)), 0.02 * rows)
    light = 1 + 0.12 * texture / max(float(texture.std()), 1e-9)
    left, right = rng.uniform(0.8, 1.2, 2)
    light *= np.linspace(left, right, columns)[None, :]
    seen = gaussian_filter(view.rgb * light[..., None], (0.5, 0.5, 0))
    seen += rng.normal(0, 0.02, seen.shape)
    return np.clip(np.rint(255 * seen), 0, 255).astype(np.uint8)
