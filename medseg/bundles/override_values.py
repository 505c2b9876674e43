"""Override values: text of a command line as a value, checked against the value it replaces.

A value of another kind than the one in the config is refused at once, and not later, where it is
used, by an error of another package. `medseg.base.choices` has the rules of all keys that a user
may choose; this is for all others, those inside a component included.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from fire.parser import DefaultParseValue

from medseg.base.choices import EXPRESSION_MARKS, RULES
from medseg.bundles.layers.references import CHOICES

DEEPEST = 20
"""How deep lists and dictionaries may be nested; a config has four levels."""

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_ODD_NUMBER = re.compile(
    r"(?<![^\s\[({,:=])[+-]?(0[xXoObB][\w]+|[0-9]+(_[0-9]+)+(\.[0-9_]*)?)(?![^\s\])},:])"
)


def parse_value(key: str, text: str) -> Any:
    """The value of an override: JSON, as in a config file, else a Python literal, else text.

    A number is written in plain decimal digits: 0x10 and 1_0 are text. Values that only commas
    separate are a list.

    Raises:
        ValueError: lists and dictionaries that are nested deeper than `DEEPEST`, a number of
            thousands of digits, or one in a list that is not in plain decimal digits.

    Example:
        >>> parse_value("window_hu", "[-100, 240]"), parse_value("image_size", "64,64")
        ([-100, 240], [64, 64])
    """
    if _measure_depth(text) > DEEPEST:
        raise ValueError(
            f"override --{key} is nested deeper than {DEEPEST} levels: write it with fewer brackets"
        )
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        pass
    except ValueError as error:  # of a number with thousands of digits
        raise ValueError(f"override --{key} cannot be read ({error}): shorten it") from error
    if odd := _ODD_NUMBER.search(_QUOTED.sub("", text)):
        if odd[0] == text.strip():
            return text  # a name, such as that of a run; where a number is meant it is refused
        raise ValueError(
            f"override --{key} holds {odd[0]}, which is not a plain decimal number: write one, or "
            f"put it in quotes if it is a name"
        )
    try:
        return _make_lists(DefaultParseValue(text))
    except (RecursionError, MemoryError) as error:  # of thousands of signs or terms
        raise ValueError(f"override --{key} is nested too deeply: write a plain value") from error


def _make_lists(value: Any) -> Any:
    """A value with lists for tuples, as JSON and thus a config has them."""
    if isinstance(value, dict):
        return {key: _make_lists(part) for key, part in value.items()}
    return [_make_lists(part) for part in value] if isinstance(value, list | tuple) else value


def convert_value(
    key: str, value: Any, config: Mapping[str, Any], *, called: str | None = None
) -> Any:
    """The value, if it is of the same kind as the one that it replaces; 1e3 becomes 1000.

    A key whose value refers to another key, such as `optimizer#lr`, has the rule of that one. The
    kind is unknown where the config has an expression or null; and an expression as new value is
    not checked.

    Args:
        key: levels joined by `#`.
        value: as `parse_value` gives it.
        config: of which the key is one.
        called: what an error calls the key; None for `override --KEY`.

    Raises:
        ValueError: a number is needed and a list, a name, nothing, or what is not finite was given;
            or likewise for True and False, lists, dictionaries and components; or the rule of the
            key that it refers to is broken.

    Example:
        >>> convert_value("train#x", 1.0, {"train": {"x": 0}})
        1
    """
    called = called or f"override --{key}"
    origin, default = _find_default(key, config)
    if isinstance(value, str) and value.startswith(EXPRESSION_MARKS):
        return value
    if isinstance(value, float) and isinstance(default, int) and value.is_integer():
        value = int(value)
    if origin != key and has_rule(origin, config):
        if not RULES[origin].holds(value):
            raise ValueError(
                f"{called} is {value!r}, which sets {origin}: it must be "
                f"{RULES[origin].describe(value)}"
            )
        return value
    if is_component(default):
        if not is_component(value):
            raise ValueError(
                f"{called} must be a component, got {value!r}: write a dictionary with its class "
                f"as _target_, such as {json.dumps({'_target_': default['_target_']})}"
            )
        return value
    if not (default is None or isinstance(default, str) or _has_kind_of(value, default)):
        raise ValueError(
            f"{called} must be {_KINDS[type(default)]}, got {value!r}: write it as in the "
            f"config, {json.dumps(default)}"
        )
    return value


def has_rule(key: str, config: Mapping[str, Any]) -> bool:
    """Whether `RULES` has a rule for a key of a config.

    A bundle of another origin may have a key of the same name with another meaning: there a rule
    counts only if the bundle's own value keeps it.
    """
    if key not in RULES:
        return False
    return CHOICES in config or (
        _find_default(key, config)[1] is not None and RULES[key].holds(config[key])
    )


_KINDS: dict[type, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a dictionary",
}


def is_component(value: Any) -> bool:
    """Whether a value of a config is a component: the class that makes it, with its arguments."""
    return isinstance(value, Mapping) and "_target_" in value


def _has_kind_of(value: Any, default: Any) -> bool:
    """Whether a value is of the kind of the default."""
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, int | float):
        kind = int if isinstance(default, int) else (int, float)
        return isinstance(value, kind) and math.isfinite(value)
    return isinstance(value, list | tuple if isinstance(default, list) else dict)


def _find_default(key: str, config: Mapping[str, Any]) -> tuple[str, Any]:
    """The key that a key refers to, or itself, and its value; None where it is worked out."""
    for _ in range(len(config) + 1):
        value: Any = config
        for part in key.split("#"):
            inside = isinstance(value, Mapping) and part in value
            if not inside and not (isinstance(value, list) and part.isdecimal()):
                return key, None
            value = value[part] if isinstance(value, Mapping) else value[int(part)]
        if not isinstance(value, str) or not value.startswith("@"):
            break
        key = value[1:].replace("::", "#")
    is_computed = isinstance(value, str) and value.startswith(EXPRESSION_MARKS)
    is_unknown = is_computed or type(value) not in (*_KINDS, str)
    return key, None if is_unknown else value


def _measure_depth(text: str) -> int:
    """How deep brackets are nested, without those in quotes."""
    deepest, depth, quote = 0, 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "[{(":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]})":
            depth -= 1
    return deepest
