"""Check: hold the choices of a config against their rules, and against each other."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from medseg.base.choices.rules import NETWORK_PARTS, RULES
from medseg.base.class_values import check_classes, check_values

EXPRESSION_MARKS = ("$", "@", "%")
"""How a config value begins that MONAI works out: an expression, a reference or a macro."""


def check_choices(choices: Mapping[str, Any]) -> None:
    """Refuse values that a training or an inference could not be run with, all of them at once.

    Args:
        choices: key of a config -> value. Keys without a rule pass, and so do expressions, which
            the config is asked about again when it has worked them out.

    Raises:
        ValueError: a value that is not what `RULES` say, or values that contradict each other.

    Example:
        >>> check_choices({"max_epochs": 0, "fold": 1})
        Traceback (most recent call last):
        ValueError: max_epochs is 0: it must be a whole number of at least 1
    """
    plain = {key: value for key, value in choices.items() if not _is_expression(value)}
    faults = [
        f"{key} is {plain[key]!r}: it must be {rule.describe(plain[key])}"
        + _suggest_list(key, plain)
        for key, rule in RULES.items()
        if key in plain and not rule.holds(plain[key])
    ]
    if found := faults or list(_describe_contradictions(plain)):
        raise ValueError("; ".join(found))


def _suggest_list(key: str, plain: Mapping[str, Any]) -> str:
    """How to write one number for every axis, where a number was given for a list of them."""
    value, axes = plain[key], 3 if key == "spacing_mm" else plain.get("spatial_dims")
    if not RULES[key].per_axis or axes not in (2, 3) or not RULES[key].holds([value]):
        return ""
    return f": pass --{key} {','.join([str(value)] * axes)}"


def _is_expression(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_expression, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(map(_is_expression, value))
    return isinstance(value, str) and value.startswith(EXPRESSION_MARKS)


def _describe_contradictions(plain: Mapping[str, Any]) -> Iterator[str]:
    """Values that are right each by itself and wrong together."""
    if "classes" in plain:
        yield from _find_class_faults(plain)
    if {"fold", "folds"} <= plain.keys() and plain["fold"] >= plain["folds"]:
        yield (
            f"fold is {plain['fold']} of {plain['folds']} folds: it must be 0 to "
            f"{plain['folds'] - 1}"
        )
    if plain.get("sr") is True and plain.get("seg", "binary") is None:
        yield (
            "a DICOM Structured Report refers to a DICOM Segmentation, and seg is null: set seg to "
            "binary, or sr to False"
        )
    yield from _describe_warmup_faults(plain.get("warmup_epochs", 0), plain)
    yield from _describe_freeze_faults(plain)
    for key in ("image_size", "spacing_mm"):
        axes = 3 if key == "spacing_mm" else plain.get("spatial_dims")
        if axes and key in plain and len(plain[key]) != axes:
            yield f"{key} is {plain[key]}: it must have a number for each of {axes} axes"


def _describe_warmup_faults(epochs: int, plain: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a warm-up beside the schedule and the length of the run."""
    if epochs and plain.get("lr_schedule") == "one_cycle":
        yield (
            f"warmup_epochs is {epochs} and lr_schedule one_cycle, which warms up by itself: pass "
            "--warmup_epochs 0, or another --lr_schedule"
        )
    if plain.get("max_epochs", math.inf) <= epochs and plain.get("hours") is None:
        yield (
            f"warmup_epochs {epochs} takes all of max_epochs {plain['max_epochs']}: pass "
            f"--warmup_epochs {plain['max_epochs'] - 1} or less"
        )


def _describe_freeze_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with frozen parts beside the number of epochs."""
    freeze, epochs = plain.get("freeze", ()), plain.get("freeze_epochs", 0)
    if epochs and not freeze:
        yield f"freeze_epochs is {epochs} and freeze names no part: pass --freeze \"['encoder']\""
    if freeze and not epochs and plain.get("thawed_rate", 1.0) == 1.0:
        yield "freeze names parts that learn from the first epoch on: pass --freeze_epochs 5"
    if len(set(freeze)) == len(NETWORK_PARTS) and epochs >= plain.get("max_epochs", math.inf):
        yield f"all parts are frozen in all of {epochs} epochs: freeze fewer, or for fewer epochs"


def _find_class_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the classes, by themselves and beside the values of the dataset."""
    try:
        check_classes(plain["classes"])
        check_values(plain["classes"], plain.get("ignore"), plain.get("label_values"))
    except (TypeError, ValueError) as error:
        yield str(error)
