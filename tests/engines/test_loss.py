"""Tests of medseg.engines.loss; `integration/test_multi_gpu` has two real processes."""

import copy
import math

import pytest
import torch
from engines.tiny_run import TinyRun
from ignite.engine import Events

from medseg.engines import FiniteLoss, MeanLoss, loss, summarise_step
from medseg.engines.loss import find_loss


def losses(run):
    """The losses of a run, as its handlers see them."""
    seen = []
    run.trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: seen.append(engine.state.output[0]["loss"])
    )
    run.run()
    return [float(each) for each in seen]


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
    def plus_the_other_process(own):
        return own + 4

    monkeypatch.setattr(loss.idist, "all_reduce", plus_the_other_process)
    monkeypatch.setattr(loss.idist, "get_world_size", lambda: 2)
    plain, averaged = runs
    expected = [(own + 4) / 2 for own in losses(plain)]
    assert losses(averaged) == pytest.approx(expected, abs=1e-6)


def test_the_gradients_are_those_of_the_own_loss(runs, monkeypatch):
    monkeypatch.setattr(loss.idist, "get_world_size", lambda: 1000)
    plain, averaged = (run.run() for run in runs)
    for one, other in zip(plain.network.parameters(), averaged.network.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_epochs_before(tmp_path, broken):
    run = TinyRun(tmp_path, max_epochs=4)
    FiniteLoss().attach(run.trainer)

    def break_weights(engine):
        with torch.no_grad():
            run.network[4].bias.fill_(broken)

    run.trainer.add_event_handler(Events.EPOCH_STARTED(once=3), break_weights)
    with pytest.raises(
        ValueError, match=r"in epoch 3 \(step 7\): training diverged, .*learning_ra"
    ):
        run.run()
    assert torch.load(tmp_path / "resume.pt", weights_only=True)["engine"]["epoch"] == 2
    weights = torch.load(run.weights, weights_only=True)
    assert all(torch.isfinite(value).all() for value in weights.values())


def test_a_finite_loss_passes(tmp_path):
    run = TinyRun(tmp_path, max_epochs=1)
    FiniteLoss().attach(run.trainer)
    assert run.run().trainer.state.epoch == 1


@pytest.mark.parametrize(
    ("output", "loss_there"),
    [
        ({"loss": torch.tensor(0.25)}, 0.25),
        ([{"loss": 0.25}, {"loss": 9}], 0.25),
        ([{"pred": 1}], None),
    ],
)
def test_the_loss_of_a_step_is_found_decollated_or_not(output, loss_there):
    assert find_loss(output) == loss_there


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([0.1], {"learning_rate": 0.1}),
        ([0.1, 0.2], {"learning_rate_0": 0.1, "learning_rate_1": 0.2}),
        ([torch.tensor(0.5)], {"learning_rate": 0.5}),
    ],
)
def test_tensorboard_shows_the_loss_and_the_rate_of_every_group(rates, expected):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    for output in ({"loss": torch.tensor(0.25)}, [{"loss": 0.25}, {"loss": 0.25}]):
        found = summarise_step(output, optimizer=torch.optim.SGD(groups))
        assert found == {"train_loss": 0.25, **expected}
