"""Tests of medseg.base.channels.missing."""

from medseg.base.channels.missing import MISSING, join_names, list_missing


def test_names_that_were_joined_are_listed_again():
    for names in ([], ["t1"], ["t1", "flair"]):
        assert list_missing({MISSING: join_names(names)}) == names


def test_an_image_of_one_channel_lacks_none():
    assert list_missing({}) == []
