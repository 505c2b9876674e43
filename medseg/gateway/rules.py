"""Rules: which series are segmented."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from medseg.gateway.pacs.listed_series import ListedSeries
from medseg.gateway.settings import Rule

RESULTS = frozenset(
    ("SEG", "SR", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTRECORD", "REG", "PR", "KO", "DOC", "AU", "ECG")
)
"""Modalities of what is no image to segment, whatever a rule says: so no result, of the gateway or
of others, is ever taken for one."""


def is_wanted(series: ListedSeries, rules: Iterable[Rule]) -> bool:
    """Whether a series matches every line of one of the rules.

    Example:
        >>> is_wanted(ListedSeries("1.2", "1.3", modality="CT"), [Rule(modality=("CT", "MR"))])
        True
    """
    if series.modality.upper() in RESULTS:
        return False
    return any(
        _match(series.modality, rule.modality)
        and _match(series.body_part, rule.body_part)
        and _match(series.description, rule.description)
        and _match(series.institution, rule.institution)
        for rule in rules
    )


def list_modalities(rules: Iterable[Rule]) -> list[str] | None:
    """The modalities to ask a server for, one by one; None where patterns leave them open.

    Example:
        >>> list_modalities([Rule(modality=("CT", "ct")), Rule(modality=("MR",))])
        ['CT', 'MR']
    """
    named = [pattern.upper() for rule in rules for pattern in rule.modality]
    if any(set(pattern) & set("*?[") for pattern in named):
        return None
    return sorted(set(named))


def _match(text: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(text.upper(), pattern.upper()) for pattern in patterns)
