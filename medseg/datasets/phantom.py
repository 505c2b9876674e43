"""Phantom: synthetic image sets with exact masks, in the layout of the real set they stand for."""

import json
import logging
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from medseg.datasets._abdomen import draw, paint
from medseg.datasets._ct_series import write_ct_series

logger = logging.getLogger(__name__)

FIELD_OF_VIEW_MM = 380.0
SMALLEST_SIZE = 48  # in-plane matrix; below it small tumours fall between voxel centres
_BLUR_VOXELS = (0.5, 0.5, 0.0)
_NOISE_BLUR_VOXELS = (0.7, 0.7, 0.0)
_NOISE_HU = (10.0, 20.0)
_HU_RANGE = (-1024, 3071)  # what 12 stored bits hold
_MARK = "synthetic, written by medseg phantom"
_VOXEL_ORDERS = ("LPS", "RAS", "LAS")


@dataclass(frozen=True)
class Grid:
    """The voxel grid of the volumes: in-plane matrix, slices and their distance."""

    size: int
    slices: int
    thickness_mm: float


@dataclass(frozen=True)
class Volume:
    """CT numbers and labels (I, J, K) in RAS+ order, and their affine."""

    hu: NDArray[np.int16]
    label: NDArray[np.uint8]
    affine: NDArray[np.float64]


