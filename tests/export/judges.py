"""Judges: independent programs that say whether a DICOM object is right.

`dciodvfy` is of Debian's package dicom3tools, plastimatch of that name, dcmqi of PyPI. Where one is
absent, its tests are skipped.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from medseg.geometry import Geometry

DCIODVFY = shutil.which("dciodvfy")
SEG_READER = shutil.which("segimage2itkimage", path=str(Path(sys.executable).parent))
MAP_READER = shutil.which("paramap2itkimage", path=str(Path(sys.executable).parent))
PLASTIMATCH = shutil.which("plastimatch")

needs_dciodvfy = pytest.mark.skipif(DCIODVFY is None, reason="dicom3tools is not installed")
needs_dcmqi = pytest.mark.skipif(SEG_READER is None, reason="dcmqi is not installed")

needs_plastimatch = pytest.mark.skipif(PLASTIMATCH is None, reason="plastimatch is not installed")


def find_errors(path: Path) -> list[str]:
    """The errors that dciodvfy finds in an object."""
    told = subprocess.run(
        [str(DCIODVFY), "-new", path], capture_output=True, text=True, check=False
    )
    return [line for line in (told.stderr + told.stdout).splitlines() if line.startswith("Error")]


def read_by_dcmqi(path: Path, folder: Path, geometry: Geometry) -> np.ndarray:
    """The mask in a SEG as dcmqi reads it, on a grid that has all its voxels, (I, J, K)."""
    folder.mkdir()
    command = [str(SEG_READER), "--inputDICOM", str(path), "--outputDirectory", str(folder)]
    told = _run([*command, "-t", "nrrd", "--mergeSegments"])
    assert told.returncode == 0, told.stdout + told.stderr
    found = np.zeros(geometry.shape, np.uint8)
    for file in sorted(folder.glob("*.nrrd")):
        image = SimpleITK.ReadImage(str(file))
        voxels = np.argwhere(SimpleITK.GetArrayFromImage(image) > 0)[:, ::-1]
        values = SimpleITK.GetArrayFromImage(image)[tuple(voxels[:, ::-1].T)]
        points = np.array([image.TransformIndexToPhysicalPoint(list(map(int, v))) for v in voxels])
        at = geometry.world_to_voxel(points.reshape(-1, 3) * (-1, -1, 1))
        assert np.abs(at - at.round()).max(initial=0) < 0.01
        found[tuple(at.round().astype(int).T)] = values
    return found


def read_map_by_dcmqi(path: Path, folder: Path) -> SimpleITK.Image:
    """The numbers of a Parametric Map as dcmqi reads them, with their place in LPS+."""
    folder.mkdir()
    command = [str(MAP_READER), "--inputDICOM", str(path), "--outputDirectory", str(folder)]
    told = _run([*command, "-t", "nrrd"])
    assert told.returncode == 0, told.stdout + told.stderr
    (file,) = folder.glob("*.nrrd")
    return SimpleITK.ReadImage(str(file))


def read_by_plastimatch(
    path: Path, images: Path, name: str, geometry: Geometry, *, xor: bool = False
) -> np.ndarray:
    """An ROI of an RTSTRUCT as plastimatch fills it on the grid of its images, (I, J, K).

    It unites contours, or combines them by exclusive or.
    """
    folder = path.parent / f"{path.stem} {xor}"
    command = [str(PLASTIMATCH), "convert", "--input", str(path), "--referenced-ct", str(images)]
    command += ["--output-prefix", str(folder), "--prefix-format", "nrrd"]
    told = _run([*command, *(["--xor-contours"] if xor else [])])
    assert told.returncode == 0, told.stdout + told.stderr
    image = SimpleITK.ReadImage(str(folder / f"{name}.nrrd"))
    centres = geometry.voxel_to_world(np.argwhere(np.ones(geometry.shape))) * (-1, -1, 1)
    inside = [image.TransformPhysicalPointToIndex(centre) for centre in centres]
    values = SimpleITK.GetArrayFromImage(image)[tuple(np.array(inside)[:, ::-1].T)]
    return (values > 0).reshape(geometry.shape)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
