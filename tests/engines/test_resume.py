"""Tests of medseg.engines.resume: a resumed run is the run that was never interrupted."""

import random
import shutil

import numpy as np
import pytest
import torch
from engines.tiny_run import BATCH, CASES, TinyRun, tiny_network
from ignite.engine import Events
from monai.data import DataLoader
from monai.handlers import LrScheduleHandler
from torch.optim.lr_scheduler import StepLR

from medseg.base.interrupts import get_remedy
from medseg.engines import Resume, check_run


def scramble(seed):
    """What another process would have: other global random states."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def tensors(state):
    """All tensors and numbers of a nested state, in order."""
    if isinstance(state, dict):
        return [t for value in state.values() for t in tensors(value)]
    if isinstance(state, (list, tuple)):
        return [t for value in state for t in tensors(value)]
    return [torch.as_tensor(state)] if isinstance(state, (torch.Tensor, int, float)) else []


def assert_same_end(one, other):
    for name in ("network", "optimizer", "best"):
        got, expected = (tensors(run.resume.objects[name].state_dict()) for run in (one, other))
        assert len(got) == len(expected) > 0
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True)), name
    saved = [tensors(torch.load(run.weights, weights_only=True)) for run in (one, other)]
    assert all(torch.equal(a, b) for a, b in zip(*saved, strict=True))
    assert one.trainer.state.iteration == other.trainer.state.iteration


class Killed(BaseException):
    """Stands for the end of the process."""


def run_until_killed(folder, *, iteration, run=TinyRun, **kwargs):
    """A run that dies as an iteration starts."""
    run = run(folder, **kwargs)

    def die(engine):
        if engine.state.iteration == iteration:
            raise Killed

    run.trainer.add_event_handler(Events.ITERATION_STARTED, die)
    with pytest.raises(Killed):
        run.run()


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Six epochs without interruption, for each number of workers."""
    runs = {}
    for workers in (0, 1):
        scramble(1)
        folder = tmp_path_factory.mktemp("straight")
        torch.manual_seed(0)  # the weights that a run starts from are the config's affair
        runs[workers] = TinyRun(folder, num_workers=workers).run()
    return runs


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    "killed_in", [10, 11, 12], ids=["first batch", "middle of an epoch", "last batch"]
)
def test_a_run_killed_in_epoch_4_and_resumed_ends_bit_for_bit_alike(
    tmp_path, straight, workers, killed_in
):
    torch.manual_seed(0)
    run_until_killed(tmp_path, iteration=killed_in, num_workers=workers)
    scramble(99)
    resumed = TinyRun(tmp_path, resume=True, num_workers=workers).run()
    assert_same_end(resumed, straight[workers])


def test_a_run_killed_after_every_epoch_ends_bit_for_bit_alike(tmp_path, straight):
    torch.manual_seed(0)
    for epoch in range(1, 7):
        run = TinyRun(tmp_path, max_epochs=epoch, resume=epoch > 1).run()
        scramble(epoch)
    assert_same_end(run, straight[0])


def test_a_run_killed_in_its_first_epoch_is_begun_anew(tmp_path, straight):
    torch.manual_seed(0)
    run_until_killed(tmp_path, iteration=2)
    assert not (tmp_path / "resume.pt").exists()
    torch.manual_seed(0)
    assert_same_end(TinyRun(tmp_path).run(), straight[0])


def test_another_seed_gives_another_run(tmp_path, straight):
    torch.manual_seed(0)
    other = TinyRun(tmp_path, seed=1).run()
    assert not torch.equal(other.network[0].weight, straight[0].network[0].weight)


class Recording(DataLoader):
    """Says when its iterator is made."""

    def __iter__(self):
        self.events.append("iterator")
        return super().__iter__()


@pytest.mark.parametrize("first", [1, 3], ids=["new run", "resumed run"])
def test_every_epoch_is_seeded_before_its_iterator_is_made(tmp_path, first):
    if first > 1:
        TinyRun(tmp_path, max_epochs=first - 1).run()
    run = TinyRun(tmp_path, resume=first > 1)
    run.loader.__class__ = Recording
    run.loader.events = events = []
    run.trainer.add_event_handler(Events.EPOCH_STARTED, lambda _: events.append("seeded"))
    run.run()
    assert events == ["seeded", "iterator"] * (7 - first)


