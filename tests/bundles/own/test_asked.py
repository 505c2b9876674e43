"""Tests of medseg.bundles.own.asked: a plan that is made again has the options of the last one."""

import pytest

from medseg.bundles.own.asked import ASKED_FILE, recall_asked, write_asked

DEFAULTS = {"labels": [], "patients": None, "resample_channels": False, "preset": "small"}


def test_what_is_left_out_is_as_before_and_told_as_it_is_written(tmp_path, caplog):
    asked = {**DEFAULTS, "patients": "(p[0-9]+)_", "labels": ["a=b", "c*='d'"], "preset": "large"}
    write_asked(tmp_path, {**asked, "resample_channels": True})
    found = recall_asked(tmp_path, {**DEFAULTS, "preset": "medium"}, ["preset"])
    assert found == {**asked, "resample_channels": True, "preset": "medium"}
    assert caplog.messages == [
        "as before: --labels a=b --labels \"c*='d'\" --patients '(p[0-9]+)_' --resample-channels"
    ]


def test_nothing_is_told_where_nothing_differs_from_the_defaults(tmp_path, caplog):
    assert recall_asked(tmp_path, DEFAULTS, []) == DEFAULTS
    write_asked(tmp_path, DEFAULTS)
    assert recall_asked(tmp_path, DEFAULTS, []) == DEFAULTS
    assert not caplog.messages


def test_options_that_are_no_more_are_left_out(tmp_path):
    write_asked(tmp_path, {"former": 1})
    assert recall_asked(tmp_path, DEFAULTS, []) == DEFAULTS


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / ASKED_FILE).write_text(content)
    with pytest.raises(ValueError, match=r"asked.json is damaged: remove it, and pass again"):
        recall_asked(tmp_path, DEFAULTS, [])
