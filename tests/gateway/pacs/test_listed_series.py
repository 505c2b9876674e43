"""Tests of medseg.gateway.pacs.listed_series: answers of servers are read, whatever they hold."""

from __future__ import annotations

import pytest
from gateway.made_series import make_study

from medseg.gateway.pacs.listed_series import describe_listed, read_instance_uid, read_listed

UIDS = {"0020000D": {"vr": "UI", "Value": ["1.2"]}, "0020000E": {"vr": "UI", "Value": ["1.3"]}}


def test_an_answer_is_read():
    stated = {"00080060": {"Value": ["CT"]}, "00201209": {"Value": [12]}}
    found = read_listed({**UIDS, **stated})
    assert (found.study_uid, found.series_uid, found.modality) == ("1.2", "1.3", "CT")
    assert (found.instances, found.description) == (12, "")


@pytest.mark.parametrize(
    "element", [None, 7, {}, {"Value": None}, {"Value": []}, {"Value": [{"a": 1}]}, {"Value": [""]}]
)
def test_what_has_another_shape_is_as_good_as_absent(element):
    found = read_listed({**UIDS, "00080060": element, "00201209": element})
    assert (found.modality, found.instances) == ("", None)
    assert read_listed({**UIDS, "0020000E": element}) is None
    assert read_listed(element) is None
    assert read_instance_uid({"00080018": element}) == read_instance_uid(element) == ""


def test_a_header_says_the_same():
    found = describe_listed(make_study()[0])
    assert (found.modality, found.body_part, found.description) == ("CT", "ABDOMEN", "venous")
    assert found.series_uid == make_study()[0].SeriesInstanceUID
    assert found.instances is None
