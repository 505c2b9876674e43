"""Tests of medseg.bundles.own.replan: what a person changed stays."""

import json

import pytest

from medseg.bundles.own.replan import keep_changes, write_planned


def write_task(folder, **task):
    (folder / "task.json").write_text(json.dumps(task))


def test_changes_additions_and_removals_stay_and_the_rest_is_planned_anew(tmp_path):
    write_planned(tmp_path, {"a": 1, "b": 2, "c": 3, "d": 4})
    write_task(tmp_path, a=1, b=20, d=4, e=5)
    task, kept = keep_changes(tmp_path, {"a": 100, "b": 200, "c": 300, "f": 600})
    assert task == {"a": 100, "b": 20, "e": 5, "f": 600}
    assert kept == {"b": 20, "e": 5}


def test_nothing_is_kept_of_a_task_that_is_as_it_was_planned(tmp_path):
    write_planned(tmp_path, {"a": [1, {"b": None}]})
    write_task(tmp_path, a=[1, {"b": None}])
    assert keep_changes(tmp_path, {"a": 2}) == ({"a": 2}, {})


def test_a_bundle_that_was_not_planned_is_refused(tmp_path):
    write_task(tmp_path, a=1)
    with pytest.raises(ValueError, match=r"has no planned\.json, so that nothing says what"):
        keep_changes(tmp_path, {"a": 2})


@pytest.mark.parametrize(("text", "message"), [("{", "is no JSON"), ("[]", "no dictionary")])
def test_a_damaged_task_is_refused(tmp_path, text, message):
    write_planned(tmp_path, {"a": 1})
    (tmp_path / "task.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        keep_changes(tmp_path, {"a": 2})
