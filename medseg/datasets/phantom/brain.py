"""Brain: synthetic contrast-enhanced T1 slices with exact tumour masks, as figshare 1512427."""

import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from medseg.datasets.phantom.canvas import Array, Grid, Mask, draw_smooth_noise

BORDER_POINTS = 60
"""Points of the outline of a tumour."""

_ARCHIVE_ENDS = (766, 1532, 2298, 3064)  # the last slice in each published archive
_FOLDS = 5
_USER_BLOCK = 512  # bytes before the HDF5 part of a .mat file, of which the text takes 116
_TEXT = "MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: synthetic HDF5 schema 1.00 ."
_WHEN = (2015, 1, 1, 0, 0, 0)  # every member of the archive, so that it is the same every time


@dataclass(frozen=True)
class Slice:
    """One slice: the fields of `cjdata`, as MATLAB shows them.

    `image` and `mask` are (rows, columns); `border` is x1, y1, x2, y2, ... in pixels.
    """

    label: int
    patient: str
    image: NDArray[np.int16]
    border: Array
    mask: Mask


def write(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    """Write `brainTumorDataPublic_*.zip` of .mat files, and `cvind.mat`.

    The real set has no test set of its own, so the `cases + test_cases` slices are of one kind,
    each of another patient. A slice depends on `seed` and its number alone.

    Args:
        root: folder to write.
        grid: its `size` is the number of rows and of columns; the rest is not used.
        cases: slices for training.
        test_cases: slices more; 3064 in all at most, as there are.
        seed: seed of all that is random.

    Raises:
        ValueError: h5py is not installed, or there are too many slices.
    """
    total = cases + test_cases
    if total > _ARCHIVE_ENDS[-1]:
        raise ValueError(f"{total} slices are more than {_ARCHIVE_ENDS[-1]}: choose fewer cases")
    root.mkdir(parents=True, exist_ok=True)
    for start, end in zip((0, *_ARCHIVE_ENDS), _ARCHIVE_ENDS, strict=False):
        if start < total:
            with zipfile.ZipFile(root / f"brainTumorDataPublic_{start + 1}{end}.zip", "w") as made:
                for number in range(start, min(end, total)):
                    drawn = draw(np.random.default_rng((seed, number)), grid.size, number=number)
                    made.writestr(zipfile.ZipInfo(f"{number + 1}.mat", _WHEN), encode(drawn))
    folds = np.arange(total) % _FOLDS + 1.0
    (root / "cvind.mat").write_bytes(_write_matlab({"cvind": folds[:, None]}))


def encode(drawn: Slice) -> bytes:
    """The .mat file of a slice, in the format of MATLAB 7.3 as the real ones have it."""
    return _write_matlab(
        {
            "cjdata/PID": np.frombuffer(drawn.patient.encode("utf-16-le"), np.uint16)[None],
            "cjdata/image": drawn.image,
            "cjdata/label": np.array([[float(drawn.label)]]),
            "cjdata/tumorBorder": drawn.border[:, None],
            "cjdata/tumorMask": drawn.mask,
        }
    )


def draw(rng: np.random.Generator, size: int, *, number: int) -> Slice:
    """Paint one slice of patient `number`.

    Scalp, falx and vessels enhance as the tumour does, some tumours have a dark core (which is in
    the mask) or dark oedema around them (which is not), and the scale of the intensities differs
    from slice to slice.
    """
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    brain = _draw_head(rng, x, y)
    centre, radii = _draw_outline(rng)
    outside = _measure_level(centre, radii, x, y)
    mask = outside < 1
    image = brain * (1 - rng.uniform(0, 0.35) * np.exp(-np.clip(outside - 1, 0, None) / 0.35))
    core = outside < rng.choice([0.0, 0.5])
    enhanced = rng.uniform(0.75, 0.95) * (
        1 + 0.08 * draw_smooth_noise(rng, size, scale_pixels=0.03 * size)
    )
    image = np.where(mask, np.where(core, 0.3, enhanced), image)
    image *= 1 + 0.12 * draw_smooth_noise(rng, size, scale_pixels=0.3 * size)
    image = np.hypot(gaussian_filter(image, 0.7), rng.normal(0, 0.025, image.shape))
    image = np.rint(image * rng.uniform(500, 4000)).astype(np.int16)
    return Slice(number % 3 + 1, f"PH{number:04d}", image, _trace_border(centre, radii, size), mask)


def _draw_head(rng: np.random.Generator, x: Array, y: Array) -> Array:
    """A head without a tumour, of 0 (air) to about 1 (enhancing tissue)."""
    width, height = rng.uniform(0.66, 0.74), rng.uniform(0.80, 0.88)
    r = np.hypot(x / width, y / height)
    gyri = draw_smooth_noise(rng, len(x), scale_pixels=0.02 * len(x)) * np.clip(
        (r - 0.45) / 0.3, 0, 1
    )
    image = np.where(r < 0.88, 0.45 + 0.06 * gyri, 0.0)
    image[(r >= 0.88) & (r < 0.92)] = 0.12  # fluid and bone
    image[(r >= 0.96) & (r < 1.05)] = 0.85  # scalp
    for side in (-1, 1):  # ventricles
        across = (x - side * rng.uniform(0.07, 0.12)) / rng.uniform(0.04, 0.07)
        image[np.hypot(across, (y + 0.05) / rng.uniform(0.2, 0.3)) < 1] = 0.18
    falx = (np.abs(x) < 0.012) & (np.abs(y) > 0.35) & (r < 0.88)
    image[falx] = 0.75
    image[np.hypot(x / 0.05, (y - 0.84 * height) / 0.05) < 1] = 0.9  # sagittal sinus
    for _ in range(rng.integers(4, 9)):  # vessels
        angle, depth, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.85), 0.02
        cx, cy = depth * width * np.cos(angle), depth * height * np.sin(angle)
        image[np.hypot(x - cx, y - cy) < radius] = 0.85
    return image


