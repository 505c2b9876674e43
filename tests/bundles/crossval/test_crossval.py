"""Tests of medseg.bundles.crossval.crossval: the results of all folds are put together."""

import csv
import json

import pytest
from bundles.crossval.test_against import write_folds
from planning.test_plan_folder import data as data  # a fixture

from medseg.base.text import make_file_name
from medseg.bundles.crossval import crossval as module
from medseg.bundles.crossval.crossval import crossval
from medseg.bundles.crossval.pool import write_table
from medseg.bundles.crossval.write_ensemble import WrittenEnsemble
from medseg.bundles.own.write_bundle import write_bundle
from medseg.planning.plan_folder import plan_folder


@pytest.fixture
def bundle(data, tmp_path):
    planned = plan_folder("kidney", data)
    planned.write_datalist()
    return write_bundle(tmp_path / "bundles" / "kidney", planned.task)


@pytest.fixture
def done(monkeypatch):
    """Folds that are scored at once: 4 cases each, of which the largest part alone is better."""
    seen = []

    def run_fold(bundle, fold, *, arguments):
        seen.append((fold.number, list(arguments)))
        cases = [f"c{fold.number}{n}" for n in range(4)]
        scored = [{"case": c, "class": "kidney", "dice": 0.8 + 0.01 * fold.number} for c in cases]
        scored[0]["dice"] -= 0.3 * (fold.number == 2)
        rules = [
            {"case": c, "class": "kidney", "keep": keep, "fill": fill, "dice": dice}
            for c in cases
            for keep, fill, dice in (("all", 0, 0.8), ("largest", 0, 0.85), ("all", 1, 0.8))
        ]
        write_table(fold.scores / "metrics.csv", scored)
        write_table(fold.scores / "part_rules.csv", rules)
        (fold.scores / "scored.json").write_text("[]")

    def write_ensemble(folder, folds, *, scores, keys):
        seen.append((len(folds), scores, keys))
        return WrittenEnsemble(folder, len(folds), 2_000_000, 0.5, 0.1)

    monkeypatch.setattr(module, "run_fold", run_fold)
    monkeypatch.setattr(module, "write_ensemble", write_ensemble)
    return seen


