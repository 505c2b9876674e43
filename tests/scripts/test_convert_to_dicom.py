"""Convert to DICOM: series and objects hold the volume and the labels that they were made of."""

import importlib.util
import json
import sys

import nibabel as nib
import numpy as np
import pytest

from medseg.ingest import find_series, load


@pytest.fixture(scope="module")
def script(repository):
    spec = importlib.util.spec_from_file_location(
        "convert_to_dicom", repository / "scripts" / "convert_to_dicom.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def dataset(tmp_path):
    """Two oblique volumes with two labels."""
    folder = tmp_path / "Task"
    rng = np.random.default_rng(0)
    turn = np.array([[0.96, -0.28, 0, 0], [0.28, 0.96, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    affine = turn @ np.diag([1.5, 1.0, 2.0, 1.0])
    for name in ("a", "b"):
        label = np.zeros((9, 8, 5), np.uint8)
        label[2:5, 2:6, 1:4], label[5:7, 3:5, 1:3] = 1, 2
        for kind, values in (("imagesTr", rng.integers(0, 500, label.shape)), ("labelsTr", label)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            nib.save(
                nib.Nifti1Image(values.astype(np.int16), affine), folder / kind / f"{name}.nii.gz"
            )
    named = {"labels": {"0": "background", "1": "head", "2": "tail"}}
    (folder / "dataset.json").write_text(json.dumps(named))
    return folder


def test_each_case_is_a_study_that_reads_as_its_volume(script, dataset, tmp_path, monkeypatch):
    out = tmp_path / "studies"
    monkeypatch.setattr(sys, "argv", ["convert_to_dicom", str(dataset), str(out)])
    script.main()
    assert {path.name for path in out.glob("*/*ct*.dcm")} == {"rtstruct.dcm"}
    assert {path.name for path in out.glob("*/seg.dcm")} == {"seg.dcm"}
    for name in ("a", "b"):
        series = [one for one in find_series(out / name) if one.modality == "MR"]
        assert len(series) == 1
        values, geometry = load(out / name)
        volume = nib.load(dataset / "imagesTr" / f"{name}.nii.gz")
        turned = nib.as_closest_canonical(nib.Nifti1Image(values, geometry.affine))
        np.testing.assert_array_equal(turned.dataobj, volume.dataobj)
        np.testing.assert_allclose(turned.affine, volume.affine, atol=1e-4)


def test_a_volume_of_larger_values_is_scaled_down(script, dataset, tmp_path):
    image = nib.load(dataset / "imagesTr" / "a.nii.gz")
    large = nib.Nifti1Image(np.asarray(image.dataobj).astype(np.float32) * 1000, image.affine)
    nib.save(large, tmp_path / "large.nii.gz")
    script.convert_case(
        tmp_path / "large.nii.gz",
        dataset / "labelsTr" / "a.nii.gz",
        tmp_path / "out",
        names=["head", "tail"],
        outlines=False,
    )
    assert load(tmp_path / "out")[0].max() == 65535
