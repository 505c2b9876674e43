"""Changeable settings: what a resumed run may change, as it does not affect what is learnt.

They are: how long a run takes, the machine, the places of its files, and what is shown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from medseg.base.path_keys import NESTED_PATH_KEYS

MAY_CHANGE = (
    *("max_epochs", "hours", "patience", "val_interval", "resume", "publish"),
    *("num_workers", "device", "backend", "mixed_precision", "checkpointing"),
    *("output_dir", "resume_file", "weights", "cache", "cache_dir", "bundle_root"),
    *("dataset_dir", "encoder_weights", "start_from", "overlay_cases"),
)
"""Choices that a resumed run may change: how long, on which machine and where. `dataset_dir` is one
of them because the cases themselves are compared, and `encoder_weights` and `start_from` because a
run reads them only at its start."""

LAUNCH = (
    *("imports", "initialize", "finalize", "training", "run", "network", "is_not_rank0"),
    *("record", "choices"),
)
"""Keys of a config that say how a run is started, differently for one process and for several."""

HANDLERS = ("train#handlers", "validate#handlers")
"""Lists of handlers, to which several processes, tracking and users add."""

HANDLERS_WITHOUT_EFFECT = (
    *("Progress", "Overlays", "LogChoices", "MeanLoss", "FiniteLoss"),
    *("RecordTraining", "GarbageCollector"),
    *("StatsHandler", "TensorBoardStatsHandler", "TensorBoardImageHandler"),
    *("MLFlowHandler", "ClearMLStatsHandler", "ClearMLImageHandler"),
    *("MetricLogger", "MetricsSaver", "CheckpointSaver", "ProbMapProducer"),
)
"""Handlers that do not affect what is learnt: they show, log, save, or end a broken run."""

ABSENT = "absent"

_MACHINE = (
    *("num_workers", "device", "checkpointing", "pin_memory", "prefetch_factor"),
    *("sw_batch_size", "sw_device"),
)
"""Settings inside a component that change how fast it works and how much memory it takes."""

_HOW_LONG = (
    *("train#trainer#max_epochs", "best_weights#patience"),
    *("time_budget#hours", "time_budget#val_interval"),
    *("train#handlers#ValidationHandler#interval", "train#handlers#Resume#resume"),
)

_OF_SEVERAL = "validate#dataloader#sampler"
"""Distributes the validation cases over the processes of a run; absent in a single process."""


def list_changeable_choices(choices: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of `MAY_CHANGE` that a run with these choices may change.

    A schedule that lowers the learning rate ends with the run, so there the length of the run
    affects what is learnt.

    Example:
        >>> "max_epochs" in list_changeable_choices({"lr_schedule": "cosine"})
        False
    """
    falls = choices.get("lr_schedule", "constant") != "constant"
    return tuple(key for key in MAY_CHANGE if not (falls and key in ("max_epochs", "hours")))


def is_launch(key: str) -> bool:
    """Whether a key of a config only says how a run is started, or where its file came from."""
    return key in LAUNCH or key.startswith("_")


def may_change(place: str, before: Any, after: Any) -> bool:
    """Whether a setting inside a component may have another value after resuming.

    Args:
        place: as one would override it, such as `optimizer#lr`.
        before: its value or text, or `ABSENT`.
        after: likewise.

    Example:
        >>> may_change("train#dataloader#num_workers", 2, 8), may_change("optimizer#lr", 0.1, 0.2)
        (True, False)
    """
    if place.split("#")[-1] in (*_MACHINE, *NESTED_PATH_KEYS) or place in _HOW_LONG:
        return True
    if place.startswith(_OF_SEVERAL) and ABSENT in (before, after):
        return True
    return _is_free(before) or _is_free(after)


def walk_handlers(listed: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The handlers of a list that change what is learnt, by the names of their classes.

    Their places in the list are not used, as a handler that is added shifts them. The second
    handler of a class has a number after its name. A handler that is disabled is left out.

    Example:
        >>> list(walk_handlers([{"_target_": "StatsHandler"}, {"_target_": "a.LrScheduleHandler"}]))
        [('LrScheduleHandler', {'_target_': 'a.LrScheduleHandler'})]
    """
    seen: Counter[str] = Counter()
    for handler in listed:
        name = _find_name(handler)
        if name in HANDLERS_WITHOUT_EFFECT or (
            isinstance(handler, Mapping) and handler.get("_disabled_") is True
        ):
            continue
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} {seen[name]}", handler


def _find_name(handler: Any) -> str:
    """The class of a handler, or the id of one that stands elsewhere in the config."""
    if not isinstance(handler, Mapping):
        return str(handler).rpartition(".")[2]
    target = str(handler.get("_target_")).rpartition(".")[2]
    return str(handler.get("handler")) if target == "use_handler" else target


def _is_free(text: Any) -> bool:
    """Whether a text of a config refers to a choice that a resumed run may change."""
    return isinstance(text, str) and text.startswith("@") and text[1:] in MAY_CHANGE