def test_the_scores_of_all_folds_are_one_table_and_the_rules_are_kept(bundle, done):
    found = crossval(bundle, arguments=["--learning_rate=0.01"])
    assert done[:5] == [(number, ["--learning_rate=0.01"]) for number in range(5)]
    assert done[5:] == [(5, {"out_of_fold_mean_dice": 0.805}, found.keys)]
    assert found.folder.as_posix() == "runs/kidney/crossval"
    assert found.summary["kidney"]["dice"]["n"] == 20
    with (found.folder / "metrics.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 20
    assert found.suspects[0].case == "c20"
    assert "c20" in (found.folder / "suspects.html").read_text()
    assert found.keys == {"largest_only": ["kidney"], "fill_holes": [], "smallest_part": {}}
    assert found.is_kept
    task = json.loads((bundle / "task.json").read_text())
    assert task["largest_only"] == ["kidney"]
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    assert config["largest_only"] == ["kidney"]


def test_folds_may_be_done_one_by_one(bundle, done):
    assert crossval(bundle, only=[1, 4]).waiting == [0, 2, 3]
    assert not (bundle.parent.parent / "runs" / "kidney" / "crossval" / "metrics.csv").exists()
    assert crossval(bundle, only=[0, 2, 3]).summary["kidney"]["dice"]["n"] == 20


def test_fewer_folds_can_be_asked_for(bundle, done):
    assert crossval(bundle, arguments=["--folds", "2"]).summary["kidney"]["dice"]["n"] == 8


def test_a_fold_that_is_not_there_is_refused(bundle, done):
    with pytest.raises(ValueError, match="there is no fold 7: kidney has the folds 0 to 4"):
        crossval(bundle, only=[7])
    assert not done


@pytest.mark.parametrize("key", ["fold=1", "output_dir=x", "resume=True"])
def test_what_crossval_sets_itself_is_refused(bundle, done, key):
    with pytest.raises(ValueError, match="is set for each fold by crossval itself: leave it out"):
        crossval(bundle, arguments=[f"--{key}"])


def test_a_bundle_without_a_task_file_is_left_as_it_is(bundle, done):
    (bundle / "task.json").unlink()
    assert not crossval(bundle).is_kept


def test_readers_of_all_folds_that_have_some_are_one_table(bundle, done, monkeypatch):
    score = module.run_fold

    def run_fold(bundle, fold, *, arguments):
        score(bundle, fold, arguments=arguments)
        if fold.number < 2:
            pair = {"case": f"c{fold.number}", "class": "kidney", "reader_a": "model"}
            write_table(fold.scores / "readers.csv", [{**pair, "reader_b": "a", "dice": 0.5}])

    monkeypatch.setattr(module, "run_fold", run_fold)
    found = crossval(bundle)
    with (found.folder / "readers.csv").open(newline="") as file:
        rows = [(row["case"], row["fold"], row["dice"]) for row in csv.DictReader(file)]
    assert rows == [("c0", "0", "0.5"), ("c1", "1", "0.5")]


def test_a_bundle_that_cannot_be_given_the_ensemble_is_warned_of(bundle, done, caplog):
    found = crossval(bundle)  # the ensemble of this test has no files
    assert not found.is_published
    assert f"{bundle} was not given the ensemble: " in caplog.text


def test_the_page_has_the_picture_of_a_case_whatever_its_name_is(bundle, done, monkeypatch):
    score = module.run_fold

    def run_fold(bundle, fold, *, arguments):
        score(bundle, fold, arguments=arguments)
        name = f"case {fold.number}"
        row = {"case": name, "class": "kidney", "dice": 0.1}
        write_table(fold.scores / "metrics.csv", [row])
        picture = fold.scores / "pictures" / f"{make_file_name(name)}.png"
        picture.parent.mkdir()
        picture.write_bytes(b"a picture")

    monkeypatch.setattr(module, "run_fold", run_fold)
    found = crossval(bundle)
    assert (found.folder / "suspects.html").read_text().count("data:image/png") == 5


@pytest.fixture
def other(data, bundle, done, monkeypatch):
    """The cross-validation of a bundle in 2D, and how its Dice and that of the mean differ."""
    planned = plan_folder("kidney", data).cut_into_slices("kidney_2d")
    folder = bundle.parent.parent / "runs" / "kidney_2d" / "crossval"
    folds = write_folds(folder, write_bundle(bundle.parent / "kidney_2d", planned.task))
    score, changes = module.run_fold, {"kidney_2d": 0.0, "both": 0.0}

    def write(fold, change, rule):
        cases = [f"c{fold.number}{n}" for n in range(4)]
        scored = [{"case": c, "class": "kidney", "dice": 0.6 + change} for c in cases]
        rules = [
            {"case": c, "class": "kidney", "keep": keep, "fill": fill, "dice": dice}
            for c in cases
            for keep, fill, dice in (("all", 0, 0.6), (rule, 0, 0.9), ("all", 1, 0.6))
        ]
        write_table(fold.scores / "metrics.csv", scored)
        write_table(fold.scores / "part_rules.csv", rules)
        (fold.scores / "scored.json").write_text("[]")

    def run_fold(bundle, fold, *, arguments):
        score(bundle, fold, arguments=arguments)
        write(fold, 0.0, "largest")
        weights = fold.folder / "models" / "model.pt"
        weights.parent.mkdir(exist_ok=True)
        weights.write_bytes(b"more weights than those in 2D")
        for each in folds:
            write(each, changes["kidney_2d"], "0.1")

    def score_both(fold, against):
        done.append(("both", fold.number))
        write(module.name_both(fold, against), changes["both"], "3.0")

    monkeypatch.setattr(module, "run_fold", run_fold)
    monkeypatch.setattr(module, "score_both", score_both)
    monkeypatch.setattr(module, "publish_run", lambda run, bundle: None)
    return changes


def read_task(bundle):
    return json.loads((bundle / "task.json").read_text())


def test_where_both_gain_the_bundle_uses_both_and_cleans_as_suits_them(bundle, other):
    other.update(kidney_2d=-0.05, both=0.02)
    found = crossval(bundle, against=bundle.parent / "kidney_2d")
    assert found.comparison.chosen == "both"
    task = read_task(bundle)
    assert task["companion"] == "$@bundle_root + '/models/companion'"
    assert task["companion_share"] == 0.5
    assert task["smallest_part"] == {"kidney": 3.0}
    assert (bundle / "models" / "companion" / "models" / "model.pt").is_file()
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    assert config["companion"] == task["companion"]
    with (found.folder / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["network"], row["against"], row["cases"]) for row in rows] == [
        ("kidney", "kidney_2d", "20"),
        ("both", "kidney_2d", "20"),
        ("both", "kidney", "20"),
    ]
    with (found.folder / "comparison_cases.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 20
    summary = json.loads((found.folder / "summary.json").read_text())
    assert summary["comparison"]["chosen"] == "both"
    assert summary["classes"]["kidney"]["dice"]["n"] == 20


def test_of_equal_networks_the_one_with_fewer_weights_is_used(bundle, other):
    found = crossval(bundle, against=bundle.parent / "kidney_2d")
    assert found.comparison.chosen == "kidney_2d"
    assert read_task(bundle)["companion_share"] == 1
    assert read_task(bundle)["smallest_part"] == {"kidney": 0.1}


def test_where_its_own_networks_are_best_the_bundle_has_no_companion(bundle, other):
    other.update(both=0.02)
    crossval(bundle, against=bundle.parent / "kidney_2d")
    assert "companion" in read_task(bundle)
    other.update(kidney_2d=-0.05, both=-0.02)
    found = crossval(bundle, against=bundle.parent / "kidney_2d")
    assert found.comparison.chosen == "kidney"
    assert "companion" not in read_task(bundle)
    assert read_task(bundle)["largest_only"] == ["kidney"]


def test_a_comparison_waits_for_folds_whose_mean_is_not_scored(bundle, other, done):
    against = bundle.parent / "kidney_2d"
    assert crossval(bundle, only=[1], against=against).waiting == [0, 2, 3, 4]
    assert [entry for entry in done if entry[0] == "both"] == [("both", 1)]
    assert not (bundle.parent.parent / "runs/kidney/crossval/comparison.csv").exists()
    assert crossval(bundle, only=[0, 2, 3, 4], against=against).comparison is not None


def test_a_bundle_that_was_not_given_its_own_ensemble_gets_no_companion(bundle, other, monkeypatch):
    def refuse(run, bundle):
        raise ValueError("it has other settings")

    monkeypatch.setattr(module, "publish_run", refuse)
    found = crossval(bundle, against=bundle.parent / "kidney_2d")
    assert not found.is_kept
    assert found.keys["companion"] == "runs/kidney_2d/crossval/ensemble"
    assert "companion" not in read_task(bundle)


def test_without_a_task_file_the_keys_are_named_with_the_folder_of_the_other(bundle, other):
    other.update(kidney_2d=-0.05, both=0.02)
    (bundle / "task.json").unlink()
    found = crossval(bundle, against=bundle.parent / "kidney_2d")
    assert not found.is_kept
    assert found.keys["companion"] == "runs/kidney_2d/crossval/ensemble"
    assert not (bundle / "models" / "companion").exists()
