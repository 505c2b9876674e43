"""Schedulers: the learning-rate schedules that the handlers of an engine step."""

import functools
import logging
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine
from ignite.handlers.param_scheduler import BaseParamScheduler, ParamGroupScheduler
from monai.handlers import LrScheduleHandler
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset

DEEPEST = 8
"""How many objects may be nested around a schedule: a handler, a list, a function, ..."""

_LONGEST = 100  # entries of a list or dictionary that may hold a schedule
_CLOSED = (
    *(torch.nn.Module, torch.Tensor, Optimizer, DataLoader, Dataset, np.ndarray),
    *(ModuleType, type, logging.Logger, str, bytes, int, float, complex, type(None)),
)
"""Kinds of objects that hold no schedule, but many other objects."""


def find_schedulers(engine: Engine, *, apart_from: Iterable[Any] = ()) -> list[Any]:
    """The schedules that the handlers of an engine hold, however they are wrapped.

    A schedule is one of Ignite's `ParamScheduler` and `ParamGroupScheduler`, or whatever has the
    methods `step` and `get_last_lr`, as torch's have. It is looked for in MONAI's
    `LrScheduleHandler`, in filtered events, methods, `functools.partial`, closures and global
    variables of functions, the attributes of other handlers, and in engines that these run, such
    as the validation. Of nested schedules the outermost is given: its state includes theirs.

    Args:
        engine: whose handlers are all attached.
        apart_from: objects that are neither returned nor searched.

    Returns:
        The schedules, each once, in no order that matters.

    Example:
        >>> LrScheduleHandler(StepLR(optimizer, 2)).attach(trainer)
        >>> [type(found).__name__ for found in find_schedulers(trainer)]
        ['StepLR']
    """
    seen: dict[int, Any] = {id(known): known for known in apart_from}  # kept, so that ids stay
    found: list[Any] = []
    level: list[Any] = [engine]
    for _ in range(DEEPEST):
        new = {id(thing): thing for thing in level if id(thing) not in seen}
        seen |= new
        found += filter(_is_scheduler, new.values())
        level = [
            part
            for thing in new.values()
            if not _is_scheduler(thing)
            for part in _walk_parts(thing)
        ]
    return found


def _is_scheduler(thing: Any) -> bool:
    kind = type(thing)
    has_methods = hasattr(kind, "step") and hasattr(kind, "get_last_lr")
    return has_methods or isinstance(thing, (BaseParamScheduler, ParamGroupScheduler))


def _walk_parts(thing: Any) -> Iterator[Any]:
    """What an object holds that may be a schedule, or hold one."""
    if isinstance(thing, Engine):
        for handlers in thing._event_handlers.values():  # Ignite has no public list of them
            for handler, args, kwargs in handlers:
                yield from (handler, *args, *kwargs.values())
    elif isinstance(thing, FunctionType):
        yield from _walk_parts_of_function(thing)
    elif isinstance(thing, MethodType):
        yield from (thing.__self__, thing.__func__)
    elif isinstance(thing, functools.partial):
        yield from (thing.func, *thing.args, *thing.keywords.values())
    elif isinstance(thing, (Mapping, list, tuple, set)):
        values = thing.values() if isinstance(thing, Mapping) else thing
        yield from values if len(thing) <= _LONGEST else ()
    elif not isinstance(thing, _CLOSED):
        yield from getattr(thing, "__dict__", {}).values()
        yield vars(type(thing)).get("__call__")


def _walk_parts_of_function(function: FunctionType) -> Iterator[Any]:
    """The variables that a function closes over, and the schedules that it names."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a variable that has no value yet
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, LrScheduleHandler) or _is_scheduler(value):
            yield value
