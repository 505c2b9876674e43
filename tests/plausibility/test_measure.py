"""Tests of medseg.plausibility.measure and trained_on: values that are derivable on paper."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from medseg.geometry import Geometry
from medseg.plausibility import (
    find_path_beside,
    measure_cases,
    measure_class,
    reaches_edge,
    read_trained_on,
    write_trained_on,
)
from medseg.plausibility.measure import measure_image


def box(shape, *where):
    mask = np.zeros(shape, bool)
    mask[where] = True
    return mask


def test_a_class_has_its_volume_place_and_pieces():
    mask = box((10, 20, 40), slice(2, 4), slice(0, 10), slice(30, 40))
    mask[8, 19, 0] = True  # a speck of 1 beside 200 voxels
    found = measure_class(mask, voxel_ml=0.5)
    assert found["volume_ml"] == 100.5
    assert found["share"] == pytest.approx(20 / 200)
    assert found["pieces"] == 1
    assert found["place_1"] == pytest.approx((2.5 * 200 + 8) / 201 / 10 + 0.05)
    assert reaches_edge(mask)
    assert not reaches_edge(box((5, 5, 5), 2, 2, 2))


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize(("index", "reaches"), [(0, True), (1, False), (4, False), (5, True)])
def test_each_side_of_an_image_is_an_edge(axis, index, reaches):
    where = [3, 3, 3]
    where[axis] = index
    assert reaches_edge(box((6, 6, 6), *where)) == reaches
    assert not reaches_edge(np.zeros((0, 4), bool))


def test_an_empty_class_has_a_size_alone():
    assert measure_class(np.zeros((4, 4), bool)) == {"share": 0.0}
    assert measure_class(np.zeros((4, 4, 4), bool), voxel_ml=1) == {"share": 0, "volume_ml": 0}


def test_a_volume_has_its_sides_in_millimetres_and_a_body_in_hounsfield_units():
    hu = np.full((1, 10, 20, 4), -1000.0)
    hu[:, :, :10] = 40
    grid = Geometry((10, 20, 4), np.diag([1.0, 1.0, 8.0, 1.0]))
    found = measure_image(hu, modality="CT", grid=grid)
    assert found == {"longest_mm": 32, "shortest_mm": 10, "voxel_mm": 2, "body_hu": 40}


def test_a_picture_has_its_size_and_colour():
    picture = np.stack([np.full((8, 6), v) for v in (120.0, 60.0, 19.0)])
    found = measure_image(picture, modality="picture")
    assert (found["longest_px"], found["brightness"]) == (8, pytest.approx(199 / 3))
    assert found["redness"] == pytest.approx(101 / 200)


def cases(volumes_ml):
    """Cases of 1 mm voxels whose class has these volumes."""
    for ml in volumes_ml:
        label = torch.zeros(1, 20, 20, 20)
        label.view(-1)[: ml * 1000] = 3
        image = MetaTensor(torch.rand(1, 20, 20, 20), affine=torch.eye(4))
        image.meta |= {"original_affine": np.eye(4), "spatial_shape": np.array([20, 20, 20])}
        yield {"image": image, "label": MetaTensor(label, affine=torch.eye(4)), "case": "secret"}


def test_ranges_of_cases_are_written_and_read_without_a_name(tmp_path):
    made = measure_cases(
        list(cases([1, 4, 2])), dict, modality="MR", classes={"a": [3]}, about={"name": "set"}
    )
    weights = tmp_path / "best.pt"
    weights.write_bytes(b"weights")
    path = write_trained_on(made, weights)
    assert path == find_path_beside(weights) == tmp_path / "best.trained_on.json"
    digest = hashlib.sha256(b"weights").hexdigest()
    assert read_trained_on(weights) == replace(made, weights=[digest])
    assert (made.cases, made.dimensions) == (3, 3)
    assert made.classes["a"]["volume_ml"] == [1.0, 4.0]
    assert made.image["longest_mm"] == [20.0, 20.0]
    assert "secret" not in path.read_text()


def test_of_crops_sizes_and_classes_say_nothing():
    crops = list(cases([1, 2]))
    made = measure_cases(crops, dict, modality="MR", classes={"a": [3]}, whole_images=False)
    assert (made.classes, list(made.image)) == ({}, ["darkness", "negative"])


def test_weights_without_ranges_have_none_and_a_damaged_file_is_refused(tmp_path):
    assert read_trained_on(tmp_path / "model.pt") is None
    for text in ("{", json.dumps({"cases": 1})):
        (tmp_path / "model.trained_on.json").write_text(text)
        with pytest.raises(ValueError, match="does not say what the weights were trained on"):
            read_trained_on(tmp_path / "model.pt")


def test_no_cases_are_refused():
    with pytest.raises(ValueError, match="no training case was found"):
        measure_cases([], dict, modality="CT", classes={})
