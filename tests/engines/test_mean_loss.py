"""Tests of medseg.engines.distributed; `integration/test_multi_gpu` has two real processes."""

import copy

import pytest
import torch
from engines.tiny_run import TinyRun
from ignite.engine import Events

from medseg.engines import MeanLoss, distributed


def losses(run):
    """The losses of a run, as its handlers see them."""
    seen = []
    run.trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: seen.append(engine.state.output[0]["loss"])
    )
    run.run()
    return [float(loss) for loss in seen]


@pytest.fixture
def runs(tmp_path):
    """Two runs from the same weights; the second has the handler."""
    plain = TinyRun(tmp_path / "plain", max_epochs=1)
    averaged = TinyRun(tmp_path / "averaged", max_epochs=1, network=copy.deepcopy(plain.network))
    MeanLoss().attach(averaged.trainer)
    return plain, averaged


def test_one_process_sees_its_own_loss(runs):
    one, other = map(losses, runs)
    assert one == other


def test_two_processes_see_the_mean_of_their_losses(runs, monkeypatch):
    def plus_the_other_process(loss):
        return loss + 4

    monkeypatch.setattr(distributed.idist, "all_reduce", plus_the_other_process)
    monkeypatch.setattr(distributed.idist, "get_world_size", lambda: 2)
    plain, averaged = runs
    expected = [(loss + 4) / 2 for loss in losses(plain)]
    assert losses(averaged) == pytest.approx(expected, abs=1e-6)


def test_the_gradients_are_those_of_the_own_loss(runs, monkeypatch):
    monkeypatch.setattr(distributed.idist, "get_world_size", lambda: 1000)
    plain, averaged = (run.run() for run in runs)
    for one, other in zip(plain.network.parameters(), averaged.network.parameters(), strict=True):
        assert torch.equal(one, other)
