"""Tests of medseg.engines.schedule.learning_rate: rates by hand, by torch, and of resumed runs."""

import math

import pytest
import torch
from engines.test_resume import assert_same_end, run_until_killed, scramble
from engines.tiny_run import BATCH, CASES, TinyRun
from ignite.engine import Engine, Events
from monai.handlers import LrScheduleHandler
from torch.optim import lr_scheduler

from medseg.base.choices import LR_SCHEDULES
from medseg.engines import LearningRate, compute_rate_factor

BATCHES = CASES // BATCH
FALLING = [name for name in LR_SCHEDULES if name != "constant"]
ROOT = math.sqrt(0.5)


def factors(schedule, steps, warmup_steps=0):
    return [
        compute_rate_factor(step, schedule=schedule, steps=steps, warmup_steps=warmup_steps)
        for step in range(steps)
    ]


# ---- the rates


@pytest.mark.parametrize(
    ("schedule", "steps", "expected"),
    [
        ("constant", 3, {0: 1, 1: 1, 2: 1}),
        ("polynomial", 10, {0: 1, 1: 0.9**0.9, 5: 0.5**0.9, 9: 0.1**0.9}),
        ("cosine", 4, {0: 1, 1: (1 + ROOT) / 2, 2: 0.5, 3: (1 - ROOT) / 2}),
        ("one_cycle", 10, {0: 0.04, 1: 0.52, 2: 1, 9: 4e-6}),
        ("one_cycle", 20, {0: 0.04, 5: 1, 12: (1 + 4e-6) / 2, 19: 4e-6}),
    ],
)
def test_the_factors_are_those_worked_out_by_hand(schedule, steps, expected):
    found = factors(schedule, steps)
    assert {step: found[step] for step in expected} == pytest.approx(expected, rel=1e-12)


def test_the_warm_up_rises_evenly_to_the_first_step_of_the_schedule():
    assert factors("constant", 6, 4) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    assert factors("polynomial", 6, 1) == [0.5, *factors("polynomial", 5)]


TORCH = {
    "polynomial": lambda opt, steps: lr_scheduler.PolynomialLR(opt, steps, power=0.9),
    "cosine": lambda opt, steps: lr_scheduler.CosineAnnealingLR(opt, steps),
    "one_cycle": lambda opt, steps: lr_scheduler.OneCycleLR(opt, 1.0, steps, cycle_momentum=False),
}


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 50, 1000])
@pytest.mark.parametrize("schedule", FALLING)
def test_the_factors_are_those_of_torch(schedule, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = TORCH[schedule](optimizer, steps)
    expected = []
    for step in range(steps):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < steps - 1:
            scheduler.step()
    assert factors(schedule, steps) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("warmup_steps", [0, 3])
@pytest.mark.parametrize("schedule", LR_SCHEDULES)
def test_no_step_has_a_rate_of_zero_or_above_the_base(schedule, warmup_steps):
    assert all(0 < factor <= 1 for factor in factors(schedule, 1000, warmup_steps))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schedule": "linear"}, "no schedule 'linear': choose one of constant, polynomial, cos"),
        ({"step": -1}, "step -1 is outside a run of 5 steps"),
        ({"step": 5}, "step 5 is outside a run of 5 steps"),
        ({"warmup_steps": 5}, "5 warm-up steps, but the training has 5 steps: pass 0 to 4"),
        ({"warmup_steps": -1}, "-1 warm-up steps, but the training has 5"),
    ],
)
def test_a_step_that_has_no_rate_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        compute_rate_factor(**{"step": 0, "schedule": "cosine", "steps": 5, **change})


# ---- in a run


def scheduled(folder, schedule, *, warmup_epochs=0, bases=(0.01, 0.002), **kwargs):
    """A run with a schedule and two groups of parameters; it keeps the rates of its steps."""
    run = TinyRun(folder, **kwargs)
    group = run.optimizer.param_groups[0]
    params, group["lr"] = group["params"], bases[0]
    group["params"] = params[:2]
    run.optimizer.add_param_group({"params": params[2:], "lr": bases[1]})
    run.learning_rate = LearningRate(run.optimizer, schedule=schedule, warmup_epochs=warmup_epochs)
    run.resume.objects["learning_rate"] = run.learning_rate
    run.learning_rate.attach(run.trainer)
    run.rates = []
    run.trainer.add_event_handler(
        Events.ITERATION_COMPLETED,
        lambda: run.rates.append([group["lr"] for group in run.optimizer.param_groups]),
    )
    return run