@pytest.mark.parametrize("workers", [0, 1])
def test_epochs_differ_in_order_and_in_augmentation(tmp_path, workers):
    run = TinyRun(tmp_path, max_epochs=2, num_workers=workers)
    seen = []
    run.trainer.add_event_handler(
        Events.GET_BATCH_COMPLETED, lambda engine: seen.append(engine.state.batch)
    )
    run.run()
    epochs = [
        {case: image for b in part for case, image in zip(b["case"], b["image"], strict=True)}
        for part in (seen[:3], seen[3:])
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == [f"c{n}" for n in range(CASES)]
    assert list(epochs[0]) != list(epochs[1])
    assert not any(torch.equal(epochs[0][case], epochs[1][case]) for case in epochs[0])


def test_resuming_a_complete_run_changes_nothing_and_says_so(tmp_path, caplog):
    done = TinyRun(tmp_path, max_epochs=2).run()
    before = (tmp_path / "resume.pt").read_bytes()
    again = TinyRun(tmp_path, max_epochs=2, resume=True).run()
    assert_same_end(again, done)
    assert (tmp_path / "resume.pt").read_bytes() == before
    assert "the run is complete (epoch 2 of 2): pass a larger --max_epochs" in caplog.text


def test_a_file_of_an_epoch_replaces_that_of_the_epoch_before_and_nothing_else_is_left(tmp_path):
    TinyRun(tmp_path, max_epochs=3).run()
    assert torch.load(tmp_path / "resume.pt", weights_only=True)["engine"] == {
        "epoch": 3,
        "iteration": 3 * CASES // BATCH,
    }
    assert sorted(p.name for p in tmp_path.iterdir()) == ["models", "resume.lock", "resume.pt"]


# ---- refusals


def test_a_new_run_over_an_old_one_is_refused(tmp_path):
    (tmp_path / "resume.pt").touch()
    with pytest.raises(FileExistsError, match="holds a run already: pass --resume True"):
        Resume(tmp_path / "resume.pt", {})


def test_a_text_that_looks_like_a_bool_is_refused(tmp_path):
    with pytest.raises(TypeError, match="resume must be True or False, got 'false'"):
        Resume(tmp_path / "resume.pt", {}, resume="false")


def test_resuming_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no run to resume at"):
        Resume(tmp_path / "resume.pt", {}, resume=True)


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_truncated_file_is_refused(tmp_path, keep):
    TinyRun(tmp_path, max_epochs=1).run()
    path = tmp_path / "resume.pt"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="is not a complete resume file"):
        TinyRun(tmp_path, resume=True).run()


def test_weights_are_no_resume_file(tmp_path):
    torch.save(tiny_network().state_dict(), tmp_path / "resume.pt")
    with pytest.raises(ValueError, match=r"is not a resume file: pass the resume\.pt"):
        TinyRun(tmp_path, resume=True).run()


def test_a_file_with_code_in_it_is_refused_and_not_run(tmp_path):
    torch.save({"engine": TinyRun}, tmp_path / "resume.pt")
    with pytest.raises(ValueError, match="is not a complete resume file"):
        TinyRun(tmp_path, resume=True).run()


def test_another_network_is_refused_and_the_first_misfit_is_named(tmp_path):
    TinyRun(tmp_path, max_epochs=1).run()
    wider = tiny_network()
    wider[0] = torch.nn.Conv2d(1, 5, 3, padding=1)
    wider[1], wider[4] = torch.nn.BatchNorm2d(5), torch.nn.Conv2d(5, 1, 1)
    with pytest.raises(ValueError, match=r"does not fit the network .*size mismatch for 0\.weight"):
        TinyRun(tmp_path, resume=True, network=wider).run()


def test_an_object_that_the_file_does_not_hold_is_refused(tmp_path):
    TinyRun(tmp_path, max_epochs=1).run()
    run = TinyRun(tmp_path, resume=True)
    run.resume.objects["scheduler"] = run.optimizer
    with pytest.raises(ValueError, match="does not fit the scheduler"):
        run.run()


def test_another_number_of_batches_is_refused(tmp_path):
    TinyRun(tmp_path, max_epochs=2).run()
    with pytest.raises(ValueError, match="has 3 batches an epoch, this one 4"):
        TinyRun(tmp_path, resume=True, count=CASES + BATCH).run()


def test_persistent_workers_are_refused(tmp_path):
    run = TinyRun(tmp_path, num_workers=1, persistent_workers=True)
    with pytest.raises(ValueError, match="pass persistent_workers False"):
        run.run()


def test_the_text_false_is_refused_and_not_taken_for_true(tmp_path):
    with pytest.raises(TypeError, match="resume must be True or False, got 'false'"):
        Resume(tmp_path / "resume.pt", {}, resume="false")


def test_an_object_without_a_state_is_refused_at_once(tmp_path):
    handler = LrScheduleHandler(TinyRun(tmp_path).optimizer)
    with pytest.raises(TypeError, match="schedule, a LrScheduleHandler, cannot be saved: pass an"):
        Resume(tmp_path / "resume.pt", {"schedule": handler})


