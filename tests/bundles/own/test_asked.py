"""Tests of medseg.bundles.own.asked: a plan that is made again has the options of the last one."""

import pytest

from medseg.bundles.own.asked import ASKED_FILE, drop_empty, recall_asked, write_asked

DEFAULTS = {"labels": [], "patients": None, "resample_channels": False, "preset": "small"}


def test_what_is_left_out_is_as_before_and_told_as_it_is_written(tmp_path, caplog):
    asked = {**DEFAULTS, "patients": "(p[0-9]+)_", "labels": ["a=b", "c*='d'"], "preset": "large"}
    write_asked(tmp_path, {**asked, "resample_channels": True})
    found = recall_asked(tmp_path, {**DEFAULTS, "preset": "medium"}, ["preset"])
    assert found == {**asked, "resample_channels": True, "preset": "medium"}
    assert caplog.messages == [
        "as before: --labels a=b --labels \"c*='d'\" --patients '(p[0-9]+)_' --resample-channels; "
        "to leave one out, pass --labels '' or the like"
    ]


@pytest.mark.parametrize(
    ("option", "hint"),
    [({"resample_channels": True}, "--no-resample-channels"), ({"seed": 3}, "--seed 0")],
)
def test_how_to_leave_a_flag_or_a_number_out_is_told(tmp_path, caplog, option, hint):
    write_asked(tmp_path, option)
    recall_asked(tmp_path, {**DEFAULTS, "seed": 0}, [])
    assert caplog.messages[0].endswith(f"to leave one out, pass {hint} or the like")


def test_what_is_given_empty_is_left_out_now_and_in_the_next_plan(tmp_path):
    write_asked(tmp_path, {"patients": "(p)", "labels": ["a=b"], "resample_channels": True})
    given = {**DEFAULTS, "patients": "", "labels": [""]}
    found = drop_empty(recall_asked(tmp_path, given, ["patients", "labels", "resample_channels"]))
    assert found == DEFAULTS
    write_asked(tmp_path, found)
    assert recall_asked(tmp_path, DEFAULTS, []) == DEFAULTS


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