def _draw_outline(rng: np.random.Generator) -> tuple[Array, Array]:
    """A tumour's centre (x, y) and its radius in BORDER_POINTS directions, of half the width."""
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.4)
    directions = np.linspace(0, 2 * np.pi, BORDER_POINTS, endpoint=False)
    waves = [
        rng.uniform(-0.1, 0.1) * np.cos(k * directions + rng.uniform(0, 2 * np.pi))
        for k in (2, 3, 4)
    ]
    radii = rng.uniform(0.1, 0.24) * (1 + np.sum(waves, axis=0))
    return depth * np.array([np.cos(angle), np.sin(angle)]), radii


def _measure_level(centre: Array, radii: Array, x: Array, y: Array) -> Array:
    """How far a point is from the centre, as a part of the radius there."""
    dx, dy = x - centre[0], y - centre[1]
    directions = np.linspace(0, 2 * np.pi, BORDER_POINTS, endpoint=False)
    radius = np.interp(np.arctan2(dy, dx), directions, radii, period=2 * np.pi)
    return np.hypot(dx, dy) / radius


def _trace_border(centre: Array, radii: Array, size: int) -> Array:
    """The outline in pixels from 0: x1, y1, x2, y2, ..."""
    directions = np.linspace(0, 2 * np.pi, BORDER_POINTS, endpoint=False)
    points = centre + radii[:, None] * np.stack([np.cos(directions), np.sin(directions)], -1)
    return ((points + 1) / 2 * (size - 1)).ravel()


def _write_matlab(variables: dict[str, NDArray[Any]]) -> bytes:
    """A MATLAB 7.3 file: HDF5 after a block of text, every array with its axes turned round."""
    if find_spec("h5py") is None:
        raise ValueError("the phantom needs h5py, not installed: pip install 'medseg[datasets]'")
    import h5py

    classes = {"b": "logical", "u": "char", "i": "int16", "f": "double"}
    content = BytesIO()
    with h5py.File(content, "w", userblock_size=_USER_BLOCK) as file:
        for name, array in variables.items():
            kind = array.dtype.kind
            stored = file.create_dataset(
                name, data=array.T.astype("u1") if kind == "b" else array.T
            )
            stored.attrs["MATLAB_class"] = np.bytes_(classes[kind])
            if kind in "bu":
                stored.attrs["MATLAB_int_decode"] = np.int32(1 if kind == "b" else 2)
        if "cjdata" in file:
            file["cjdata"].attrs["MATLAB_class"] = np.bytes_("struct")
    text = _TEXT.encode().ljust(124) + bytes([0, 2]) + b"IM"
    return text.ljust(_USER_BLOCK, b"\0") + content.getvalue()[_USER_BLOCK:]
