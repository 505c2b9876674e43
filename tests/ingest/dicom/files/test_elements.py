"""Tests of medseg.ingest.dicom.files.elements: absent and empty are one case, and nonsense
raises."""

from __future__ import annotations

import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from medseg.ingest.dicom.files.elements import (
    ElementError,
    get_number,
    get_text,
    get_texts,
    get_vector,
    get_whole,
    get_words,
)


def test_absent_and_empty_values_are_alike():
    for dataset in (Dataset(), _with(Rows=None, Modality="", PixelSpacing=None, ImageType=None)):
        assert get_whole(dataset, "Rows", 7) == 7
        assert get_text(dataset, "Modality") == ""
        assert get_vector(dataset, "PixelSpacing").shape == (0,)
        assert get_texts(dataset, "ImageType") == ()
        assert get_number(dataset, "SliceThickness") is None


def test_values_become_plain_numbers_and_text():
    dataset = _with(Rows=5, Modality="CT ", PixelSpacing=["0.5", "0.75"], ImageType=["A", "B"])
    assert get_whole(dataset, "Rows") == 5
    assert get_text(dataset, "Modality") == "CT"
    assert get_vector(dataset, "PixelSpacing").tolist() == [0.5, 0.75]
    assert get_texts(dataset, "ImageType") == ("A", "B")
    assert get_texts(_with(ImageType="A"), "ImageType") == ("A",)
    assert get_words(_with(ImageType=["a ", "B\0"]), "ImageType") == ("A", "B")


def test_a_value_of_another_kind_raises():
    with pytest.raises(ElementError, match=r"ReferencedImageSequence \(0008,1140\) is"):
        get_whole(_with(ReferencedImageSequence=[Dataset()]), "ReferencedImageSequence")


def _with(**values):
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def stored(keyword, value):
    """A data set with one element as in a file."""
    tag = Tag(keyword)
    raw = RawDataElement(tag, dictionary_VR(tag), len(value), value, 0, False, True)
    dataset = Dataset()
    dataset[tag] = raw
    return dataset


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (b"0.5 ", 0.5),
        (b" 0.5", 0.5),
        (b"0.5\0", 0.5),
        (b"+1", 1.0),
        (b"-.5", -0.5),
        (b"5.", 5.0),
        (b"1.25e+1", 12.5),
        (b"0.33333333333333333333333", 1 / 3),
    ],
)
def test_a_decimal_string_that_leaves_no_doubt_is_read(value, read):
    assert get_number(stored("SliceThickness", value), "SliceThickness") == read
    twice = value + b"\\" + value
    assert get_vector(stored("PixelSpacing", twice), "PixelSpacing").tolist() == [read, read]


def test_an_integer_string_may_have_a_decimal_point():
    for value in (b"3", b" 3 ", b"+3", b"3.0", b"3."):
        assert get_whole(stored("NumberOfFrames", value), "NumberOfFrames") == 3


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("SliceThickness", b"0,5", "SliceThickness (0018,0050) is '0,5', which is not a number"),
        ("SliceThickness", b"1_0", "is '1_0', which is not a number"),
        ("SliceThickness", b"nan", "is 'nan', which is not a number"),
        ("SliceThickness", b"inf", "is 'inf', which is not a number"),
        ("SliceThickness", b"5 mm", "is '5 mm', which is not a number"),
        ("SliceThickness", b"1\\2", r"is '1\\2', which are 2 values instead of one"),
        ("SliceThickness", b"1\x1b[2J", r"is '1\x1b[2J', which is not a number"),
        ("SliceThickness", b"9" * 99 + b"x", "... of 100 characters, which is not a number"),
        ("PixelSpacing", b"0.5\\", r"PixelSpacing (0028,0030) is '0.5\\', which is not a number"),
        ("PixelSpacing", b"0,5\\0,5", r"is '0,5\\0,5', which is not a number"),
        ("NumberOfFrames", b"3.5", "(0028,0008) is '3.5', which is not a whole number"),
        ("Rows", b"\6", "Rows (0028,0010) has 1 bytes, which is not a number"),
    ],
)
def test_an_element_whose_value_is_in_doubt_is_named_with_it(keyword, value, said):
    read = {"PixelSpacing": get_vector, "NumberOfFrames": get_whole, "Rows": get_whole}.get(
        keyword, get_number
    )
    with pytest.raises(ElementError) as caught:
        read(stored(keyword, value), keyword)
    assert said in str(caught.value)