@pytest.mark.parametrize("resume", [False, True])
def test_a_schedule_that_is_not_saved_is_refused_before_the_first_step(tmp_path, resume):
    if resume:
        TinyRun(tmp_path, max_epochs=1).run()
    run = TinyRun(tmp_path, resume=resume)
    LrScheduleHandler(StepLR(run.optimizer, 1)).attach(run.trainer)
    before = [parameter.clone() for parameter in run.network.parameters()]
    with pytest.raises(
        ValueError, match=r"holds the learning-rate schedule StepLR, .*: add it to the objects of"
    ):
        run.run()
    assert run.trainer.state.iteration == 0
    assert all(map(torch.equal, before, run.network.parameters()))


def test_a_run_is_saved_after_the_handlers_that_were_attached_later(tmp_path):
    run = TinyRun(tmp_path, max_epochs=2)
    seen = []

    @run.trainer.on(Events.EPOCH_COMPLETED)
    def change():
        seen.append((tmp_path / "resume.pt").exists())
        torch.nn.init.constant_(run.network[0].bias, 5)

    run.run()
    assert seen == [False, True]
    saved = torch.load(tmp_path / "resume.pt", weights_only=True)["network"]["0.bias"]
    assert saved.tolist() == [5] * 4


RECORD = {"choices": {"fold": 0}, "training": {"a": "1"}, "validation": {"b": "2"}}


def test_a_run_of_other_settings_is_refused_before_anything_is_trained(tmp_path):
    TinyRun(tmp_path, max_epochs=1, record=RECORD).run()
    before = (tmp_path / "resume.pt").read_bytes()
    other = {**RECORD, "choices": {"fold": 1}}
    with pytest.raises(ValueError, match=r"holds a run with other settings \(fold was 0, is 1\)"):
        check_run(tmp_path / "resume.pt", resume=True, record=other)
    run = TinyRun(tmp_path, resume=True, record=other)
    with pytest.raises(ValueError, match=r"holds a run with other settings \(fold was 0, is 1\)"):
        run.run()
    assert run.trainer.state.iteration == 0
    assert (tmp_path / "resume.pt").read_bytes() == before


def test_a_run_of_the_same_record_goes_on_and_keeps_it(tmp_path):
    TinyRun(tmp_path, max_epochs=1, record=RECORD).run()
    check_run(tmp_path / "resume.pt", resume=True, record=RECORD)
    TinyRun(tmp_path, max_epochs=2, resume=True, record=RECORD).run()
    assert torch.load(tmp_path / "resume.pt", weights_only=True)["record"] == RECORD


def test_a_file_without_a_record_is_refused(tmp_path):
    TinyRun(tmp_path, max_epochs=1).run()
    with pytest.raises(ValueError, match=r"resume\.pt does not say what its run is made of"):
        check_run(tmp_path / "resume.pt", resume=True, record=RECORD)


@pytest.mark.parametrize("taken", ["resume.pt", "models"])
def test_a_run_whose_files_were_taken_away_in_mid_run_goes_on_and_ends_with_an_error(
    tmp_path, taken
):
    run = TinyRun(tmp_path / "run", max_epochs=3)

    @run.trainer.on(Events.EPOCH_STARTED(once=3))
    def take_away():
        if taken == "models":
            shutil.rmtree(run.weights.parent)
        else:
            (tmp_path / "run").rename(tmp_path / "moved")

    with pytest.raises(FileNotFoundError, match="was removed, moved or replaced while this run"):
        run.run()
    assert run.trainer.state.epoch == 3
    assert (tmp_path / "run" / "resume.pt").exists()


@pytest.mark.parametrize("then", ["nothing", "a folder", "a link"])
@pytest.mark.parametrize("taken", ["run", "run/models"])
def test_a_folder_that_goes_before_anything_was_saved_in_it_ends_a_run_with_an_error(
    tmp_path, taken, then
):
    (tmp_path / "other").mkdir()
    run = TinyRun(tmp_path / "run", max_epochs=1)

    @run.trainer.on(Events.EPOCH_STARTED)
    def take_away():
        (tmp_path / taken).rename(tmp_path / "moved")
        if then == "a folder":
            (tmp_path / taken).mkdir()
        elif then == "a link":
            (tmp_path / taken).symlink_to(tmp_path / "other")

    with pytest.raises(FileNotFoundError, match="was removed, moved or replaced while this run"):
        run.run()
    assert (tmp_path / "run" / "resume.pt").exists()


def test_a_folder_that_was_removed_between_two_runs_is_no_loss(tmp_path):
    for _ in range(2):
        TinyRun(tmp_path / "run", max_epochs=1).run()
        shutil.rmtree(tmp_path / "run")


def test_only_while_it_goes_on_the_run_says_how_to_go_on_after_an_interrupt(tmp_path):
    run_until_killed(tmp_path, iteration=2)  # of 3 in an epoch
    assert get_remedy("other").startswith("no epoch is complete")
    run_until_killed(tmp_path, iteration=4)
    assert get_remedy("other").startswith("the complete epochs are kept; to go on, run it again")
    TinyRun(tmp_path, resume=True, max_epochs=2).run()
    assert get_remedy("other") == "other"
