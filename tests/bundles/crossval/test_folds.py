"""Tests of medseg.bundles.crossval.folds: what is done is not done again."""

import subprocess
from pathlib import Path

import pytest

from medseg.bundles.crossval import folds as module
from medseg.bundles.crossval.folds import FoldFailedError, list_folds, run_fold


@pytest.fixture
def ran(monkeypatch):
    """The commands that were run, and what they end with."""
    commands, codes = [], {}

    def run(command, *, check):
        assert check is False
        words = command[3:]
        commands.append(words)
        return subprocess.CompletedProcess(command, codes.get(words[0], 0))

    monkeypatch.setattr(module.subprocess, "run", run)
    return commands, codes


def test_a_fold_is_trained_and_scored_once(tmp_path, ran):
    commands, _ = ran
    fold = list_folds(tmp_path, 5)[3]
    run_fold(Path("bundle"), fold, arguments=["--max_epochs=2"])
    train, evaluate = commands
    assert train[:4] == ["train", "-b", "bundle", "--fold=3"]
    assert train[-3:] == ["--resume=False", "--publish=False", "--max_epochs=2"]
    assert evaluate[:3] == ["evaluate", "-b", str(fold.folder)]
    assert "--keep_predictions=True" in evaluate
    assert "--largest_only=[]" in evaluate
    assert fold.is_scored
    run_fold(Path("bundle"), fold, arguments=["--max_epochs=2"])
    assert len(commands) == 2


def test_an_interrupted_training_goes_on(tmp_path, ran):
    commands, codes = ran
    fold = list_folds(tmp_path, 2)[0]
    codes["train"] = 1
    with pytest.raises(FoldFailedError, match="fold 0: train failed, see above"):
        run_fold(Path("bundle"), fold)
    fold.folder.mkdir(exist_ok=True)
    (fold.folder / "resume.pt").write_bytes(b"")
    codes.clear()
    run_fold(Path("bundle"), fold)
    assert "--resume=True" in commands[1]


@pytest.mark.parametrize(
    ("status", "said"),
    [(-9, "most often because memory ran out: pass a smaller --batch_size"), (-15, "by signal 15")],
)
def test_a_process_that_the_system_ended_is_told_as_that(status, said, tmp_path, ran):
    _, codes = ran
    codes["train"] = status
    with pytest.raises(FoldFailedError, match=f"fold 0: train was ended .*{said}"):
        run_fold(Path("bundle"), list_folds(tmp_path, 2)[0])


def test_a_training_is_not_repeated_where_the_scoring_failed(tmp_path, ran):
    commands, codes = ran
    fold = list_folds(tmp_path, 2)[0]
    codes["evaluate"] = 2
    with pytest.raises(FoldFailedError, match="fold 0: evaluate failed"):
        run_fold(Path("bundle"), fold)
    assert not fold.is_scored
    codes.clear()
    run_fold(Path("bundle"), fold)
    assert [words[0] for words in commands] == ["train", "evaluate", "evaluate"]


def test_a_fold_that_was_trained_otherwise_is_refused(tmp_path, ran):
    fold = list_folds(tmp_path, 2)[0]
    run_fold(Path("bundle"), fold, arguments=["--max_epochs=2"])
    with pytest.raises(ValueError, match="was trained with --max_epochs=2: pass the same"):
        run_fold(Path("bundle"), fold)
