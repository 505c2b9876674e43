"""Rule: what a value has to be, in words and as a question, and how rules are made."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from medseg.base.arguments import LARGEST, is_finite_number, is_list_of, is_whole

Holds = Callable[[Any], bool]


@dataclass(frozen=True)
class Rule:
    """What a value has to be, in words that follow "it must be", and whether it is.

    The largest value is named only where it was exceeded. `per_axis` is set where the value is a
    list with a number for each axis.
    """

    words: str
    holds: Holds
    most: float = math.inf
    per_axis: bool = False

    def describe(self, value: Any) -> str:
        """What a value should have been."""
        if isinstance(value, str) and value.strip().lstrip("+-")[:1].isdigit():
            return f"{self.words}, in plain decimal digits"
        numbers = value if isinstance(value, (list, tuple)) else [value]
        is_beyond = any(is_finite_number(each) and each > self.most for each in numbers)
        return f"{self.words}, at most {self.most}" if is_beyond else self.words


def make_whole_rule(least: int, most: int = LARGEST) -> Rule:
    """A whole number from `least` on."""
    return Rule(
        f"a whole number of at least {least}", lambda value: is_whole(value, least, most), most
    )


def make_number_rule(words: str, holds: Callable[[float], bool]) -> Rule:
    """A finite number for which something holds."""
    return Rule(f"a number {words}", lambda value: is_finite_number(value) and holds(value))


def make_list_rule(words: str, holds: Holds, *, least: int = 1) -> Rule:
    """A list, for each entry of which something holds."""
    return Rule(f"a list of {words}", lambda value: is_list_of(value, holds, least=least))


def make_axes_rule(words: str, holds: Holds, most: float = math.inf) -> Rule:
    """A list with a number for each axis, for which something holds."""
    return Rule(
        f"a list of {words}, one for each axis",
        lambda value: is_list_of(value, holds),
        most,
        per_axis=True,
    )


def make_range_rule(words: str, holds: Callable[[float, float], bool]) -> Rule:
    """A list of two finite numbers for which something holds."""
    return Rule(
        f"a list of two numbers, {words}",
        lambda value: is_list_of(value, is_finite_number) and len(value) == 2 and holds(*value),
    )


def make_word_rule(*words: str) -> Rule:
    """One of some words."""
    named = " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
    return Rule(named, lambda value: isinstance(value, str) and value in words)


def allow_null(rule: Rule) -> Rule:
    """The same, or nothing."""
    return Rule(
        f"{rule.words}, or null", lambda value: value is None or rule.holds(value), rule.most
    )


def allow_list(words: str, holds: Holds, *, most: float = math.inf, nested: bool = False) -> Rule:
    """One of something or a list of them; with `nested` an entry may be a list itself."""

    def is_entry(value: Any) -> bool:
        """Whether it is one of something or, where lists may be nested, a list of them."""
        return holds(value) or (nested and is_list_of(value, holds))

    lists = "a list of such numbers, or of lists of them" if nested else "a list of such numbers"
    return Rule(
        f"{words}, or {lists}",
        lambda value: is_entry(value) or is_list_of(value, is_entry),
        most,
    )


def allow_words(words: Collection[str], rule: Rule) -> Rule:
    """The same, or one of some words."""
    return Rule(
        f"{', '.join(words)} or {rule.words}",
        lambda value: (isinstance(value, str) and value in words) or rule.holds(value),
    )
