"""Abdomen: a synthetic patient in portal venous CT, as functions of position in millimetres.

A patient is drawn once; `paint` then gives CT numbers and labels at any points, so that masks are
exact at voxel centres and one patient can be seen on any grid. Positions are RAS+ (right, anterior
and superior are positive), the origin between the organs at the level of the liver. Situs is normal
and never mirrored: the liver is on the patient's right, spleen and stomach on the left.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medseg.datasets.phantom.canvas import Array, Canvas, Organ, Triple
from medseg.datasets.phantom.trunk import (
    MUSCLE_HU,
    compute_cavity_level,
    compute_diaphragm_mm,
    find_abdominal_cavity,
    paint_chest,
    paint_spine,
    paint_table,
    paint_wall,
)

_HU_SD = 5.0


@dataclass(frozen=True)
class Waves:
    """A smooth random field: the mean of plane waves of `vectors` (n, 3) in rad/mm."""

    vectors: NDArray[np.float64]
    phases: NDArray[np.float64]
    amplitude: float

    def __call__(self, x: Array, y: Array, z: Array) -> Array:
        """Give values within plus or minus `amplitude`."""
        total = np.zeros(x.shape, np.float32)
        for (kx, ky, kz), phase in zip(self.vectors.tolist(), self.phases.tolist(), strict=True):
            total += np.sin(kx * x + ky * y + (kz * z + phase))
        return total * np.float32(self.amplitude / len(self.phases))


def draw_waves(
    rng: np.random.Generator, *, count: int, wavelength_mm: tuple[float, float], amplitude: float
) -> Waves:
    """Draw plane waves of random direction and phase, with wavelengths in the given range."""
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wavelength = rng.uniform(*wavelength_mm, (count, 1))
    return Waves(2 * np.pi * direction / wavelength, rng.uniform(0, 2 * np.pi, count), amplitude)


def draw_organs(
    table: Mapping[str, tuple[Triple, Triple, float]],
    rng: np.random.Generator,
    *,
    shift_mm: float,
    stretch: float,
) -> tuple[Organ, ...]:
    """Draw a patient's organs from a table of averages: (centre_mm, radii_mm, CT number)."""
    return tuple(
        Organ(
            shift(centre, rng, shift_mm),
            tuple(np.multiply(radii, rng.uniform(1 - stretch, 1 + stretch, 3))),
            hu + rng.normal(0, _HU_SD),
        )
        for centre, radii, hu in table.values()
    )


def shift(point_mm: Triple, rng: np.random.Generator, shift_mm: float) -> Triple:
    """Move a point by at most `shift_mm` along each axis."""
    x, y, z = np.add(point_mm, rng.uniform(-shift_mm, shift_mm, 3))
    return x, y, z


LIVER, TUMOUR = 1, 2

_INF = float("inf")

OrganTable = Mapping[str, tuple[Triple, Triple, float]]

# name: centre_mm, radii_mm, CT number; painted in this order. The liver covers the first table,
# the second one covers the liver.
_BEHIND: OrganTable = {
    "pancreas": ((-12, 14, -14), (48, 10, 11), 95),
    "transverse colon": ((-15, 62, -44), (92, 16, 14), 40),
    "its content": ((-15, 62, -44), (88, 12, 10), -350),
    "descending colon": ((-108, 0, -45), (15, 17, 60), 45),
    "content": ((-108, 0, -45), (11, 13, 56), -150),
}
_BEFORE: OrganTable = {
    "gall bladder": ((40, 34, -40), (14, 20, 24), 8),
    "hilar fat": ((26, 12, -10), (24, 9, 9), -90),
    "portal vein": ((26, 12, -9), (26, 6.5, 6.5), 168),
    "fissure": ((14, 54, -2), (3, 28, 22), -95),
    "fat of the right kidney": ((58, -46, -56), (37, 33, 54), -105),
    "right kidney": ((58, -46, -56), (28, 25, 48), 170),
    "right renal sinus": ((46, -41, -56), (15, 9, 26), -60),
    "fat of the left kidney": ((-62, -44, -42), (37, 33, 54), -105),
    "left kidney": ((-62, -44, -42), (28, 25, 48), 170),
    "left renal sinus": ((-50, -39, -42), (15, 9, 26), -60),
    "spleen": ((-99, -28, 26), (27, 44, 44), 120),
    "stomach": ((-68, 34, 22), (42, 36, 44), 60),
    "content": ((-68, 34, 22), (37, 31, 39), 22),
}
_MIDLINE: OrganTable = {
    "muscle of the back": ((0, -75, 0), (60, 26, _INF), MUSCLE_HU),
    "right psoas": ((36, -46, -120), (17, 18, 90), MUSCLE_HU),
    "left psoas": ((-36, -46, -120), (17, 18, 90), MUSCLE_HU),
    "vena cava": ((25, -14, 0), (13, 10, _INF), 145),
    "aorta": ((-10, -15, 0), (11, 11, _INF), 155),
}
_LOBES: OrganTable = {
    "right lobe": ((66, -2, -4), (66, 78, 74), 0),
    "left lobe": ((2, 42, 20), (62, 40, 38), 0),
}

