"""Tests of `medseg crossval`."""

import json

import pytest
from bundles.crossval.test_crossval import bundle as bundle  # fixtures
from bundles.crossval.test_crossval import done as done
from bundles.crossval.test_crossval import other as other
from cli.commands import run_medseg
from planning.test_plan_folder import data as data


def test_it_prints_the_scores_with_intervals_and_what_was_chosen(bundle, done):
    ended = run_medseg("crossval", "-b", bundle)
    assert ended.exit_code == 0
    assert "95 % interval" in ended.stdout
    assert "largest_only: kidney: mean Dice +0.0500, better in 20 cases, worse in 0" in ended.stdout
    assert "labels to look at: runs/kidney/crossval/suspects.html" in ended.stdout
    assert "crossval/ensemble: the mean of 5 networks, 2.0 MB in float16" in ended.stdout
    assert "a patch takes 0.5 s here in medseg segment, 0.1 s with one network" in ended.stdout
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


def test_against_another_bundle_the_last_lines_say_what_is_better_and_what_is_chosen(bundle, other):
    other.update(kidney_2d=-0.05, both=0.02)
    ended = run_medseg("crossval", "-b", bundle, "--against", bundle.parent / "kidney_2d")
    assert ended.exit_code == 0, ended.stderr
    lines = ended.stdout.splitlines()[-6:]
    assert lines[1].split()[:5] == ["kidney", "0.6000", "kidney_2d", "+0.0500", "+0.0500"]
    assert lines[3].split()[-2:] == ["20", "0"]
    assert lines[4].startswith("kidney_2d has fewer weights, and a mean Dice of 0.5500")
    assert lines[5].startswith("chosen: both, the mean of their probabilities; the bundle segments")


def test_against_as_json_and_without_a_bundle_of_ones_own(bundle, other):
    (bundle / "task.json").unlink()
    words = ("crossval", "-b", bundle, "--against", bundle.parent / "kidney_2d")
    told = json.loads(run_medseg(*words, "--json").stdout)["comparison"]
    assert told["chosen"] == "kidney_2d"
    assert told["mean_dice"] == {"kidney_2d": 0.6, "kidney": 0.6, "both": 0.6}
    assert [row["gains"] for row in told["gains"]] == [False] * 3
    last = " ".join(run_medseg(*words).stdout.split())
    assert '--companion "runs/kidney_2d/crossval/ensemble" --companion_share "1"' in last


def test_against_what_is_not_cross_validated_is_one_line(bundle, done):
    ended = run_medseg("crossval", "-b", bundle, "--against", "hippocampus")
    assert ended.exit_code != 0
    assert "hippocampus is not cross-validated" in ended.stderr
    assert not done  # refused before any fold is trained


@pytest.mark.slow
def test_2d_3d_and_both_are_compared_and_the_bundle_segments_with_the_choice(data, tmp_path):
    words = ("--folds", "2", "--max_epochs", "1", "--val_interval", "1", "--device", "cpu")
    made = run_medseg("new", "kidney", "--data", data, "--dims", "both", "--no-measure")
    assert made.exit_code == 0, made.stderr
    assert run_medseg("crossval", "-b", "kidney_2d", *words).exit_code == 0
    compare = ("crossval", "-b", "kidney", "--against", "kidney_2d", *words)
    ended = run_medseg(*compare, "--only", "0")
    assert "folds 1 of runs/kidney/crossval are not done yet" in ended.stdout
    told = json.loads(run_medseg(*compare, "--json").stdout)
    assert {row["cases"] for row in told["comparison"]["gains"]} == {5}
    assert told["kept_in_bundle"] is True
    is_alone = told["comparison"]["chosen"] == "kidney"
    assert (tmp_path / "bundles/kidney/models/companion").is_dir() is not is_alone
    before = (
        (tmp_path / "runs/kidney/crossval/fold_1/with_kidney_2d/metrics.csv").stat().st_mtime_ns
    )
    assert run_medseg(*compare).exit_code == 0  # nothing is done again
    after = (tmp_path / "runs/kidney/crossval/fold_1/with_kidney_2d/metrics.csv").stat().st_mtime_ns
    assert before == after
    (tmp_path / "bundles" / "kidney").rename(tmp_path / "moved")
    image = next((data / "images").glob("*.nii.gz"))
    ended = run_medseg("segment", image, "-b", tmp_path / "moved", "-o", tmp_path / "out")
    assert ended.exit_code == 0, ended.stderr
    assert ("probabilities of kidney_2d" in ended.stderr) is not is_alone


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
