"""Config in use: what a bundle's config says after its overrides, seen from inside the config.

A record of a run needs every setting of every component, however a user changed it: by `medseg
train`, by `python -m monai.bundle run` with several files, or in Python. MONAI gives an expression
the objects that it refers to, but neither the text of the config nor its parser, and it has no hook
that could pass them on. It evaluates an expression in one method of its resolver, though, so the
resolver is found there, in the frames of the caller.
"""

import ast
import inspect
from collections.abc import Collection, Iterator, Mapping
from types import FrameType
from typing import Any

from monai.bundle.config_item import ConfigComponent, ConfigExpression
from monai.bundle.reference_resolver import ReferenceResolver

from medseg.engines.changeable_settings import LAUNCH, MAY_CHANGE


def read_config_in_use(*, keep: Collection[str] = (*MAY_CHANGE, *LAUNCH)) -> dict[str, Any]:
    """The config whose expression calls this, overrides applied, with plain values as values.

    Inside components, a reference to a plain value is that value, and so is an expression of plain
    values: `@learning_rate`, `$3e-4` and `$@learning_rate * 1` are all 0.0003. A reference to
    anything else, such as a network, stays text.

    Args:
        keep: keys of the config; a text that refers to one of them stays text. By default those
            that say how long a run takes, where, and on what machine.

    Returns:
        A copy of the config; nothing in it is instantiated.

    Raises:
        ValueError: no expression of a config calls this.

    Example:
        >>> from monai.bundle import ConfigParser
        >>> part = {"_target_": "builtins.dict", "rate": "@rate"}
        >>> parser = ConfigParser({"rate": 0.1, "part": part, "seen": "$read_config_in_use()"})
        >>> parser.globals["config_in_use"] = config_in_use
        >>> parser.get_parsed_content("seen")["part"]
        {'_target_': 'builtins.dict', 'rate': 0.1}
    """
    resolver = find_resolver()
    config = resolver.items[""].get_config()
    return _Values(resolver, keep).copy_below("", config, in_component=False)


def read_config_as_run() -> dict[str, Any]:
    """The config whose expression calls this, as one would write it, with the overrides.

    Macros, such as `%training`, are already replaced by what they stand for.

    Returns:
        A copy of the config, without its metadata; nothing in it is instantiated.

    Raises:
        ValueError: no expression of a config calls this.
    """
    config = find_resolver().items[""].get_config()
    return {key: copy_plain(value) for key, value in config.items() if key != "_meta_"}


def use_handler(handler: Any) -> Any:
    """The handler itself: for a list of handlers, one that stands elsewhere in the config.

    Other components refer to such a handler by its own id, wherever it is in the list. MONAI reads
    `_target_` of each entry of the list, so a plain reference there would not do.

    Example:
        >>> use_handler("a handler")
        'a handler'
    """
    return handler


def copy_plain(value: Any) -> Any:
    """A copy of the lists and dictionaries of a config; other objects stay as they are."""
    if isinstance(value, Mapping):
        return {key: copy_plain(part) for key, part in value.items()}
    return [copy_plain(part) for part in value] if isinstance(value, (list, tuple)) else value


def find_resolver() -> ReferenceResolver:
    """The innermost of MONAI's resolvers that evaluate an expression at this moment.

    Raises:
        ValueError: none is.
    """
    for frame in walk_callers():
        if frame.f_code is ReferenceResolver._resolve_one_item.__code__:
            return frame.f_locals["self"]
    raise ValueError("this was called outside a config: call it in an expression of one")


def walk_callers() -> Iterator[FrameType]:
    """The frames of what calls this, from the innermost outwards.

    They show what MONAI knows but does not pass to an expression of a config: the resolver, the
    folder of the bundle, the command line. Nothing else looks into the frames of a caller.
    """
    frame = inspect.currentframe()
    while frame is not None and frame.f_back is not None:
        frame = frame.f_back
        yield frame


class _Values:
    """Replaces texts that refer to plain values by these values."""

    def __init__(self, resolver: ReferenceResolver, keep: Collection[str]) -> None:
        self.resolver = resolver
        self.keep = keep

    def copy_below(self, place: str, node: Any, *, in_component: bool) -> Any:
        """A copy of what lies at a place of the config; texts inside components are replaced."""
        if isinstance(node, (dict, list)):
            inside = in_component or ConfigComponent.is_instantiable(node)
            parts = {
                key: self.copy_below(sub, part, in_component=inside)
                for key, sub, part in ReferenceResolver.iter_subconfigs(place, node)
            }
            return parts if isinstance(node, dict) else list(parts.values())
        return self._resolve(place, node) if in_component and isinstance(node, str) else node

    def _resolve(self, place: str, text: str) -> Any:
        found = _read_literal(text)
        if found is text and self._is_plain(text, seen=()):
            found = self.resolver.get_resolved_content(place)
        return found if _is_plain_value(found) else text

    def _is_plain(self, text: str, *, seen: tuple[str, ...]) -> bool:
        """Whether a text refers to something, and to nothing but plain values."""
        refs = ReferenceResolver.match_refs_pattern(text)
        return bool(refs) and all(self._leads_to_plain(ref, seen) for ref in refs)

    def _leads_to_plain(self, ref: str, seen: tuple[str, ...]) -> bool:
        if ref in self.keep or ref in seen or ref not in self.resolver.items:
            return False
        return self._holds_plain(self._read_raw_text(ref), (*seen, ref))

    def _holds_plain(self, node: Any, seen: tuple[str, ...]) -> bool:
        if ConfigComponent.is_instantiable(node):
            return False
        if isinstance(node, (dict, list)):
            parts = node.values() if isinstance(node, dict) else node
            return all(self._holds_plain(part, seen) for part in parts)
        if isinstance(node, str) and node.startswith(("$", "@")):
            return _read_literal(node) is not node or self._is_plain(node, seen=seen)
        return True

    def _read_raw_text(self, place: str) -> Any:
        """The text at a place of the config; a resolved item itself no longer has it."""
        node = self.resolver.items[""].get_config()
        for key in ReferenceResolver.split_id(place):
            node = node[int(key)] if isinstance(node, list) else node[key]
        return node


def _read_literal(text: str) -> Any:
    """The value of an expression that is a Python literal, such as `$3e-4`, else the text."""
    if not ConfigExpression.is_expression(text):
        return text
    try:
        return ast.literal_eval(text[len(ConfigExpression.prefix) :].strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text


def _is_plain_value(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain_value(part) for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain_value, value))
    return value is None or isinstance(value, (bool, int, float, str))
