"""Tests of medseg.engines.progress: a bar with the loss on standard error."""

import pytest
import torch
from engines.tiny_run import CASES, TinyRun
from ignite.engine import Engine, Events

from medseg.engines import Progress


def test_each_epoch_of_a_trainer_has_a_bar_with_the_loss(tmp_path, capsys):
    run = TinyRun(tmp_path, max_epochs=2)
    Progress().attach(run.trainer)
    last = []
    run.trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda engine: last.append(engine.state.output[0]["loss"])
    )
    run.run()
    shown = capsys.readouterr()
    assert "[1/2]" in shown.err
    assert "[2/2]" in shown.err
    assert len(last) == 2 * CASES // 2
    assert "loss=" in shown.err
    assert not shown.out


@pytest.mark.parametrize("output", [{"loss": torch.tensor(0.25)}, [{"loss": 0.25}, {"loss": 9}]])
def test_the_loss_of_the_last_batch_is_shown_decollated_or_not(output, capsys):
    engine = Engine(lambda *_: output)
    Progress().attach(engine)
    engine.run([0])
    assert "loss=0.25" in capsys.readouterr().err
