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
        pattern: of a name, with * for any characters or none, and ? for one character.
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
        ValueError: one has no pattern or no name of a class.

    Example:
        >>> parse_rules(["Kidney*=kidney"])[0].matches("KIDNEY left")
        True
    """
    rules = []
    for text in texts:
        pattern, _, label = (part.strip() for part in text.rpartition("="))
        if not pattern or not label:
            raise ValueError(
                f"--labels '{text}' names no class: write which names are of which class, such as "
                "'Kidney*=kidney'"
            )
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

    Raises:
        ValueError: no name belongs to a rule, since none matches or earlier rules have them all.

    Example:
        >>> map_names(["Kidney left", "Skin"], [NameRule("kidney*", "kidney")])
        {'Kidney left': 'kidney'}
    """
    distinct = dict.fromkeys(names)
    if not rules:
        return {name: make_class_name(name) for name in distinct}
    first = {name: next((r for r in rules if r.matches(name)), None) for name in distinct}
    used = {rule for rule in first.values() if rule is not None}
    if idle := [rule for rule in rules if rule not in used]:
        raise ValueError(_describe_idle(idle[0], sorted(distinct)))
    return {name: rule.label for name, rule in first.items() if rule is not None}


def _describe_idle(rule: NameRule, names: Sequence[str]) -> str:
    """Why a rule has no name, and what to do."""
    which = f"the rule '{rule.pattern}={rule.label}' of --labels"
    if taken := [name for name in names if rule.matches(name)]:
        return f"{which} comes too late: earlier rules have {', '.join(taken)}: put it before them"
    return (
        f"{which} matches no name: these are {', '.join(names)}; * stands for any characters or "
        "none, and ? for one"
    )


def _normalise(name: str) -> str:
    return " ".join(name.casefold().split())