# Veins in the liver: ends and radii in millimetres, portal ones from the hilum, hepatic ones from
# the vena cava. They belong to the label liver.
_HILUM_MM, _CAVAL_MM = (38.0, 12.0, -6.0), (28.0, -8.0, 46.0)
_VEINS = (
    (_HILUM_MM, (88, 20, 22), 4.5),
    (_HILUM_MM, (95, -20, 12), 4.5),
    (_HILUM_MM, (84, 6, -40), 4.5),
    (_HILUM_MM, (70, -34, 34), 4.0),
    (_HILUM_MM, (20, 48, 26), 4.0),
    (_HILUM_MM, (-18, 44, 26), 3.5),
    (_CAVAL_MM, (92, -6, 40), 4.5),
    (_CAVAL_MM, (50, 34, 42), 4.5),
    (_CAVAL_MM, (8, 34, 44), 4.0),
)
_VEIN_HU_ABOVE_LIVER = 45.0
_GAS_HU = -900.0
_TUMOUR_RADIUS_MM = (8.0, 26.0)
_TUMOUR_HU = (50.0, 65.0)
_TUMOUR_GAP_MM = 4.0
_TUMOUR_DEPTH = 0.2  # level of the liver at the centre
_LIVER_X_MM, _LIVER_Y_MM = (-40.0, 120.0), (-60.0, 70.0)
_TRIALS = 600
_LOOPS = 46


@dataclass(frozen=True)
class Patient:
    """All that distinguishes one patient from another."""

    scale: NDArray[np.float64]
    warp: tuple[Waves, ...]
    surface: Waves
    liver_hu: float
    lobes: tuple[Organ, ...]
    veins: tuple[tuple[Triple, Triple, float], ...]
    behind: tuple[Organ, ...]
    before: tuple[Organ, ...]
    midline: tuple[Organ, ...]
    gas_mm: float
    tumours: tuple[Organ, ...] = ()


def draw(rng: np.random.Generator, *, z_range_mm: tuple[float, float]) -> Patient:
    """Draw a patient, with 1 to 4 tumours whose centres lie in the given range of heights."""
    patient = Patient(
        scale=rng.uniform((0.92, 0.98, 0.92), (1.05, 1.14, 1.08)),
        warp=tuple(
            draw_waves(rng, count=5, wavelength_mm=(110, 260), amplitude=11) for _ in range(3)
        ),
        surface=draw_waves(rng, count=6, wavelength_mm=(35, 110), amplitude=0.16),
        liver_hu=rng.uniform(100, 115),
        lobes=draw_organs(_LOBES, rng, shift_mm=5, stretch=0.08),
        veins=tuple((a, shift(b, rng, 7), radius) for a, b, radius in _VEINS),
        behind=_draw_bowel(rng) + draw_organs(_BEHIND, rng, shift_mm=4, stretch=0.06),
        before=draw_organs(_BEFORE, rng, shift_mm=2, stretch=0.04),
        midline=draw_organs(_MIDLINE, rng, shift_mm=1, stretch=0.04),
        gas_mm=rng.uniform(38, 54),
    )
    return replace(patient, tumours=_place_tumours(patient, rng, z_range_mm))


def paint(patient: Patient, x: Array, y: Array, z: Array) -> tuple[Array, NDArray[np.uint8]]:
    """Give (CT numbers in HU, labels) at points in millimetres, in the shape they broadcast to.

    Labels: 0 background, 1 liver, 2 tumour. CT numbers are free of noise and blur.
    """
    scaled, body = _to_body(patient, x, y, z)
    canvas = Canvas(*body)
    paint_table(canvas, scaled[1], back_mm=-112)
    _paint_body(patient, canvas)
    return canvas.hu, canvas.label


def _to_body(patient: Patient, x: Array, y: Array, z: Array) -> tuple[list[Array], list[Array]]:
    """Map positions to the average body in which all organs are defined: (scaled, and warped)."""
    scaled = [
        (c / s).astype(np.float32)
        for c, s in zip(np.broadcast_arrays(x, y, z), patient.scale, strict=True)
    ]
    return scaled, [c + wave(*scaled) for c, wave in zip(scaled, patient.warp, strict=True)]


