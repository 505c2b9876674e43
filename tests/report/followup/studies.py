"""Studies for the tests of a comparison: folders as `medseg segment` leaves them."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np

from medseg.inference.outputs.label_files import format_json
from medseg.labels import make_table
from medseg.report.record_segmentation import SCHEMA

CLASSES = {"liver": [1, 2], "tumour": [2]}


def save(array, grid, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, grid.affine), path)
    return path


def write_study(
    folder, mask, grid, *, image=None, case="study", classes=CLASSES, record=True, facts=None
):
    """A folder of results with one case, and its image beside it; the folder."""
    mask_file = save(mask.astype(np.uint8), grid, folder / f"{case}.nii.gz")
    (folder / "labels.json").write_text(format_json(make_table(classes)))
    known = {"case": case, "status": "done", "mask": mask_file.name, **(facts or {})}
    if image is not None:
        place = save(image.astype(np.float32), grid, folder.parent / f"{folder.name}_image.nii.gz")
        known["image"] = str(place)
    if record:
        made = {"schema": SCHEMA, "bundle": "liver 0.1.0", "cases": [known]}
        (folder / "segmentation_2026-01-02_03-04-05.json").write_text(json.dumps(made))
    return folder