VARIANTS = [("constant", 2), ("polynomial", 0), ("polynomial", 2), ("cosine", 1), ("one_cycle", 0)]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Six epochs without interruption, by schedule and warm-up."""
    runs = {}
    for schedule, warmup in VARIANTS:
        scramble(1)
        torch.manual_seed(0)
        folder = tmp_path_factory.mktemp("straight")
        runs[schedule, warmup] = scheduled(folder, schedule, warmup_epochs=warmup).run()
    return runs


@pytest.mark.parametrize(("schedule", "warmup"), VARIANTS)
def test_every_step_has_the_rate_of_its_place_in_each_group(straight, schedule, warmup):
    expected = [
        [0.01 * factor, 0.002 * factor]
        for factor in factors(schedule, 6 * BATCHES, warmup * BATCHES)
    ]
    assert straight[schedule, warmup].rates == expected


@pytest.mark.parametrize("killed_in", [2, 5, 11, 18], ids="in step {}".format)
@pytest.mark.parametrize(("schedule", "warmup"), VARIANTS)
def test_a_run_killed_and_resumed_has_the_same_rates_and_weights_bit_for_bit(
    tmp_path, straight, schedule, warmup, killed_in
):
    torch.manual_seed(0)

    def prepared(folder, **kwargs):
        return scheduled(folder, schedule, warmup_epochs=warmup, **kwargs)

    run_until_killed(tmp_path, iteration=killed_in, run=prepared)
    scramble(99)
    saved = (tmp_path / "resume.pt").exists()
    if not saved:
        torch.manual_seed(0)
    resumed = prepared(tmp_path, resume=saved).run()
    assert_same_end(resumed, straight[schedule, warmup])
    whole_epochs = (killed_in - 1) // BATCHES
    assert resumed.rates == straight[schedule, warmup].rates[whole_epochs * BATCHES :]


def test_a_warm_up_before_a_constant_rate_goes_on_with_another_number_of_epochs(tmp_path, straight):
    torch.manual_seed(0)
    for epochs in (3, 4, 6):
        run = scheduled(
            tmp_path, "constant", warmup_epochs=2, max_epochs=epochs, resume=epochs > 3
        ).run()
    assert_same_end(run, straight["constant", 2])


@pytest.mark.parametrize("epochs", [3, 9])
@pytest.mark.parametrize("schedule", FALLING)
def test_a_schedule_that_falls_is_not_bent_to_another_number_of_epochs(tmp_path, schedule, epochs):
    with pytest.raises(RuntimeError, match="enough"):
        stop_after(2, scheduled(tmp_path, schedule, max_epochs=6)).run()
    before = (tmp_path / "resume.pt").read_bytes()
    resumed = scheduled(tmp_path, schedule, max_epochs=epochs, resume=True)
    with pytest.raises(
        ValueError, match=rf"18 steps .* not over {epochs * 3}: pass --max_epochs 6"
    ):
        resumed.run()
    assert resumed.rates == []
    assert (tmp_path / "resume.pt").read_bytes() == before


def stop_after(epoch, run):
    @run.trainer.on(Events.EPOCH_STARTED(once=epoch + 1))
    def stop():
        raise RuntimeError("enough")

    return run


def test_an_engine_that_is_run_for_more_epochs_in_the_same_process_is_refused_too(tmp_path):
    run = scheduled(tmp_path, "cosine", max_epochs=2).run()
    run.trainer.state.max_epochs = 4  # as a federated learner does
    with pytest.raises(ValueError, match=r"falls over the 6 steps .* --max_epochs 2"):
        run.run()


def test_a_constant_rate_is_left_to_a_schedule_of_ones_own(tmp_path):
    run = scheduled(tmp_path, "constant", max_epochs=2)
    own = lr_scheduler.StepLR(run.optimizer, 1)
    run.resume.objects["own"] = own
    LrScheduleHandler(own, print_lr=False).attach(run.trainer)
    run.run()
    assert run.rates[0] == [0.01, 0.002]
    assert run.rates[-1] == pytest.approx([0.001, 0.0002])


def test_two_schedules_at_once_are_refused_before_the_first_step(tmp_path):
    run = scheduled(tmp_path, "cosine")
    own = lr_scheduler.StepLR(run.optimizer, 1)
    run.resume.objects["own"] = own
    LrScheduleHandler(own, print_lr=False).attach(run.trainer)
    with pytest.raises(
        ValueError, match=r"lr_schedule cosine and StepLR: pass --lr_schedule const"
    ):
        run.run()
    assert run.rates == []


def test_a_run_trained_by_another_schedule_is_refused(tmp_path):
    scheduled(tmp_path, "cosine", max_epochs=1).run()
    for schedule, warmup, said in (
        ("polynomial", 0, "lr_schedule was cosine, is polynomial"),
        ("constant", 0, "lr_schedule was cosine, is constant"),
        ("cosine", 1, "warmup_epochs was 0, is 1"),
    ):
        run = scheduled(tmp_path, schedule, warmup_epochs=warmup, max_epochs=2, resume=True)
        with pytest.raises(ValueError, match=rf"does not fit the learning_rate .*{said}"):
            run.run()


def test_a_handler_that_is_not_saved_is_refused(tmp_path):
    run = scheduled(tmp_path, "cosine")
    del run.resume.objects["learning_rate"]
    with pytest.raises(ValueError, match="holds the learning-rate schedule LearningRate, which is"):
        run.run()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"schedule": "linear"}, "lr_schedule is 'linear': it must be constant, polynomial, co"),
        ({"schedule": None}, "lr_schedule is None"),
        ({"warmup_epochs": -1}, "warmup_epochs is -1: it must be a whole number of at least 0"),
        ({"warmup_epochs": 0.5}, "warmup_epochs is 0.5"),
        ({"schedule": "one_cycle", "warmup_epochs": 1}, "which warms up by itself"),
    ],
)
def test_arguments_are_judged_as_the_keys_are(arguments, said):
    with pytest.raises(ValueError, match=said):
        LearningRate(optimizer(), **arguments)


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def test_a_warm_up_that_takes_the_whole_run_is_refused_when_it_starts(tmp_path):
    run = scheduled(tmp_path, "constant", warmup_epochs=3, max_epochs=3)
    with pytest.raises(ValueError, match="warmup_epochs 3 takes all of max_epochs 3"):
        run.run()


def test_a_run_whose_length_is_unknown_is_refused():
    trainer = Engine(lambda engine, batch: None)
    LearningRate(optimizer(), schedule="cosine").attach(trainer)
    with pytest.raises(ValueError, match=r"5 epochs of None batches: pass --lr_schedule constant"):
        trainer.run(iter(range(3)), max_epochs=5)


def test_without_an_engine_there_is_no_step():
    with pytest.raises(TypeError, match="needs the engine"):
        LearningRate(optimizer(), schedule="cosine")(None)
