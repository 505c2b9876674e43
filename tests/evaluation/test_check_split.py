"""Tests of medseg.evaluation.check_split: a validation scores no case of the training."""

import json
import logging

import pytest

from medseg.evaluation.check_split import check_split

TRAINED = {"fold": 0, "folds": 5, "split_seed": 0}


@pytest.fixture(params=["run.json", "models/model.run.json"])
def root(request, tmp_path):
    """A run, and a bundle with published weights."""
    file = tmp_path / request.param
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({**TRAINED, "bundle": "liver"}))
    return tmp_path


def test_the_split_of_the_training_passes(root):
    check_split(root, {**TRAINED, "classes": {"liver": [1]}})


@pytest.mark.parametrize("other", [{"fold": 1}, {"folds": 4}, {"split_seed": 7}])
def test_another_split_is_refused_with_both_values(root, other):
    ((key, value),) = other.items()
    said = f"{key}: trained with {TRAINED[key]}, used with {value}"
    with pytest.raises(ValueError, match=rf"\({said}\).*leave --{key} out"):
        check_split(root, {**TRAINED, **other})


def test_a_network_that_was_trained_on_all_cases_has_no_fold_to_score(root, caplog):
    for name in ("run.json", "models/model.run.json"):
        if (root / name).is_file():
            (root / name).write_text(json.dumps({**TRAINED, "all_cases": True}))
    with pytest.raises(ValueError, match=r"was trained on all cases.*score --section test"):
        check_split(root, TRAINED)
    check_split(root, TRAINED, section="test")
    check_split(root, TRAINED, force=True)
    assert "among those of the training" in caplog.text


def test_a_test_set_is_the_same_for_every_fold(root):
    check_split(root, {**TRAINED, "fold": 1, "folds": 3}, section="test")


def test_test_cases_chosen_by_another_seed_may_be_those_of_the_training(root):
    other = {**TRAINED, "split_seed": 7}
    with pytest.raises(ValueError, match=r"leave --split_seed out"):
        check_split(root, other, section="test")
    check_split(root, other, section="training")


def test_a_record_of_the_time_of_one_seed_for_both_is_understood(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"fold": 0, "folds": 5, "seed": 3}))
    check_split(tmp_path, {**TRAINED, "split_seed": 3})
    with pytest.raises(ValueError, match="split_seed: trained with 3, used with 0"):
        check_split(tmp_path, TRAINED)


def test_another_split_can_be_scored_knowingly(root, caplog):
    with caplog.at_level(logging.WARNING):
        check_split(root, {**TRAINED, "fold": 1}, force=True)
    assert "another split than the training (fold: trained with 0, used with 1)" in caplog.text


@pytest.mark.parametrize("content", [None, "", "[]", '{"bundle": "liver"}'])
def test_where_the_split_is_not_known_nothing_is_compared(content, tmp_path):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    check_split(tmp_path, {**TRAINED, "fold": 1})
