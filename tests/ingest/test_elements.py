"""Tests of medseg.ingest.elements: absent and empty are one case, and nonsense raises."""

from __future__ import annotations

import pytest
from pydicom import Dataset

from medseg.ingest.elements import number, text, texts, vector, whole


def test_absent_and_empty_values_are_alike():
    for dataset in (Dataset(), _with(Rows=None, Modality="", PixelSpacing=None, ImageType=None)):
        assert whole(dataset, "Rows", 7) == 7
        assert text(dataset, "Modality") == ""
        assert vector(dataset, "PixelSpacing").shape == (0,)
        assert texts(dataset, "ImageType") == ()
        assert number(dataset, "SliceThickness") is None


def test_values_become_plain_numbers_and_text():
    dataset = _with(Rows=5, Modality="CT ", PixelSpacing=["0.5", "0.75"], ImageType=["A", "B"])
    assert whole(dataset, "Rows") == 5
    assert text(dataset, "Modality") == "CT"
    assert vector(dataset, "PixelSpacing").tolist() == [0.5, 0.75]
    assert texts(dataset, "ImageType") == ("A", "B")
    assert texts(_with(ImageType="A"), "ImageType") == ("A",)


def test_a_value_of_another_kind_raises():
    with pytest.raises(TypeError):
        whole(_with(ReferencedImageSequence=[Dataset()]), "ReferencedImageSequence")


def _with(**values):
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset
