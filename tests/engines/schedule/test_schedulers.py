"""Tests of medseg.engines.schedule.schedulers: found in any handler, and saved exactly."""

import functools
from types import SimpleNamespace

import pytest
import torch
from engines.test_resume import assert_same_end, scramble
from engines.tiny_run import BATCH, CASES, TinyRun, tiny_evaluator, tiny_network
from ignite.engine import Engine, Events
from ignite.handlers import param_scheduler
from ignite.handlers.param_scheduler import (
    ConcatScheduler,
    CosineAnnealingScheduler,
    LinearCyclicalScheduler,
    ParamGroupScheduler,
)
from monai.handlers import LrScheduleHandler, StatsHandler, ValidationHandler
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

from medseg.engines import LearningRate
from medseg.engines.schedule.schedulers import find_schedulers

STEPS = 6 * CASES // BATCH
global_scheduler = None


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


class Own:
    """A handler with a schedule in an attribute."""

    def __init__(self, scheduler):
        self.parts = {"schedules": [scheduler]}

    def attach(self, engine):
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.step)

    def step(self, engine):
        self.parts["schedules"][0].step()


def by_closure(engine, scheduler):
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: scheduler.step())


def by_default(engine, scheduler):
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda _, held=scheduler: held.step())


def by_global(engine, scheduler):
    globals()["global_scheduler"] = scheduler
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: global_scheduler.step())


def by_filter(engine, scheduler):
    handler = LrScheduleHandler(scheduler, print_lr=False)
    engine.add_event_handler(Events.ITERATION_COMPLETED(every=2), handler)


def in_validation(engine, scheduler):
    evaluator = tiny_evaluator(tiny_network())
    LrScheduleHandler(scheduler, print_lr=False).attach(evaluator)
    ValidationHandler(1, evaluator).attach(engine)


def as_argument(engine, scheduler):
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda _, held: held.step(), scheduler)


def of_ignite(engine, scheduler):
    engine.add_event_handler(Events.ITERATION_STARTED, scheduler)


WAYS = {
    "MONAI's handler": lambda engine, s: LrScheduleHandler(s).attach(engine),
    "a bound method": lambda e, s: e.add_event_handler(Events.EPOCH_COMPLETED, Own(s).step),
    "a partial": lambda e, s: e.add_event_handler(
        Events.EPOCH_COMPLETED, functools.partial(lambda _, held: held.step(), held=s)
    ),
    "a closure": by_closure,
    "a default": by_default,
    "a global variable": by_global,
    "a filtered event": by_filter,
    "an argument": as_argument,
    "the validation": in_validation,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_schedule_of_torch_is_found_however_it_is_wrapped(way):
    engine, scheduler = Engine(lambda engine, batch: None), StepLR(optimizer(), 2)
    assert find_schedulers(engine) == []
    WAYS[way](engine, scheduler)
    assert find_schedulers(engine) == [scheduler]
    assert find_schedulers(engine, apart_from=[scheduler]) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda opt: param_scheduler.LRScheduler(StepLR(opt, 2)),
        lambda opt: CosineAnnealingScheduler(opt, "lr", 1, 0, 10),
        lambda opt: param_scheduler.create_lr_scheduler_with_warmup(StepLR(opt, 2), 0.1, 3),
        lambda opt: ParamGroupScheduler([CosineAnnealingScheduler(opt, "lr", 1, 0, 10)], ["a"]),
        lambda opt: LearningRate(opt, schedule="cosine"),
    ],
)
def test_a_schedule_of_ignite_is_found_and_what_lies_in_it_is_part_of_it(make):
    engine, scheduler = Engine(lambda engine, batch: None), make(optimizer())
    of_ignite(engine, scheduler)
    assert find_schedulers(engine) == [scheduler]


def test_a_schedule_that_is_no_subclass_is_known_by_its_methods():
    class Plain:
        def step(self):
            """Another rate."""

        def get_last_lr(self):
            """The rate."""

    engine, scheduler = Engine(lambda engine, batch: None), Plain()
    LrScheduleHandler(scheduler).attach(engine)
    assert find_schedulers(engine) == [scheduler]


def test_two_schedules_are_both_found_and_each_once():
    engine, one, two = Engine(lambda engine, batch: None), *map(StepLR, [optimizer()] * 2, [1, 2])
    for scheduler in (one, two, one):
        LrScheduleHandler(scheduler).attach(engine)
    assert {*map(id, find_schedulers(engine))} == {id(one), id(two)}
    assert len(find_schedulers(engine)) == 2


