"""Choices: what the keys of a config may be, a rule for each, checked before anything is computed.

Nothing heavy is imported, so that a command line is refused at once; the configs of all bundles ask
the same for what they are given otherwise. What is no number, size or switch, such as `topology` or
`norm`, is judged where it is used.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medseg.base.arguments import is_finite_number, is_integer
from medseg.base.class_values import check_classes, check_values

EXPRESSION_MARKS = ("$", "@", "%")
"""How a config value begins that MONAI works out: an expression, a reference or a macro."""

_LARGEST = 2**31 - 1  # of what counts or measures something
_MOST_CHANNELS = 2**16  # of a level; a convolution between two such levels has 154 GB of weights
LR_SCHEDULES = ("constant", "polynomial", "cosine", "one_cycle")
_WIDEST = 255  # voxels of a kernel or a stride, along one axis


@dataclass(frozen=True)
class Rule:
    """What a value has to be, in words that follow "it has to be", and whether it is.

    The largest value is named only where it was exceeded.
    """

    words: str
    holds: Callable[[Any], bool]
    most: float = math.inf

    def describe(self, value: Any) -> str:
        """What a value should have been."""
        if isinstance(value, str) and value.strip().lstrip("+-")[:1].isdigit():
            return f"{self.words}, in plain decimal digits"
        is_beyond = is_finite_number(value) and value > self.most
        return f"{self.words}, at most {self.most}" if is_beyond else self.words


def _is_whole(value: Any, least: int) -> bool:
    return is_integer(value) and value >= least


def _is_count(value: Any, least: int) -> bool:
    return _is_whole(value, least) and value <= _LARGEST


def _make_whole_rule(least: int, most: int = _LARGEST) -> Rule:
    return Rule(
        f"a whole number, {least} or more",
        lambda value: _is_whole(value, least) and value <= most,
        most,
    )


def _make_number_rule(words: str, holds: Callable[[float], bool]) -> Rule:
    return Rule(f"a number {words}", lambda value: is_finite_number(value) and holds(value))


def _is_list_of(value: Any, holds: Callable[[Any], bool], *, least: int = 1) -> bool:
    """Whether a value is a list of `least` entries or more, for each of which something holds."""
    return isinstance(value, (list, tuple)) and len(value) >= least and all(map(holds, value))


def _make_list_rule(words: str, holds: Callable[[Any], bool]) -> Rule:
    return Rule(f"a list of {words}", lambda value: _is_list_of(value, holds))


def _make_range_rule(words: str, holds: Callable[[float, float], bool]) -> Rule:
    return Rule(
        f"a list of two numbers, {words}",
        lambda value: _is_list_of(value, is_finite_number) and len(value) == 2 and holds(*value),
    )


def _allow_null(rule: Rule) -> Rule:
    return Rule(
        f"{rule.words}, or null", lambda value: value is None or rule.holds(value), rule.most
    )


def _allow_list(words: str, holds: Callable[[Any], bool], *, nested: bool = False) -> Rule:
    """One of something or a list of them; with `nested` an entry may be a list itself."""

    def is_entry(value: Any) -> bool:
        """Whether it is one of something or, where lists may be nested, a list of them."""
        return holds(value) or (nested and _is_list_of(value, holds))

    lists = "a list of such numbers, or of lists of them" if nested else "a list of such numbers"
    return Rule(
        f"{words}, or {lists}", lambda value: is_entry(value) or _is_list_of(value, is_entry)
    )


def _are_labels(value: Any) -> bool:
    """Whether it is a list of whole numbers, each once."""
    return _is_list_of(value, lambda v: _is_whole(v, -(2**31))) and len(set(value)) == len(value)


_PROBABILITY = _make_number_rule("from 0 to 1", lambda x: 0 <= x <= 1)
_BELOW_1 = _make_number_rule("from 0 to below 1", lambda x: 0 <= x < 1)
_POSITIVE = _make_number_rule("above 0", lambda x: x > 0)
_NOT_NEGATIVE = _make_number_rule("of 0 or more", lambda x: x >= 0)
_SWITCH = Rule("True or False", lambda value: isinstance(value, bool))
_SIZES = _make_list_rule(f"whole numbers, each from 1 to {_LARGEST}", lambda x: _is_count(x, 1))

_LABELS = _allow_list("a whole number", lambda x: _is_whole(x, -(2**31)))
_HALO = _allow_list("a whole number of 0 or more", lambda x: _is_count(x, 0))

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(
        ("max_epochs", "val_interval", "batch_size", "val_slice_step"), _make_whole_rule(1)
    ),
    **dict.fromkeys(("patches_per_volume", "patch_size"), _make_whole_rule(1)),
    **dict.fromkeys(("in_channels", "skip_channels"), _make_whole_rule(1, _MOST_CHANNELS)),
    "channels": _make_list_rule(
        f"whole numbers, each from 1 to {_MOST_CHANNELS}",
        lambda x: _is_whole(x, 1) and x <= _MOST_CHANNELS,
    ),
    **dict.fromkeys(
        ("kernel_size", "strides"),
        _allow_list(
            f"a whole number from 1 to {_WIDEST}",
            lambda x: _is_whole(x, 1) and x <= _WIDEST,
            nested=True,
        ),
    ),
    **dict.fromkeys(("windows_per_batch", "smallest_object"), _make_whole_rule(1)),
    **dict.fromkeys(("patience", "level"), _allow_null(_make_whole_rule(1))),
    **dict.fromkeys(("fold", "num_workers"), _make_whole_rule(0)),
    "folds": _make_whole_rule(2),
    "seed": Rule("a whole number from 0 to 4294967295", lambda x: _is_whole(x, 0) and x < 2**32),
    "spatial_dims": Rule("2 or 3", lambda x: _is_whole(x, 2) and x <= 3),
    "learning_rate": _make_number_rule("above 0, at most 1000", lambda x: 0 < x <= 1000),
    "lr_schedule": Rule(
        f"{', '.join(LR_SCHEDULES[:-1])} or {LR_SCHEDULES[-1]}",
        lambda value: isinstance(value, str) and value in LR_SCHEDULES,
    ),
    "warmup_epochs": _make_whole_rule(0),
    **dict.fromkeys(("border_sigma", "elastic_sigma_px"), _POSITIVE),
    "surface_tolerance": _NOT_NEGATIVE,
    **dict.fromkeys(("flip_prob", "flip_prob_axis0", "affine_prob", "elastic_prob"), _PROBABILITY),
    "intensity_prob": _PROBABILITY,
    **dict.fromkeys(("dropout", "bottom_dropout", "overlap", "scale_range"), _BELOW_1),
    **dict.fromkeys(("rotate_rad", "brightness_shift", "border_w0"), _NOT_NEGATIVE),
    "noise_std": _make_number_rule(
        "from 0 to 100", lambda x: 0 <= x <= 100
    ),  # of intensities of 0 to 1
    **dict.fromkeys(("intensity_shift", "intensity_scale", "background_slices"), _NOT_NEGATIVE),
    "window_hu": _make_range_rule("the low end before the high end", lambda low, high: low < high),
    "contrast_gamma": _make_range_rule(
        "the lower first, above 0", lambda low, high: 0 < low <= high
    ),
    "elastic_magnitude": _make_range_rule(
        "the lower first, 0 or more", lambda low, high: 0 <= low <= high
    ),
    "intensity_percentiles": _make_range_rule(
        "the lower first, from 0 to 100", lambda low, high: 0 <= low < high <= 100
    ),
    "preview_window": _allow_null(
        _make_range_rule("the low end before the high end", lambda low, high: low < high)
    ),
    "preview_percentiles": _allow_null(
        _make_range_rule("the lower first, from 0 to 100", lambda low, high: 0 <= low < high <= 100)
    ),
    "iou_thresholds": Rule(
        "a list of numbers, each from 0.5 to below 1",
        lambda value: _is_list_of(value, lambda x: is_finite_number(x) and 0.5 <= x < 1, least=0),
    ),
    "score_objects": Rule(
        "True, False or the key of a case's numbered objects, such as instances",
        lambda value: isinstance(value, bool) or (isinstance(value, str) and value != ""),
    ),
    **dict.fromkeys(("image_size", "elastic_spacing", "elastic_grid"), _SIZES),
    "roi_size": _allow_list(f"a whole number from 1 to {_LARGEST}", lambda x: _is_count(x, 1)),
    "tile_halo": Rule(
        "auto, a whole number of 0 or more, or a list of such numbers",
        lambda value: value == "auto" or _HALO.holds(value),
    ),
    "ignore": Rule(
        "a whole number, a list of such numbers, or null",
        lambda value: value in (None, [], ()) or _LABELS.holds(value),
    ),
    "cache": Rule("memory, disk or none", lambda value: value in ("memory", "disk", "none")),
    "spacing_mm": _make_list_rule("numbers above 0", _POSITIVE.holds),
    "label_values": Rule("a list of whole numbers, each once", _are_labels),
    **dict.fromkeys(("resume", "deep_supervision", "mixed_precision", "class_guide"), _SWITCH),
    **dict.fromkeys(("checkpointing", "pad_input", "colour", "whole_images"), _SWITCH),
    **dict.fromkeys(("score_lesions", "save_probabilities", "resample", "force"), _SWITCH),
    "other_settings": _SWITCH,
}
"""Key of a config -> what its value has to be, whatever the bundle."""


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
        ValueError: max_epochs is 0: it has to be a whole number, 1 or more
    """
    plain = {key: value for key, value in choices.items() if not _is_expression(value)}
    faults = [
        f"{key} is {plain[key]!r}: it has to be {rule.describe(plain[key])}"
        for key, rule in RULES.items()
        if key in plain and not rule.holds(plain[key])
    ]
    if found := faults or list(_find_contradictions(plain)):
        raise ValueError("; ".join(found))