def write(
    kind: str,
    out_dir: str | os.PathLike[str],
    *,
    cases: int = 10,
    seed: int = 0,
    test_cases: int = 1,
    size: int = 128,
    slices: int = 24,
    thickness_mm: float = 5.0,
    overwrite: bool = False,
) -> Path:
    """Write a synthetic set, whole or not at all, and return its absolute folder.

    Kind "ct" is the abdomen in portal venous CT with labels 0 background, 1 liver, 2 tumour, in the
    layout of MSD Task03_Liver with `labelsTs` beside it; each test case is also a DICOM series,
    `dicom/<case>`, of the very same voxels. Masks are exact at voxel centres. Cases differ in
    anatomy, noise, spacing, origin and voxel order (LPS, RAS and LAS in turn). The same arguments
    give the same voxels, and a case does not depend on how many others are written.

    Args:
        kind: "ct".
        out_dir: folder to write; it must be new or empty, unless `overwrite`.
        cases: labelled cases for training, 1 or more; as many as the folds to be made, or more.
        seed: seed of all that is random.
        test_cases: cases for testing, numbered after those for training.
        size: in-plane matrix, 48 or more; the field of view stays at about 380 mm.
        slices: number of slices, centred on the liver; 24 of 5 mm show most of it.
        thickness_mm: distance of the slices.
        overwrite: replace a phantom written before; any other folder is still refused.

    Raises:
        ValueError: unknown kind, or a number out of range.
        FileExistsError: `out_dir` holds something, and is no phantom or `overwrite` is false.

    Example:
        >>> write("ct", "data/liver", cases=10, seed=0)  # doctest: +SKIP
        PosixPath('/data/liver')
    """
    if kind not in _KINDS:
        raise ValueError(f"phantom kind {kind!r} is unknown: choose one of {', '.join(_KINDS)}")
    _check_numbers(cases=(cases, 1), test_cases=(test_cases, 0), seed=(seed, 0))
    _check_numbers(size=(size, SMALLEST_SIZE), slices=(slices, 1))
    if not 0.5 <= thickness_mm <= 10:
        raise ValueError(f"thickness_mm is {thickness_mm}: choose 0.5 to 10")
    out = Path(out_dir).resolve()
    _check_free(out, overwrite=overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as holder:
        made = Path(holder) / "made"
        grid = Grid(size, slices, thickness_mm)
        _KINDS[kind](made, grid, cases=cases, test_cases=test_cases, seed=seed)
        if out.exists():
            os.replace(out, Path(holder) / "old")
        os.replace(made, out)
    logger.info("wrote %d training and %d test cases to %s", cases, test_cases, out)
    return out


def _write_ct(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    names = [f"liver_{number:03d}" for number in range(cases + test_cases)]
    for number, case in enumerate(names):
        rng = np.random.default_rng((seed, number))
        volume = _ct_volume(rng, grid)
        part = "Tr" if number < cases else "Ts"
        order = _VOXEL_ORDERS[number % len(_VOXEL_ORDERS)]
        _save(volume.hu, volume.affine, order=order, path=root / f"images{part}" / f"{case}.nii.gz")
        _save(
            volume.label, volume.affine, order=order, path=root / f"labels{part}" / f"{case}.nii.gz"
        )
        if part == "Ts":
            write_ct_series(
                volume.hu,
                volume.affine,
                out_dir=root / "dicom" / case,
                patient=f"PHANTOM-{seed}-{number:03d}",
                rng=rng,
            )
    content = _dataset_json(names[:cases], names[cases:])
    (root / "dataset.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _ct_volume(rng: np.random.Generator, grid: Grid) -> Volume:
    """Image one patient: place the grid, paint, blur, add noise, round to whole HU."""
    in_plane_mm = round(FIELD_OF_VIEW_MM / grid.size * rng.uniform(0.97, 1.04), 4)
    spacing_mm = np.array([in_plane_mm, in_plane_mm, grid.thickness_mm])
    shape = (grid.size, grid.size, grid.slices)
    centre_mm = rng.uniform((-6, -8, -26), (6, 4, 8))  # of the grid, from the patient's origin
    half_mm = (np.array(shape) - 1) / 2 * spacing_mm
    x, y, z = (
        (c - h + s * np.arange(n)).astype(np.float32)
        for c, h, s, n in zip(centre_mm, half_mm, spacing_mm, shape, strict=True)
    )
    patient = draw(rng, z_range_mm=(float(z[0]), float(z[-1])))
    hu, label = paint(patient, x[:, None, None], y[None, :, None], z[None, None, :])
    hu = gaussian_filter(hu, _BLUR_VOXELS) + _noise(rng, shape)
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = np.round(rng.uniform((-30, -60, -900), (30, 60, 300)) - half_mm, 2)
    return Volume(np.clip(np.rint(hu), *_HU_RANGE).astype(np.int16), label, affine)


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Make noise that is correlated within a slice, with a standard deviation of 10 to 20 HU."""
    noise = gaussian_filter(rng.standard_normal(shape, dtype=np.float32), _NOISE_BLUR_VOXELS)
    return noise * np.float32(rng.uniform(*_NOISE_HU) / noise.std())


def _save(array: NDArray[Any], affine: NDArray[np.float64], *, order: str, path: Path) -> None:
    """Save a RAS+ array as NIfTI in another voxel order; the position in space stays."""
    ras = nib.Nifti1Image(array, affine)
    change = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(order)
    )
    image = ras.as_reoriented(change)
    image.set_qform(image.affine, code=1)
    image.set_sform(image.affine, code=1)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


def _dataset_json(training: list[str], testing: list[str]) -> dict[str, Any]:
    return {
        "name": "phantom-ct",
        "description": f"{_MARK}: abdomen in CT with liver and tumours; not of any person",
        "reference": "medseg",
        "licence": "CC0",
        "release": "1.0",
        "tensorImageSize": "3D",
        "modality": {"0": "CT"},
        "labels": {"0": "background", "1": "liver", "2": "tumour"},
        "numTraining": len(training),
        "numTest": len(testing),
        "training": [
            {"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"}
            for case in training
        ],
        "test": [f"./imagesTs/{case}.nii.gz" for case in testing],
    }


def _check_numbers(**limits: tuple[int, int]) -> None:
    for name, (value, least) in limits.items():
        if value < least:
            raise ValueError(f"{name} is {value}: choose {least} or more")


def _check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds anything, but for an own phantom that may be replaced."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not _is_phantom(out):
        raise FileExistsError(f"{out} exists and is no phantom: choose another folder")
    if not overwrite:
        raise FileExistsError(
            f"{out} holds a phantom already: use it as it is, choose another folder, "
            "or pass overwrite=True (--overwrite)"
        )


def _is_phantom(folder: Path) -> bool:
    try:
        content = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        return str(content["description"]).startswith(_MARK)
    except (OSError, ValueError, KeyError, TypeError):
        return False


_KINDS: dict[str, Callable[..., None]] = {"ct": _write_ct}
