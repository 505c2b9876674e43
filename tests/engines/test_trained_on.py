"""Tests of medseg.engines.trained_on: what weights were trained on lies beside them, always."""

from dataclasses import replace

import pytest
import torch
from engines.tiny_run import TinyRun, cases
from monai.data import MetaTensor

from medseg.engines import RecordTraining
from medseg.plausibility import find_path_beside, read_ranges, read_trained_on


class KilledError(Exception):
    """Stands for a process that ends there and then."""


@pytest.fixture
def loaded():
    return []


def recorded(run, loaded, *, fold=0, choices=None):
    def load(case):
        loaded.append(case["case"])
        return {key: MetaTensor(case[key], affine=torch.eye(4)) for key in ("image", "label")}

    options = {"modality": "picture", "classes": {"a": [1]}, "about": {"fold": fold}}
    options["choices"] = choices
    RecordTraining(run.best, cases=cases(), load=load, **options).attach(run.trainer)
    return run


def test_ranges_of_the_training_cases_lie_beside_the_weights(tmp_path, loaded):
    run = recorded(TinyRun(tmp_path, max_epochs=3), loaded)
    run.trainer.run()
    found = read_ranges(run.weights)
    assert (found.cases, found.about, found.modality) == (6, {"fold": 0}, "picture")
    assert found.classes["a"]["share"] == [0.5, 0.5]  # the upper half
    assert loaded == [f"c{n}" for n in range(6)]  # once, however many epochs are the best


def test_the_weights_alone_say_what_they_were_trained_for(tmp_path, loaded):
    run = recorded(TinyRun(tmp_path, max_epochs=2), loaded, choices={"classes": {"a": [1]}})
    run.trainer.run()
    there = find_path_beside(run.weights)
    beside = read_trained_on(run.weights)
    there.unlink()
    alone = read_trained_on(run.weights)
    assert alone.settings == {"classes": {"a": [1]}}
    assert replace(alone, weights=[]) == replace(beside, weights=[])
    run.network.load_state_dict(torch.load(run.weights, weights_only=True))


def test_two_equal_trainings_leave_the_same_bytes(tmp_path, loaded):
    files = []
    for name in ("one", "other"):
        torch.manual_seed(0)
        run = recorded(TinyRun(tmp_path / name, max_epochs=2), loaded)
        run.trainer.run()
        files.append(run.weights.read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("epoch", [1, 2])
def test_weights_are_never_beside_the_ranges_of_others_whenever_a_run_is_killed(
    tmp_path, loaded, monkeypatch, epoch
):
    """The ranges are written, and the process is killed before the weights have their name."""
    run = recorded(TinyRun(tmp_path, max_epochs=3), loaded)
    saves = []

    def kill(path, *, partial):
        saves.append(partial)
        if len(saves) == epoch:
            raise KilledError

    run.best.add_before_save(kill)
    with pytest.raises(KilledError):
        run.trainer.run()
    assert find_path_beside(run.weights).exists()
    assert run.weights.exists() == (epoch > 1)
    if epoch > 1:
        assert read_ranges(run.weights) is not None


def test_a_resumed_run_writes_the_same_ranges(tmp_path, loaded):
    recorded(TinyRun(tmp_path, max_epochs=1), loaded).trainer.run()
    before = read_trained_on(tmp_path / "models" / "model.pt")
    run = recorded(TinyRun(tmp_path, max_epochs=6, resume=True), loaded)
    run.trainer.run()
    after = read_ranges(run.weights)
    assert run.best.epoch > 1
    assert (after.image, after.classes, after.cases) == (before.image, before.classes, before.cases)


def test_a_run_that_is_complete_measures_nothing(tmp_path, loaded):
    recorded(TinyRun(tmp_path, max_epochs=1), loaded).trainer.run()
    recorded(TinyRun(tmp_path, max_epochs=1, resume=True), loaded).trainer.run()
    assert len(loaded) == 6


def test_weights_that_are_set_aside_take_their_ranges_along(tmp_path, loaded):
    recorded(TinyRun(tmp_path, max_epochs=1), loaded).trainer.run()
    (tmp_path / "resume.pt").unlink()
    run = recorded(TinyRun(tmp_path, max_epochs=1, seed=1), loaded, fold=1)
    run.trainer.run()
    [kept] = (tmp_path / "replaced").glob("model-*.pt")
    assert read_ranges(kept).about == {"fold": 0}
    assert read_ranges(run.weights).about == {"fold": 1}


def test_ranges_of_other_weights_are_not_taken_along(tmp_path, loaded):
    first = recorded(TinyRun(tmp_path, max_epochs=1), loaded)
    first.trainer.run()
    torch.save({"weight": torch.ones(3)}, first.weights)  # by hand, in the place of the others
    (tmp_path / "resume.pt").unlink()
    recorded(TinyRun(tmp_path, max_epochs=1, seed=1), loaded, fold=1).trainer.run()
    [kept] = (tmp_path / "replaced").glob("model-*.pt")
    assert not find_path_beside(kept).exists()


def test_ranges_are_written_beside_weights_that_are_there_as_the_script_does(tmp_path, loaded):
    run = recorded(TinyRun(tmp_path), loaded)
    record = RecordTraining(run.best, cases=[], load=dict, modality="picture", classes={"a": [1]})
    run.weights.parent.mkdir(parents=True)
    run.weights.write_bytes(b"weights")
    with pytest.raises(ValueError, match="no training case was found"):
        record.write(run.weights)
    assert not find_path_beside(run.weights).exists()


def test_each_process_of_a_group_measures_its_part(loaded, monkeypatch):
    def load(case):
        loaded.append(case["case"])
        return {key: MetaTensor(case[key], affine=torch.eye(4)) for key in ("image", "label")}

    options = {"modality": "picture", "classes": {"a": [1]}}
    record = RecordTraining(None, cases=cases(), load=load, **options)
    alone, parts = record.measure(), []
    loaded.clear()
    idist = "medseg.engines.trained_on.idist."
    monkeypatch.setattr(idist + "get_world_size", lambda: 2)
    monkeypatch.setattr(idist + "all_gather", lambda text: parts.append(text) or parts)
    monkeypatch.setattr(idist + "get_rank", lambda: 0)
    assert record.measure().cases == 3
    monkeypatch.setattr(idist + "get_rank", lambda: 1)
    assert record.measure() == alone
    assert loaded == ["c0", "c2", "c4", "c1", "c3", "c5"]
