"""Tests of medseg.engines.finite_loss: a run that diverges ends at once, with an error."""

import math

import pytest
import torch
from engines.tiny_run import TinyRun
from ignite.engine import Events

from medseg.engines import FiniteLoss


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
