"""Tests of medseg.bundles.catalogue.companion."""

import re

import nibabel as nib
import numpy as np
import pytest
import torch
from planning.test_plan_folder import data as data  # a fixture

import medseg
from medseg.bundles.bundle import WEIGHTS
from medseg.bundles.catalogue.companion import find_differences, load_companion
from medseg.bundles.own.write_bundle import change_task, write_bundle
from medseg.networks import NestedUNet
from medseg.planning.plan_folder import plan_folder

QUICK = {"predictor": "eager", "force": True, "measure": False, "mixed_precision": False}
OWN = {"name": "own", "classes": {"a": [1]}, "spacing_mm": [1, 1, 2], "modality": "MR"}


@pytest.fixture
def both(data, tmp_path):
    """A bundle in 3D and one in 2D for the same volumes, with random weights; and an image."""
    planned = plan_folder("kidney", data)
    for number, each in enumerate((planned, planned.cut_into_slices("kidney_2d"))):
        folder = write_bundle(tmp_path / "bundles" / each.name, each.task)
        task = each.task
        torch.manual_seed(number)
        network = NestedUNet(
            *(3 - number, 1, 1),
            channels=task["channels"],
            norm=task["norm"],
            act=("leakyrelu", {"negative_slope": 0.1, "inplace": True}),
            deep_supervision=True,
            strides=task.get("strides", 2),
            kernel_size=task.get("kernel_size", 3),
        )
        (folder / "models").mkdir()
        torch.save(network.state_dict(), folder / WEIGHTS)
    return next((data / "images").glob("*.nii.gz"))


def test_without_a_companion_there_is_none():
    assert load_companion(None, share=0.5, choices={}, device="cpu") is None


@pytest.mark.parametrize(
    ("companion", "difference"),
    [
        ({**OWN, "spatial_dims": 2}, None),
        ({**OWN, "classes": {"a": [7]}}, None),  # the values of another dataset
        ({**OWN, "classes": {"b": [1]}}, "classes"),
        ({**OWN, "spacing_mm": [1, 1, 1]}, r"spacing_mm: \[1, 1, 1\] against \[1, 1, 2\]"),
        ({k: v for k, v in OWN.items() if k != "spacing_mm"}, "spacing_mm: None against"),
        ({**OWN, "window_hu": [0, 100]}, r"window_hu: \[0, 100\] against None"),
        ({**OWN, "modality": "CT"}, "modality: CT against MR"),
    ],
)
def test_bundles_that_see_an_image_otherwise_differ(companion, difference):
    found = find_differences(companion, {**OWN, "spatial_dims": 3})
    if difference is None:
        assert found == []
    else:
        (line,) = found
        assert re.match(difference, line)


def test_its_probabilities_are_those_of_its_network_and_its_file_is_gone_afterwards(
    both, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    choices = plan_folder("kidney", tmp_path / "scans").task
    companion = load_companion("kidney_2d", share=0.5, choices=choices, device="cpu")
    assert companion.about["bundle"] == "kidney_2d 0.1.0"
    assert len(companion.about["weights_sha256"]) == 64
    image = torch.randn(1, 1, 12, 14, 10)
    with companion.find(image) as found:
        assert found.shape == (1, 12, 14, 10)
        assert any((tmp_path / "scratch").glob(".medseg-*/*"))
        assert 0 < found.min() < found.max() < 1
    assert not any((tmp_path / "scratch").glob(".medseg-*/*"))


def test_alone_it_segments_as_its_own_bundle_does(both):
    alone = medseg.segment(both, bundle="kidney_2d", **QUICK)
    own = medseg.segment(both, bundle="kidney", **QUICK)
    given = {"companion": "kidney_2d", **QUICK}
    used = medseg.segment(both, bundle="kidney", companion_share=1, **given)
    np.testing.assert_array_equal(used.mask, alone.mask)
    assert used.geometry.shape == nib.load(both).shape
    assert (own.mask != alone.mask).sum() > 0
    mean = medseg.segment(both, bundle="kidney", **given)
    agree = own.mask == alone.mask
    np.testing.assert_array_equal(mean.mask[agree], own.mask[agree])


def test_slices_along_another_axis_are_those_of_the_turned_volume(both, tmp_path):
    task = plan_folder("kidney", tmp_path / "scans", dims="2d").task
    image, found = 300 * torch.randn(1, 1, 12, 14, 10), []
    for axis in (0, 2):
        change_task(tmp_path / "bundles" / "kidney_2d", {**task, "slice_axis": axis})
        companion = load_companion("kidney_2d", share=0.5, choices=task, device="cpu")
        turned = image if axis == 0 else image.movedim(2, 4)
        with companion.find(turned) as probabilities:
            found.append(np.array(probabilities, np.float32))
    np.testing.assert_allclose(np.moveaxis(found[0], 1, 3), found[1], atol=0.02)
    assert found[0].std() > 0.02


def test_a_companion_on_another_grid_or_without_weights_is_one_line(both, tmp_path):
    folder = tmp_path / "bundles" / "kidney_2d"
    (folder / WEIGHTS).unlink()
    with pytest.raises(FileNotFoundError, match="has no weights"):
        medseg.segment(both, bundle="kidney", companion="kidney_2d", **QUICK)
    task = plan_folder("kidney", tmp_path / "scans").cut_into_slices("kidney_2d").task
    change_task(folder, {**task, "classes": {"other": [1]}})
    with pytest.raises(ValueError, match=r"cannot be averaged with those of kidney \(classes"):
        medseg.segment(both, bundle="kidney", companion="kidney_2d", **QUICK)


def test_a_bundle_for_pictures_is_no_companion(both):
    with pytest.raises(ValueError, match="is for pictures: name a bundle for volumes"):
        medseg.segment(both, bundle="kidney", companion="nuclei", **QUICK)
