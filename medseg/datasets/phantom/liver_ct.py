"""Liver CT phantom: the synthetic abdomen imaged as CT, in the layout of MSD Task03_Liver, or as
single slices in that of `medseg.datasets.liver_slices`.

Masks are exact at voxel centres. Cases differ in anatomy, noise, spacing, origin and voxel order
(LPS, RAS and LAS in turn). Each test case is also a DICOM series, `dicom/<case>`, of the very same
voxels, and has its labels in `labelsTs`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from medseg.datasets.phantom.abdomen import draw, paint
from medseg.datasets.phantom.canvas import Grid
from medseg.datasets.phantom.dicom_series import HU_RANGE, write_ct_series

FIELD_OF_VIEW_MM = 380.0
_BLUR_VOXELS = (0.5, 0.5, 0.0)
_NOISE_BLUR_VOXELS = (0.7, 0.7, 0.0)
_NOISE_HU = (10.0, 20.0)
_WINDOW_HU = (-160.0, 240.0)  # of single slices
_VOXEL_ORDERS = ("LPS", "RAS", "LAS")


@dataclass(frozen=True)
class Volume:
    """CT numbers and labels (I, J, K) in RAS+ order, and their affine."""

    hu: NDArray[np.int16]
    label: NDArray[np.uint8]
    affine: NDArray[np.float64]


def write_liver_ct(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    """Write `dataset.json`, `imagesTr`, `labelsTr` and, with `test_cases`, the test folders.

    A case does not depend on how many others are written.
    """
    names = [f"liver_{number:03d}" for number in range(cases + test_cases)]
    for number, case in enumerate(names):
        rng = np.random.default_rng((seed, number))
        volume = draw_ct_volume(rng, grid)
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
    content = _make_dataset_json(names[:cases], names[cases:])
    (root / "dataset.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_slices(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    """Write windowed slices, `images/<case>_<slice>.png`, and liver masks, `masks/...`, of 8 bits.

    Each case is a patient; a test set is not published, so `test_cases` follow the others. Slices
    are turned by 90 degrees against the display of a viewer, as those of the real set are, which
    were cut from NIfTI arrays.
    """
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    low, high = _WINDOW_HU
    for number in range(cases + test_cases):
        volume = draw_ct_volume(np.random.default_rng((seed, number)), grid)
        shades = np.rint(np.clip((volume.hu - low) / (high - low), 0, 1) * 255).astype(np.uint8)
        liver = np.where(volume.label > 0, 255, 0).astype(np.uint8)
        for k in range(grid.slices):
            name = f"{number:03d}_{k:03d}.png"
            Image.fromarray(shades[:, :, k]).save(root / "images" / name)
            Image.fromarray(liver[:, :, k]).save(root / "masks" / name)


def draw_ct_volume(rng: np.random.Generator, grid: Grid) -> Volume:
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
    hu = gaussian_filter(hu, _BLUR_VOXELS) + _draw_noise(rng, shape)
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = np.round(rng.uniform((-30, -60, -900), (30, 60, 300)) - half_mm, 2)
    return Volume(np.clip(np.rint(hu), *HU_RANGE).astype(np.int16), label, affine)


def _draw_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
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


def _make_dataset_json(training: list[str], testing: list[str]) -> dict[str, Any]:
    return {
        "name": "phantom-ct",
        "description": "synthetic, written by medseg phantom: abdomen in CT; not of any person",
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
