"""Hippocampus MR phantom: a bent two-part structure in cropped MR, in the layout of MSD Task04.

The structure is a chain of balls along an arc, thick in front (label 1, anterior) and thin behind
(label 2, posterior), parted by a coronal plane. Its contrast is weak, the scale of the intensities
differs between cases as in the real set, and a bright ventricle runs beside it.
"""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy.ndimage import gaussian_filter

from medseg.datasets.phantom.canvas import Grid

_SHAPE_PER_SIZE = (0.28, 0.4, 0.28)  # of `size`: 36 x 51 x 36 voxels of 1 mm at 128
_INTENSITY = (60.0, 4000.0)  # brightness of a case; the real set spans more


def write_hippocampus(root: Path, grid: Grid, *, cases: int, test_cases: int, seed: int) -> None:
    """Write `dataset.json`, `imagesTr`, `labelsTr` and, with `test_cases`, `imagesTs`."""
    names = [f"hippocampus_{number:03d}" for number in range(1, cases + test_cases + 1)]
    for number, name in enumerate(names):
        rng = np.random.default_rng((seed, number))
        image, label, affine = _draw_volume(rng, grid.size)
        part = "Tr" if number < cases else "Ts"
        _save(image, affine, root / f"images{part}" / f"{name}.nii.gz")
        if number < cases:
            _save(label, affine, root / f"labels{part}" / f"{name}.nii.gz")
    (root / "dataset.json").write_text(
        json.dumps(_make_dataset_json(names, cases), indent=1) + "\n"
    )


def _draw_volume(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Float32 intensities and labels (I, J, K) in RAS+ order, 1 mm, and their affine."""
    shape = tuple(max(12, round(part * size * rng.uniform(0.9, 1.1))) for part in _SHAPE_PER_SIZE)
    # coordinates from -1 to 1 along each axis: left-right, posterior-anterior, inferior-superior
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    bend, lean = rng.uniform(0.25, 0.4), rng.uniform(-0.15, 0.15)
    centre_x = lean * y + bend * (1 - y**2) - 0.2
    centre_z = rng.uniform(-0.1, 0.1) - 0.25 * y
    thickness = rng.uniform(0.34, 0.4) * (1 + 0.35 * y)
    body = ((x - centre_x) ** 2 + (z - centre_z) ** 2 <= thickness**2) & (np.abs(y) <= 0.75)
    border = rng.uniform(-0.05, 0.2)
    label = np.where(body, np.where(y > border, 1, 2), 0).astype(np.uint8)
    ventricle = ((x - centre_x - 0.55) ** 2 + (z - centre_z - 0.3) ** 2 <= 0.03) & (y < 0.4)
    image = 0.55 + 0.2 * body - 0.3 * ventricle
    image = gaussian_filter(image.astype(np.float32), 0.6)
    texture = gaussian_filter(rng.standard_normal(shape).astype(np.float32), 0.6)
    image = (image + 0.05 * texture / texture.std()) * np.exp(rng.uniform(*np.log(_INTENSITY)))
    affine = np.eye(4)
    affine[:3, 3] = np.round(rng.uniform(-40, 40, 3), 1)
    return image.astype(np.float32), label, affine


def _save(array: np.ndarray, affine: np.ndarray, path: Path) -> None:
    image = nib.Nifti1Image(array, affine)
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)


def _make_dataset_json(names: list[str], cases: int) -> dict[str, object]:
    training = [
        {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
        for name in names[:cases]
    ]
    return {
        "name": "Hippocampus",
        "description": "synthetic, written by medseg phantom",
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
        "numTraining": cases,
        "numTest": len(names) - cases,
        "training": training,
        "test": [f"./imagesTs/{name}.nii.gz" for name in names[cases:]],
    }
