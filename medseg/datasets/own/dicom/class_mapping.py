"""Class mapping: which names of segments and structures stand for which class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class NameRule:
    """Names that match a pattern belong to a class; case does not count.

    Attributes:
        pattern: of a name, with * and ?.
        label: name of the class.
    """

    pattern: str
    label: str

    def matches(self, name: str) -> bool:
        """Whether a name is meant."""
        return fnmatchcase(_normalise(name), _normalise(self.pattern))


def parse_rules(texts: Iterable[str]) -> list[NameRule]:
    """Rules as a person writes them: "Kidney*=kidney".

    Raises:
        ValueError: one has no name of a pattern or of a class.

    Example:
        >>> parse_rules(["Kidney*=kidney"])[0].matches("KIDNEY left")
        True
    """
    rules = []
    for text in texts:
        pattern, _, label = (part.strip() for part in text.rpartition("="))
        if not pattern or not label:
            raise ValueError(f"--labels {text} names no class: write it like 'Kidney*=kidney'")
        rules.append(NameRule(pattern, make_class_name(label)))
    return rules


def make_class_name(name: str) -> str:
    """A name as that of a class: small letters, digits and _.

    Example:
        >>> make_class_name("Kidney, left")
        'kidney_left'
    """
    return "_".join(re.findall(r"[^\W_]+", name.lower())) or "label"


def map_names(names: Iterable[str], rules: Sequence[NameRule]) -> dict[str, str]:
    """Name -> class, for those names that belong to one: the first rule that matches.

    Without rules, each name is a class of its own.
    """
    distinct = dict.fromkeys(names)
    if not rules:
        return {name: make_class_name(name) for name in distinct}
    chosen = {}
    for name in distinct:
        label = next((rule.label for rule in rules if rule.matches(name)), None)
        if label is not None:
            chosen[name] = label
    return chosen


def _normalise(name: str) -> str:
    return " ".join(name.casefold().split())