def test_a_run_without_a_schedule_has_none(tmp_path):
    run = TinyRun(tmp_path, max_epochs=1)
    StatsHandler().attach(run.trainer)
    run.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: run.optimizer.param_groups)
    assert find_schedulers(run.trainer) == []


def test_handlers_that_hold_themselves_end_the_search():
    engine, loop = Engine(lambda engine, batch: None), SimpleNamespace()
    loop.loop = [loop, engine]
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: loop)
    assert find_schedulers(engine) == []


def test_a_variable_that_has_no_value_yet_holds_none():
    engine = Engine(lambda engine, batch: None)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: later.step())
    assert find_schedulers(engine) == []
    later = StepLR(optimizer(), 1)
    assert find_schedulers(engine) == [later]


# ---- among the objects of Resume


def by_handler(scheduler, engine, **kwargs):
    LrScheduleHandler(scheduler, print_lr=False, **kwargs).attach(engine)


def on_plateau(scheduler, engine):
    by_handler(scheduler, engine, step_transform=lambda engine: engine.state.output[0]["loss"])


def each_step(scheduler, engine):
    by_handler(scheduler, engine, epoch_level=False)


def before_each_step(scheduler, engine):
    engine.add_event_handler(Events.ITERATION_STARTED, scheduler)


def warm_then_cosine(opt):
    warm = lr_scheduler.LinearLR(opt, 0.1, total_iters=4)
    cosine = lr_scheduler.CosineAnnealingLR(opt, STEPS - 4)
    return lr_scheduler.SequentialLR(opt, [warm, cosine], [4])


def up_then_down(opt):
    parts = [LinearCyclicalScheduler(opt, "lr", 0.001, 0.02, 8), cosine_of_ignite(opt)]
    return ConcatScheduler(parts, [4])


def cosine_of_ignite(opt):
    return CosineAnnealingScheduler(opt, "lr", 0.02, 0.001, STEPS)


SAVED = {
    "StepLR by epoch": (lambda opt: StepLR(opt, 2), by_handler),
    "MultiStepLR by epoch": (lambda opt: lr_scheduler.MultiStepLR(opt, [1, 4]), by_handler),
    "LambdaLR by step": (lambda opt: lr_scheduler.LambdaLR(opt, lambda n: 0.9**n), each_step),
    "OneCycleLR by step": (lambda opt: lr_scheduler.OneCycleLR(opt, 0.02, STEPS + 1), each_step),
    "SequentialLR by step": (warm_then_cosine, each_step),
    "plateau of the loss": (lambda opt: ReduceLROnPlateau(opt, patience=0), on_plateau),
    "LRScheduler of Ignite": (
        lambda opt: param_scheduler.LRScheduler(StepLR(opt, 4)),
        before_each_step,
    ),
    "ConcatScheduler": (up_then_down, before_each_step),
    "CosineAnnealingScheduler": (cosine_of_ignite, before_each_step),
    "ParamGroupScheduler": (
        lambda opt: ParamGroupScheduler([cosine_of_ignite(opt)], ["all"]),
        before_each_step,
    ),
    "warm-up of Ignite": (
        lambda opt: param_scheduler.create_lr_scheduler_with_warmup(StepLR(opt, 2), 0.001, 5),
        before_each_step,
    ),
}


@pytest.mark.parametrize("name", SAVED)
def test_a_schedule_that_is_saved_is_resumed_exactly(tmp_path, name):
    make, attach = SAVED[name]

    def run(folder, **kwargs):
        run = TinyRun(folder, **kwargs)
        run.resume.objects["scheduler"] = scheduler = make(run.optimizer)
        attach(scheduler, run.trainer)
        run.rates = []
        run.trainer.add_event_handler(
            Events.ITERATION_COMPLETED,
            lambda: run.rates.append(run.optimizer.param_groups[0]["lr"]),
        )
        return run.run()

    torch.manual_seed(0)
    straight = run(tmp_path / "straight")
    assert len(set(straight.rates)) > 1
    torch.manual_seed(0)
    parts = []
    for epochs in (1, 4, 6):
        scramble(epochs) if epochs > 1 else None
        parts.append(run(tmp_path / "parts", max_epochs=epochs, resume=epochs > 1))
    assert [rate for part in parts for rate in part.rates] == straight.rates
    assert_same_end(parts[-1], straight)
