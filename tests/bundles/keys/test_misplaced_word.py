"""Tests of medseg.bundles.keys.misplaced_word: a word without its option names the option."""

import pytest

from medseg.bundles.keys.misplaced_word import explain_misplaced_word

TRAIN = {"max_epochs": 20, "dataset_dir": "data", "fold": 0}
SEGMENT = {"input": "study", "force": False, "existing": "refuse"}


@pytest.mark.parametrize(
    ("word", "following", "remedy"),
    [
        ("hippocampus", [], "did you mean -b hippocampus?"),
        ("hipocampus", [], "did you mean -b hippocampus?"),
        ("hippocampus", ["--fold", "1"], "did you mean -b hippocampus?"),
        ("max_epochs", ["3"], "did you mean --max_epochs 3?"),
        ("max-epoch", ["3", "--fold", "1"], "did you mean --max_epochs 3?"),
        ("fold", [], "did you mean --fold value?"),
        ("3", [], "write --key value, or quote a name with spaces"),
        ("-e", ["3"], "write a key with two dashes, --key value"),
    ],
)
def test_a_word_without_its_option_names_what_was_meant(word, following, remedy):
    assert explain_misplaced_word(word, following, TRAIN) == remedy


def test_a_folder_is_meant_as_the_data_of_a_training_and_as_one_more_case_of_a_segmentation(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my data").mkdir()
    remedy = explain_misplaced_word("my data", [], TRAIN)
    assert remedy == "did you mean --dataset_dir 'my data'?"
    remedy = explain_misplaced_word("my data", [], SEGMENT)
    assert remedy.startswith("write --key value, give several cases as one folder, or")
    assert (
        explain_misplaced_word("my data", [], {})
        == "write --key value, or quote a name with spaces"
    )


def test_a_verb_that_takes_no_bundle_names_none():
    assert "-b" not in explain_misplaced_word("nuclei", [], {})


def test_a_run_is_meant_as_the_bundle(tmp_path):
    run = tmp_path / "my run"
    (run / "configs").mkdir(parents=True)
    (run / "configs/train.json").write_text("{}")
    assert explain_misplaced_word(str(run), [], TRAIN) == f"did you mean -b '{run}'?"


def test_no_word_far_from_a_safeguard_names_it():
    assert "--force" not in explain_misplaced_word("format", [], SEGMENT)