def _paint_body(patient: Patient, canvas: Canvas) -> None:
    at = (canvas.x, canvas.y, canvas.z)
    cavity = find_abdominal_cavity(*at)
    paint_wall(canvas)
    for organ in patient.behind:
        canvas.paint_organ(organ, only=cavity)
    paint_chest(canvas)
    _paint_liver(patient, canvas)
    for organ in patient.before:
        canvas.paint_organ(organ, only=cavity)
    gas = replace(patient.before[-1], hu=_GAS_HU)  # the last one is the content of the stomach
    canvas.paint_organ(gas, only=cavity & (canvas.y > patient.gas_mm))
    for organ in patient.midline:
        canvas.paint_organ(organ)
    paint_spine(canvas)
    liver, bumps = canvas.label == LIVER, patient.surface(*at)
    for tumour in patient.tumours:
        canvas.fill(liver & (tumour.measure_level(*at) + bumps > 0), tumour.hu, label=TUMOUR)


def _paint_liver(patient: Patient, canvas: Canvas) -> None:
    liver = _compute_liver_level(patient, canvas.x, canvas.y, canvas.z) > 0
    canvas.fill(liver, patient.liver_hu, label=LIVER)
    for start, end, radius in patient.veins:
        box = canvas.find_box(np.minimum(start, end) - radius, np.maximum(start, end) + radius)
        off_mm = _compute_distance_to_segment(
            (canvas.x[box], canvas.y[box], canvas.z[box]), start, end
        )
        inside = liver[box] & (off_mm < radius)
        canvas.fill(inside, patient.liver_hu + _VEIN_HU_ABOVE_LIVER, label=LIVER, box=box)


def _compute_liver_level(patient: Patient, x: Array, y: Array, z: Array) -> Array:
    """Give positive values inside the liver: its lobes, under the diaphragm, within the wall."""
    right, left = (lobe.measure_level(x, y, z) for lobe in patient.lobes)
    blend = np.maximum(0.25 - np.abs(right - left), 0)
    lobes = np.maximum(right, left) + blend**2 + 0.6 * patient.surface(x, y, z)
    under = (compute_diaphragm_mm(x, y) - 2 - z) / 40
    return np.minimum(np.minimum(lobes, under), compute_cavity_level(x, y) - 0.015)


def _compute_distance_to_segment(
    at: tuple[Array, Array, Array], start: Triple, end: Triple
) -> Array:
    along = [e - s for s, e in zip(start, end, strict=True)]
    offset = [c - s for c, s in zip(at, start, strict=True)]
    share = sum(o * a for o, a in zip(offset, along, strict=True)) / sum(a * a for a in along)
    share = np.clip(share, 0, 1)
    return np.sqrt(sum((o - share * a) ** 2 for o, a in zip(offset, along, strict=True)))


def _place_tumours(
    patient: Patient, rng: np.random.Generator, z_range_mm: tuple[float, float]
) -> tuple[Organ, ...]:
    """Place tumours well inside the liver and apart from each other."""
    count = int(rng.integers(1, 5))
    smallest, largest = np.log(_TUMOUR_RADIUS_MM)
    radii = np.exp(rng.uniform(smallest, largest, count))
    tumours: list[Organ] = []
    for point in _find_points_in_liver(patient, rng, z_range_mm):
        radius = radii[len(tumours)]
        gaps = [np.linalg.norm(point - t.centre_mm) - max(t.radii_mm) for t in tumours]
        if min(gaps, default=np.inf) > radius + _TUMOUR_GAP_MM:
            stretched = radius * rng.uniform(0.85, 1.18, 3)
            tumours.append(Organ(tuple(point), tuple(stretched), rng.uniform(*_TUMOUR_HU)))
        if len(tumours) == count:
            break
    return tuple(tumours)


def _find_points_in_liver(
    patient: Patient, rng: np.random.Generator, z_range_mm: tuple[float, float]
) -> NDArray[np.float32]:
    """Draw points (n, 3) of the body deep in the liver; at least one, the deepest found."""
    low, high = zip(_LIVER_X_MM, _LIVER_Y_MM, z_range_mm, strict=True)
    points = rng.uniform(low, high, (_TRIALS, 3)).astype(np.float32)
    _, body = _to_body(patient, *points.T)
    canvas = Canvas(*body)
    _paint_body(patient, canvas)
    depth = np.where(canvas.label == LIVER, _compute_liver_level(patient, *body), -1)
    return np.stack(body, 1)[depth >= min(_TUMOUR_DEPTH, depth.max())]


def _draw_bowel(rng: np.random.Generator) -> tuple[Organ, ...]:
    """Draw loops of small bowel in the lower front of the cavity: wall, then content."""
    loops: list[Organ] = []
    for _ in range(_LOOPS):
        height = rng.uniform(-110, 5)
        centre = (rng.uniform(-95, 95), rng.uniform(-15, 66), height)
        radii = rng.uniform(10, 17, 3) * (1.6, 1, 1)
        content = rng.choice([15, 25, 40, 60, -500])
        loops += [Organ(centre, tuple(radii), 70), Organ(centre, tuple(radii - 3.5), content)]
    return tuple(loops)
