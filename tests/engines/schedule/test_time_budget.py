"""Tests of medseg.engines.schedule.time_budget: a run ends in time, and is validated at the end."""

import pytest
import torch
from ignite.engine import Engine, Events

from medseg.engines import LearningRate, TimeBudget
from medseg.engines.schedule import time_budget as module


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves when the test says so."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def make_run(clock, *, hours, step_s=10.0, validation_s=30.0, val_interval=2, **options):
    """A trainer of 10 batches an epoch, its validation, and what happened."""
    happened = []

    def step(engine, batch):
        clock[0] += step_s

    def validate(engine, batch):
        clock[0] += validation_s

    trainer, evaluator = Engine(step), Engine(validate)
    budget = TimeBudget(hours, evaluator=evaluator, val_interval=val_interval)
    budget.attach(trainer)
    if "spent" in options:
        budget.load_state_dict({"spent": options["spent"]})
    evaluator.add_event_handler(
        Events.COMPLETED, lambda: happened.append(("validated", trainer.state.epoch))
    )
    trainer.add_event_handler(
        Events.EPOCH_COMPLETED(every=val_interval), lambda: evaluator.run([0], max_epochs=1)
    )
    evaluator_run = evaluator.run
    evaluator.run = lambda *args, **keys: evaluator_run([0], max_epochs=1)
    return trainer, budget, happened


def test_a_run_ends_within_its_budget_with_its_last_weights_validated(clock):
    trainer, _, happened = make_run(clock, hours=0.5)
    trainer.run(range(10), max_epochs=3)
    assert 1700 < clock[0] - 1000 <= 1800 + 10
    assert happened[-1] == ("validated", trainer.state.epoch)
    assert len(happened) == len(set(happened))


def test_the_epochs_of_the_config_do_not_end_it_and_are_estimated(clock):
    trainer, _, _ = make_run(clock, hours=0.5)
    seen = []
    trainer.add_event_handler(
        Events.EPOCH_STARTED, lambda: seen.append((trainer.state.epoch, trainer.state.max_epochs))
    )
    trainer.run(range(10), max_epochs=3)
    assert trainer.state.epoch > 10
    assert seen[0] == (1, 3)
    assert all(13 <= of <= 20 for number, of in seen if number > 2)


def test_the_first_epoch_already_says_how_many_will_fit(clock):
    trainer, _, _ = make_run(clock, hours=0.5)
    said = []
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: said.append(trainer.state.max_epochs))
    trainer.run(range(10), max_epochs=300)  # an epoch takes 100 s of 1800 s
    assert 15 <= said[0] <= 18


def test_a_slow_machine_takes_fewer_steps_in_the_same_time(clock):
    slow, _, _ = make_run(clock, hours=0.5, step_s=50.0)
    slow.run(range(10), max_epochs=100)
    assert 1700 < clock[0] - 1000 <= 1800 + 50
    assert slow.state.epoch <= 4


def test_a_resumed_run_has_the_time_that_is_left(clock):
    trainer, budget, _ = make_run(clock, hours=0.5, spent=1500.0)
    trainer.run(range(10), max_epochs=3)
    assert clock[0] - 1000 <= 300 + 10
    assert budget.state_dict()["spent"] == pytest.approx(1800, abs=40)


def test_a_run_whose_time_is_up_takes_no_step(clock):
    trainer, _, _ = make_run(clock, hours=0.5, spent=1900.0)
    trainer.run(range(10), max_epochs=3)
    assert trainer.state.iteration == 0


def test_an_epoch_that_was_cut_short_counts_as_a_whole_one(clock):
    trainer, _, _ = make_run(clock, hours=0.5, step_s=70.0)
    trainer.run(range(10), max_epochs=3)
    assert trainer.state.iteration == 10 * trainer.state.epoch


def test_without_a_budget_nothing_changes(clock):
    trainer, budget, _ = make_run(clock, hours=None)
    trainer.run(range(10), max_epochs=3)
    assert (trainer.state.epoch, trainer.state.iteration) == (3, 30)
    assert budget.progress is None
    assert budget.state_dict() == {}


@pytest.mark.parametrize("step_s", [5.0, 40.0])
def test_the_schedule_rises_and_falls_over_the_time_on_any_machine(clock, step_s):
    trainer, budget, _ = make_run(clock, hours=0.5, step_s=step_s, validation_s=1.0)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    LearningRate(optimizer, schedule="one_cycle", budget=budget).attach(trainer)
    rates = []
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda: rates.append(optimizer.param_groups[0]["lr"])
    )
    trainer.run(range(10), max_epochs=3)
    top = rates.index(max(rates)) / len(rates)
    assert max(rates) > 0.95
    assert 0.2 < top < 0.4
    assert rates[0] < 0.05
    assert rates[-1] < 0.02


@pytest.mark.parametrize("hours", [0, -1, "two"])
def test_what_is_no_time_is_refused(hours):
    with pytest.raises(ValueError, match=r"^hours is "):
        TimeBudget(hours, evaluator=Engine(lambda engine, batch: None))


@pytest.mark.parametrize("hours", [1e-6, 0.006])
def test_a_time_too_short_for_an_epoch_is_told_and_still_leaves_validated_weights(
    clock, caplog, hours
):
    trainer, _, happened = make_run(clock, hours=hours)

    def read():
        clock[0] += 5.0

    trainer.add_event_handler(Events.EPOCH_STARTED, read)
    trainer.run(range(10), max_epochs=3)
    assert trainer.state.epoch == 1
    assert happened == [("validated", 1)]
    said = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert len(said) == 1
    assert said[0].startswith(f"--hours {hours:g} ends before the first epoch of 10 steps does")


def test_a_time_for_several_epochs_is_no_warning(clock, caplog):
    trainer, _, _ = make_run(clock, hours=0.5)
    trainer.run(range(10), max_epochs=3)
    assert not [r for r in caplog.records if r.levelname == "WARNING"]
