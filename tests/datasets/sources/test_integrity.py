"""Tests of medseg.datasets.sources.integrity: a dataset is judged as a training judges it."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from medseg.datasets.sources.integrity import check_cases
from medseg.ingest.volumes import voxels


def test_an_image_made_to_fill_memory_is_refused_and_a_blank_label_is_not(tmp_path, monkeypatch):
    """A thousand bytes of zeros for each of the file, before any voxel is inflated."""
    monkeypatch.setattr(voxels, "UNASKED_BYTES", 2**16)
    noise = np.random.default_rng(0).integers(0, 1000, (64, 64, 32)).astype(np.int16)
    for name, array in (("blank", np.zeros_like(noise)), ("image", noise)):
        nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / f"{name}.nii.gz")
    case = {"case": "a", "image": "image.nii.gz", "label": "blank.nii.gz"}
    check_cases(tmp_path, [case], [0, 1])
    with pytest.raises(ValueError, match="made to fill memory"):
        check_cases(tmp_path, [case | {"image": "blank.nii.gz"}], [0, 1])