def _is_expression(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_expression, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(map(_is_expression, value))
    return isinstance(value, str) and value.startswith(EXPRESSION_MARKS)


def _find_contradictions(plain: Mapping[str, Any]) -> Iterator[str]:
    """Values that are right each by itself and wrong together."""
    if "classes" in plain:
        yield from _find_class_faults(plain)
    if {"fold", "folds"} <= plain.keys() and plain["fold"] >= plain["folds"]:
        yield (
            f"fold is {plain['fold']} of {plain['folds']} folds: it has to be 0 to "
            f"{plain['folds'] - 1}"
        )
    if {"val_interval", "max_epochs"} <= plain.keys():
        epochs, interval = plain["max_epochs"], plain["val_interval"]
        if interval > epochs:
            yield (
                f"val_interval {interval} is beyond max_epochs {epochs}, so that no weights would "
                f"be kept: pass --val_interval {epochs} or less"
            )
    yield from _find_warmup_faults(plain.get("warmup_epochs", 0), plain)
    for key in ("image_size", "spacing_mm"):
        axes = 3 if key == "spacing_mm" else plain.get("spatial_dims")
        if axes and key in plain and len(plain[key]) != axes:
            yield f"{key} is {plain[key]}: it has to have a number for each of {axes} axes"


def _find_warmup_faults(epochs: int, plain: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a warm-up beside the schedule and the length of the run."""
    if epochs and plain.get("lr_schedule") == "one_cycle":
        yield (
            f"warmup_epochs is {epochs} and lr_schedule one_cycle, which warms up by itself: pass "
            "--warmup_epochs 0, or another --lr_schedule"
        )
    if plain.get("max_epochs", math.inf) <= epochs:
        yield (
            f"warmup_epochs {epochs} takes all of max_epochs {plain['max_epochs']}: pass "
            f"--warmup_epochs {plain['max_epochs'] - 1} or less"
        )


def _find_class_faults(plain: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the classes, by themselves and beside the values of the dataset."""
    try:
        check_classes(plain["classes"])
        check_values(plain["classes"], plain.get("ignore"), plain.get("label_values"))
    except (TypeError, ValueError) as error:
        yield str(error)
