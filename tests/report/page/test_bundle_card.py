"""Tests of medseg.report.page.bundle_card: what is stated is shown, and damage is no failure."""

from __future__ import annotations

import json

import pytest

from medseg.bundles.bundle import PUBLISHED, RUN_FILE, WEIGHTS
from medseg.report.page.bundle_card import BundleCard, read_bundle_card


@pytest.fixture
def read(tmp_path):
    """The card of a bundle whose metadata are a text, or a value as JSON."""

    def write_and_read(stated):
        (tmp_path / "configs").mkdir()
        text = stated if isinstance(stated, str) else json.dumps(stated)
        (tmp_path / "configs/metadata.json").write_text(text)
        return read_bundle_card(tmp_path)

    return write_and_read


def test_scores_and_faults_are_put_in_words(read):
    scores = {"test_mean_dice_of_slices": 0.847, "test_iou": 0.7}
    card = read({"task": "Liver in CT", "eval_metrics": scores, "known_faults": ["a", "b"]})
    assert card.scores == "test mean Dice of slices 0.847, test IoU 0.7"
    assert [name for name, _ in card.list_facts()] == [
        *("Task", "Scores of the bundle", "Known faults"),
    ]
    assert card.faults == "a; b"


@pytest.mark.parametrize(
    "stated", ["", "[", "[]", "{}", {"task": None, "eval_metrics": 3, "known_faults": 4}]
)
def test_of_damaged_metadata_nothing_is_known(read, stated):
    assert read(stated) == BundleCard()
    assert list(BundleCard().list_facts()) == [("Scores of the bundle", "none is known")]


def test_scores_have_the_number_of_cases_where_it_is_stated(read):
    card = read({"eval_metrics": {"test_iou": 0.7}, "test_cases": 52, "training_cases": 140})
    assert card.scores == "test IoU 0.7 (n = 52); trained on 140 cases"


RUN = {
    "fold": 0,
    "scores": {"val_mean_dice": 0.85914},
    "cases": {"training": 141, "validation": 35},
}
SAID = (
    "validation mean Dice 0.859 (of the 35 validation cases, by which these weights were chosen); "
    "trained on 141 cases"
)


@pytest.mark.parametrize("file", [PUBLISHED, RUN_FILE])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, SAID),
        ({"cases": 3}, SAID.replace("35 ", "").partition(";")[0]),
        ({"scores": {}}, "test IoU 0.7"),
        ({"all_cases": True}, "so that it says nothing of new cases"),
        ({"all_cases": True, "fold": None}, "each case scored by the network that was not trained"),
    ],
)
def test_the_scores_of_the_training_come_before_those_of_the_metadata(
    tmp_path, read, file, changes, said
):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(json.dumps({**RUN, **changes}))
    (tmp_path / WEIGHTS).parent.mkdir(exist_ok=True)
    (tmp_path / WEIGHTS).touch()
    assert said in read({"eval_metrics": {"test_iou": 0.7}}).scores


def test_scores_of_a_training_without_its_weights_are_not_those_of_the_bundle(tmp_path, read):
    (tmp_path / RUN_FILE).write_text(json.dumps(RUN))
    assert read({"eval_metrics": {"test_iou": 0.7}}).scores == "test IoU 0.7"
