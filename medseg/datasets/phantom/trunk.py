"""Trunk: the frame of the synthetic patient: table, skin, muscle, ribs, spine, lungs and heart.

Positions are RAS+ in millimetres, the origin between the organs at the level of the liver.
"""

import numpy as np

from medseg.datasets.phantom.canvas import Array, Canvas, Mask, Organ

FAT_HU = -100.0
MUSCLE_HU = 55.0
_LUNG_HU = -840.0
_INF = float("inf")

_HEART = Organ((-26, 34, 98), (66, 50, 46), 140)
_OESOPHAGUS = Organ((-6, -18, 90), (9, 9, 60), 50)
_DISC_PITCH_MM = 34.0
_RIB_PITCH_MM = 29.0
_RIB_SLOPE = 0.55  # ribs run down towards the front


def paint_table(canvas: Canvas, y_mm: Array, *, back_mm: float) -> None:
    """Paint the scanner's table, a thin curved shell of foam, below the patient's back."""
    depth = back_mm + 0.0012 * canvas.x**2 - 3 - y_mm
    across = np.abs(canvas.x) < 175
    canvas.fill(across & (depth > 0) & (depth < 26), -920)
    canvas.fill(across & (np.abs(depth - 2) < 2), 40)
    canvas.fill(across & (np.abs(depth - 24) < 2), 40)


def paint_wall(canvas: Canvas) -> None:
    """Paint skin, fat under the skin, the muscle wall, ribs, and fat in the cavity."""
    x, y = canvas.x, canvas.y
    canvas.fill(_compute_oval_level(x, y, half_mm=(161, 109)) < 1, 10)
    canvas.fill(_compute_oval_level(x, y, half_mm=(158, 106)) < 1, FAT_HU)
    canvas.fill(_compute_oval_level(x, y + 1, half_mm=(141, 93)) < 1, MUSCLE_HU)
    canvas.fill(compute_cavity_level(x, y) > 0, FAT_HU)
    _paint_ribs(canvas)


def paint_chest(canvas: Canvas) -> None:
    """Paint the lungs above the diaphragm, the heart and the oesophagus."""
    x, y, z = canvas.x, canvas.y, canvas.z
    above = (compute_cavity_level(x, y) > 0) & (z > compute_diaphragm_mm(x, y) + 2)
    canvas.fill(above, _LUNG_HU)
    canvas.fill(above & (np.abs(x + 4) < 26) & (y < 20), FAT_HU)
    canvas.fill(above & (_HEART.measure_level(x, y, z) > 0), _HEART.hu)
    canvas.paint_organ(_OESOPHAGUS)


def paint_spine(canvas: Canvas) -> None:
    """Paint the vertebral bodies with their discs, the canal, the posterior arch and processes."""
    x, y, z = canvas.x, canvas.y, canvas.z
    body = Organ((0, -43, 0), (23, 18, _INF), 0).measure_level(x, y, z)
    arch = Organ((0, -68, 0), (18, 16, _INF), 0).measure_level(x, y, z)
    canal = Organ((0, -67, 0), (10, 9, _INF), 0).measure_level(x, y, z)
    height = z / _DISC_PITCH_MM
    from_disc_mm = np.abs(height - np.round(height)) * _DISC_PITCH_MM
    vertebra = from_disc_mm > 4
    process = (np.abs(x) < 4) & (y < -76) & (y > -98) & (from_disc_mm > 7)
    wings = (np.abs(y + 64 + 0.25 * np.abs(x)) < 4.5) & (np.abs(x) < 40) & (from_disc_mm > 9)
    canvas.fill(wings | process, 290)
    canvas.fill(arch > 0, 330)
    canvas.fill(body > 0, 95)
    canvas.fill((body > 0) & vertebra, 400)
    canvas.fill((body > 0.12) & vertebra, 210)
    canvas.fill(canal > 0, 35)


def find_abdominal_cavity(x: Array, y: Array, z: Array) -> Mask:
    """Tell which points are inside the muscle wall and below the diaphragm."""
    return (compute_cavity_level(x, y) > 0) & (z < compute_diaphragm_mm(x, y))


def compute_cavity_level(x: Array, y: Array) -> Array:
    """Give positive values in the cavity inside the muscle wall, negative ones outside."""
    return 1 - _compute_oval_level(x, y - 3, half_mm=(129, 82))


def compute_diaphragm_mm(x: Array, y: Array) -> Array:
    """Give the height of the diaphragm: two domes, the right one higher, and the heart between."""
    right = 74 - 58 * (((x - 62) / 66) ** 2 + ((y - 6) / 76) ** 2)
    left = 66 - 56 * (((x + 66) / 60) ** 2 + ((y - 2) / 76) ** 2)
    centre = 60 - 40 * (((x + 4) / 55) ** 2 + ((y - 30) / 70) ** 2)
    return np.maximum(np.maximum(right, left), centre)


def _compute_oval_level(x: Array, y: Array, *, half_mm: tuple[float, float]) -> Array:
    """Give 1 on a superellipse of exponent 2.4, less inside."""
    a, b = half_mm
    return (np.abs(x / a) ** 2.4 + np.abs(y / b) ** 2.4) ** np.float32(1 / 2.4)


def _paint_ribs(canvas: Canvas) -> None:
    """Paint the ribs: slanted rings in the muscle wall, which end above the costal margin."""
    x, y, z = canvas.x, canvas.y, canvas.z
    depth_mm = (_compute_oval_level(x, y - 3, half_mm=(129, 82)) - 1) * 100
    height = (z + _RIB_SLOPE * y + 8) / _RIB_PITCH_MM
    off_mm = (height - np.round(height)) * _RIB_PITCH_MM
    ring = (off_mm / 6.5) ** 2 + ((depth_mm - 5) / 4.5) ** 2
    there = (np.round(height) > -3) & (y < 45 + z) & (np.abs(x) > 25)
    canvas.fill((ring < 1) & there, 330)
    canvas.fill((ring < 0.4) & there, 180)
