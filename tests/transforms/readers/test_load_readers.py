"""Tests of medseg.transforms.readers.load_readers."""

import numpy as np
from PIL import Image

from medseg.ingest.pictures.load import PictureReader
from medseg.transforms import LoadReaders, MergeLabelsd


def save(path, row):
    Image.fromarray(np.array([row, row], np.uint8)).save(path)
    return str(path)


def test_each_reader_has_class_indices_as_the_label_has(tmp_path):
    load = LoadReaders(PictureReader([0, 7, 9]), MergeLabelsd("label", {"a": [9], "b": [7]}))
    readers = {"x": save(tmp_path / "x.png", [0, 7]), "y": save(tmp_path / "y.png", [9, 9])}
    found = load({"case": "c", "label": "not read", "readers": readers})
    assert {name: label.tolist() for name, label in found.items()} == {
        "x": [[[0, 2], [0, 2]]],
        "y": [[[1, 1], [1, 1]]],
    }


def test_a_case_of_one_label_has_no_readers():
    assert (
        LoadReaders(PictureReader([0, 1]), MergeLabelsd("label", {"a": [1]}))({"case": "c"}) == {}
    )
