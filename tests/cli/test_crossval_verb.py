"""Tests of `medseg crossval`."""

import json

import pytest
from bundles.crossval.test_crossval import bundle as bundle  # fixtures
from bundles.crossval.test_crossval import done as done
from cli.commands import run_medseg
from planning.test_plan_folder import data as data


def test_it_prints_the_scores_with_intervals_and_what_was_chosen(bundle, done):
    ended = run_medseg("crossval", "-b", bundle)
    assert ended.exit_code == 0
    assert "95 % interval" in ended.stdout
    assert "largest_only: kidney: mean Dice +0.0500, better in 20 cases, worse in 0" in ended.stdout
    assert "labels to look at: runs/kidney/crossval/suspects.html" in ended.stdout
    assert "crossval/ensemble: the mean of 5 networks, 2.0 MB in float16" in ended.stdout
    assert "a patch takes 0.5 s here, 0.1 s with one network" in ended.stdout
    assert "to segment with it, pass -b runs/kidney/crossval/ensemble" in ended.stdout


def test_it_says_which_folds_are_waiting(bundle, done):
    ended = run_medseg("crossval", "-b", bundle, "--only", "0")
    assert ended.exit_code == 0
    assert ended.stdout.startswith("folds 1, 2, 3, 4 of runs/kidney/crossval are not done yet")


def test_as_json_a_program_has_the_same(bundle, done):
    told = json.loads(run_medseg("crossval", "-b", bundle, "--json").stdout)
    assert told["classes"]["kidney"]["dice"]["n"] == 20
    assert told["keys"]["largest_only"] == ["kidney"]
    assert told["kept_in_bundle"] is True
    assert told["ensemble"]["members"] == 5
    assert told["ensemble_in_bundle"] is False


@pytest.mark.long
def test_a_bundle_of_ones_own_is_cross_validated_and_segments_with_its_ensemble(
    data, bundle, tmp_path
):
    words = ("--folds", "2", "--max_epochs", "1", "--val_interval", "1", "--device", "cpu")
    ended = run_medseg("crossval", "-b", bundle, *words)
    assert ended.exit_code == 0, ended.stderr
    folder = tmp_path / "runs" / "kidney" / "crossval"
    kept = [path.name for path in folder.glob("fold_*/out_of_fold/masks/*.nii.gz")]
    assert len(kept) == 5  # of 6 patients one is for testing
    again = run_medseg("crossval", "-b", bundle, *words, "--json")
    assert again.exit_code == 0
    assert len(json.loads(again.stdout)["classes"]["kidney"]["dice"]) > 0
    assert json.loads(again.stdout)["ensemble_in_bundle"] is True
    ended = run_medseg("segment", next(data.rglob("*image*")), "-b", bundle, "-o", tmp_path / "out")
    assert ended.exit_code == 0, ended.stderr
    assert "the network is an ensemble of 2 networks" in ended.stderr
    ended = run_medseg("evaluate", "-b", bundle, "--section", "validation")
    assert "the network was trained on all cases" in ended.stderr
