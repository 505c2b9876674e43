"""Tests of medseg.base.channels.file_names: the name of a file tells its channel and its case."""

import pytest

from medseg.base.channels.file_names import find_channel, make_channel_name

CHANNELS = ["flair", "t1", "t1_post"]


@pytest.mark.parametrize(
    ("stem", "channel", "case"),
    [
        ("Case7_FLAIR", 0, "Case7"),
        ("t1-Case7", 1, "Case7"),
        ("sub-01_t1_run-2", 1, "sub-01_run-2"),
        ("flair", 0, ""),
        ("a_T1-post", 2, "a"),
        ("a_0001", 1, "a"),
        ("t1_0002", 1, "0002"),
    ],
)
def test_the_words_of_a_channel_tell_it_and_the_rest_is_the_case(stem, channel, case):
    assert find_channel(stem, CHANNELS) == (channel, case)


@pytest.mark.parametrize("stem", ["at1", "t1ce", "case_7", "a_0003", "flair2"])
def test_parts_of_words_and_numbers_beyond_the_channels_tell_none(stem):
    assert find_channel(stem, CHANNELS) == (None, stem)


def test_a_name_with_other_signs_is_found_again():
    name = make_channel_name(" T2-weighted, FS")
    assert name == "T2_weighted_FS"
    assert find_channel("a_t2-weighted.fs", [name]) == (0, "a")
