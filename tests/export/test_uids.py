"""Tests of medseg.export.uids: a UID is valid, and depends on all that it is made from."""

import pytest

from medseg.export.uids import is_valid_uid, make_uid


@pytest.mark.parametrize("parts", [(), ("",), ("1.2.3",), ("a" * 10_000, b"\0"), ("Müller",)])
def test_a_uid_is_valid(parts):
    assert is_valid_uid(make_uid(*parts))
    assert int(make_uid(*parts).removeprefix("2.25.")) < 2**128


def test_texts_that_join_to_the_same_text_have_different_uids():
    parts = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("c", "ab")]
    assert len({make_uid(*each) for each in parts}) == len(parts)


@pytest.mark.parametrize("uid", ["", "1.2.", "1..2", "1.02", "1.2.x", "1." + "2" * 63, "1.2.3 "])
def test_what_the_standard_forbids_is_no_uid(uid):
    assert not is_valid_uid(uid)
