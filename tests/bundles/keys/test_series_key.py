"""Tests of medseg.bundles.keys.series_key: which series a word or number names."""

import pytest

from medseg.bundles.keys.series_key import read_series_key


@pytest.mark.parametrize(
    ("series", "key"),
    [
        ("all", {"choose_series": "all"}),
        ("largest", {"choose_series": "largest"}),
        (4, {"choose_series": 4}),
        ("-4", {"choose_series": -4}),
        ("1.2.840.4", {"series_uid": "1.2.840.4"}),
    ],
)
def test_a_series_is_named_by_its_number_its_uid_or_a_rule(series, key):
    assert read_series_key(series) == key


@pytest.mark.parametrize("series", ["abc", "", True, 1.5, "1.", "123456789012"])
def test_what_names_no_series_is_refused(series):
    with pytest.raises(ValueError, match=r"is .*: pass all, largest, or the number or UID"):
        read_series_key(series)
