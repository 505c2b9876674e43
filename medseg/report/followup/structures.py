"""Structures: which labels of two results are compared as lesions, and in which organ they lie."""

from __future__ import annotations

from collections.abc import Sequence

from medseg.base.text import find_near_word
from medseg.labels import MORPHOLOGY, Label, LabelTable


def check_same_table(before: LabelTable, after: LabelTable) -> None:
    """Refuse two label tables whose values mean different things; colours may differ.

    Raises:
        ValueError: names, order or members differ.
    """
    old, new = ([(label.name, label.members) for label in table] for table in (before, after))
    if old != new:
        names = (", ".join(label.name for label in table.foreground) for table in (before, after))
        raise ValueError(
            "both masks must have the same labels, got {} before and {} after: segment both with "
            "one bundle".format(*names)
        )


def choose_lesions(table: LabelTable, names: Sequence[str] = ()) -> tuple[Label, ...]:
    """The labels whose pieces are lesions.

    Args:
        table: of both results.
        names: of labels or, of one that encloses others, of the whole; "tumor" is as good as
            "tumour", and a name in capitals as one without. Without a name,
            those that stand for lesions by their code.

    Raises:
        ValueError: no label has a name, or no label stands for lesions.

    Example:
        >>> table = make_table({"liver": [1, 2], "tumour": [2]})
        >>> [label.name for label in choose_lesions(table, ["Tumor"])]
        ['tumour']
    """
    known = {_simplify(label.name): label for label in table.foreground}
    known |= {_simplify(label.whole_name): label for label in table.foreground}
    if not names:
        chosen = tuple(label for label in table.foreground if label.category == MORPHOLOGY)
        if not chosen:
            raise ValueError(
                f"no label stands for lesions, among {', '.join(map(repr, _list(table)))}: name "
                "with --structures those whose pieces are to be matched"
            )
        return chosen
    found = {}
    for name in names:
        if _simplify(name) not in known:
            near = find_near_word(_simplify(name), known)
            remedy = f"did you mean {known[near].name!r}?" if near else "name one of them"
            raise ValueError(
                f"no label is named {name!r}, among {', '.join(map(repr, _list(table)))}: {remedy}"
            )
        label = known[_simplify(name)]
        found[label.index] = label
    return tuple(found[index] for index in sorted(found))


def find_organs(table: LabelTable) -> dict[str, str]:
    """The organ of each structure: the smallest label that encloses it, else the structure itself.

    Example:
        >>> find_organs(make_table({"liver": [1, 2], "tumour": [2]}))
        {'liver': 'liver', 'tumour': 'Liver'}
    """
    organs = {}
    for label in table.foreground:
        around = [o for o in table.foreground if o != label and label.index in (o.members or ())]
        nearest = min(around, key=lambda one: len(one.members or ()), default=None)
        kind = None if nearest is None else nearest.type
        organs[label.whole_name] = (
            label.whole_name
            if nearest is None
            else nearest.whole_name
            if kind is None
            else kind.meaning
        )
    return organs


def _list(table: LabelTable) -> list[str]:
    return [label.whole_name for label in table.foreground]


def _simplify(name: str) -> str:
    """A name without what writers differ in."""
    return " ".join(name.lower().replace("_", " ").replace("tumor", "tumour").split())
