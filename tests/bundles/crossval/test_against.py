"""Tests of medseg.bundles.crossval.against: only what was cross-validated alike is compared."""

import json
import shutil

import pytest
from planning.test_plan_folder import data as data  # a fixture

from medseg.bundles.bundle import RUN_FILE, WEIGHTS
from medseg.bundles.crossval import against as module
from medseg.bundles.crossval.against import (
    COMPANION,
    Against,
    find_against,
    publish_companion,
    score_both,
)
from medseg.bundles.crossval.folds import list_folds
from medseg.bundles.crossval.pool import write_table
from medseg.bundles.overrides import read_workflow
from medseg.bundles.own.write_bundle import write_bundle
from medseg.planning.plan_folder import plan_folder

FOLDS = 5


def write_folds(folder, bundle, *, cases="abc", weights=b"weights"):
    """Trained and scored folds of a bundle, and their ensemble, without what needs a network."""
    for fold in list_folds(folder, FOLDS):
        shutil.copytree(bundle / "configs", fold.folder / "configs")
        (fold.folder / RUN_FILE).write_text(json.dumps({"section_sha256": {"validation": cases}}))
        (fold.folder / "models").mkdir()
        (fold.folder / WEIGHTS).write_bytes(weights)
        write_table(fold.scores / "metrics.csv", [{"case": f"c{fold.number}", "dice": 0.5}])
        (fold.scores / "scored.json").write_text("[]")
    shutil.copytree(folder / "fold_0" / "configs", folder / "ensemble" / "configs")
    (folder / "ensemble" / "models").mkdir()
    (folder / "ensemble" / WEIGHTS).write_bytes(weights)
    return list_folds(folder, FOLDS)


@pytest.fixture
def bundles(data, tmp_path):
    """A bundle in 3D, and one in 2D whose folds are done in runs/kidney_2d/crossval."""
    planned = plan_folder("kidney", data)
    made = [
        write_bundle(tmp_path / "bundles" / each.name, each.task)
        for each in (planned, planned.cut_into_slices("kidney_2d"))
    ]
    write_folds(tmp_path / "runs" / "kidney_2d" / "crossval", made[1])
    return made


@pytest.fixture
def config(bundles):
    return read_workflow(bundles[0], "train")


def test_the_other_is_named_by_its_bundle_or_by_the_folder_of_its_folds(bundles, config, tmp_path):
    for named in (bundles[1], tmp_path / "runs" / "kidney_2d" / "crossval"):
        found = find_against(named, config)
        assert found.name == "kidney_2d"
        assert len(found.folds) == FOLDS
        assert found.ensemble.name == "ensemble"


def test_a_bundle_whose_folds_are_not_all_done_is_refused(bundles, config, tmp_path):
    folder = tmp_path / "runs" / "kidney_2d" / "crossval"
    (folder / "fold_3" / "out_of_fold" / "scored.json").unlink()
    with pytest.raises(ValueError, match=r"folds 3 are missing in .* crossval -b kidney_2d"):
        find_against(bundles[1], config)
    shutil.rmtree(folder)
    with pytest.raises(ValueError, match=r"is not cross-validated, .* run medseg crossval -b"):
        find_against(bundles[1], config)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("folds", 3, "folds: 5 against 3"),
        ("split_seed", 1, "split_seed: 0 against 1"),
        ("classes", {"other": [1]}, "classes: .* against .*other"),
        ("label_values", [0, 1, 2], "label_values: "),
        ("spacing_mm", [1, 1, 1], r"spacing_mm: None against \[1, 1, 1\]"),
    ],
)
def test_other_folds_classes_or_grids_are_refused_with_the_remedy(
    bundles, config, key, value, said
):
    with pytest.raises(ValueError, match=f"cannot be compared.*{said}.*give both the same"):
        find_against(bundles[1], {**config, key: value})


def test_a_bundle_is_not_compared_with_itself(bundles, tmp_path):
    config = read_workflow(bundles[1], "train")
    with pytest.raises(ValueError, match="kidney_2d cannot be compared with itself"):
        find_against(bundles[1], config)


@pytest.fixture
def scored(monkeypatch):
    """The commands by which the mean is scored."""
    commands = []

    def run(words, fold):
        commands.append(list(words))
        fold.scores.mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr("medseg.bundles.crossval.folds._run", run)
    return commands


def test_the_mean_of_a_fold_is_scored_once_and_again_for_other_weights(
    bundles, config, tmp_path, scored
):
    found = find_against(bundles[1], config)
    own = write_folds(tmp_path / "runs" / "kidney" / "crossval", bundles[0], weights=b"own")
    both = score_both(own[2], found)
    assert both.scores == own[2].folder / "with_kidney_2d"
    assert both.is_scored
    (words,) = scored
    assert words[:3] == ["evaluate", "-b", str(own[2].folder)]
    assert f"--companion={found.folds[2].folder}" in words
    assert "--largest_only=[]" in words  # raw, as those of each network
    score_both(own[2], found)
    assert len(scored) == 1
    (found.folds[2].folder / WEIGHTS).write_bytes(b"trained again")
    score_both(own[2], found)
    assert len(scored) == 2


def test_folds_of_other_cases_are_refused(bundles, config, tmp_path, scored):
    found = find_against(bundles[1], config)
    own = write_folds(tmp_path / "runs" / "kidney" / "crossval", bundles[0], cases="abd")
    with pytest.raises(ValueError, match="fold 0 of kidney_2d has other cases or labels"):
        score_both(own[0], found)
    assert not scored


def test_the_ensemble_of_the_other_becomes_part_of_the_bundle_and_replaces_an_earlier_one(
    bundles, config
):
    found = find_against(bundles[1], config)
    publish_companion(found, bundles[0])
    assert (bundles[0] / COMPANION / WEIGHTS).read_bytes() == b"weights"
    (found.ensemble / WEIGHTS).write_bytes(b"new")
    publish_companion(Against(found.name, found.folds, found.ensemble), bundles[0])
    assert (bundles[0] / COMPANION / WEIGHTS).read_bytes() == b"new"
    assert [path.name for path in (bundles[0] / "models").iterdir()] == ["companion"]


def test_the_simpler_network_has_the_smaller_weights(tmp_path):
    fold = list_folds(tmp_path, 1)[0]
    (fold.folder / "models").mkdir(parents=True)
    (fold.folder / WEIGHTS).write_bytes(b"12345")
    assert module.count_weights(fold) == 5
