"""Suspects: the cases whose labels agree least with networks that have not seen them."""

from __future__ import annotations

import base64
import html
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medseg.base.files import whole

SHOWN = 0.1
"""The part of the cases that is shown with pictures, and 6 at least."""

_FEWEST = 6


@dataclass(frozen=True)
class Suspect:
    """A case and how well its labels agree with the prediction.

    Attributes:
        case: its name.
        fold: in which it was not seen.
        dice: of each class; nan where neither has it.
        score: the mean over the classes; one that only label or prediction has counts 0.
    """

    case: str
    fold: int
    dice: Mapping[str, float]
    score: float


def rank_suspects(rows: Sequence[Mapping[str, str]]) -> list[Suspect]:
    """All cases, those that agree least first, from the rows of `metrics.csv` of all folds.

    Example:
        >>> rows = [{"case": c, "class": "x", "fold": "0", "dice": d} for c, d in ("a1", "b0")]
        >>> [one.case for one in rank_suspects(rows)]
        ['b', 'a']
    """
    found: defaultdict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    for row in rows:
        found[row["case"], int(row["fold"])][row["class"]] = float(row["dice"] or "nan")
    suspects = []
    for (case, fold), dice in found.items():
        known = [value for value in dice.values() if math.isfinite(value)]
        suspects.append(Suspect(case, fold, dice, sum(known) / len(known) if known else 1.0))
    return sorted(suspects, key=lambda one: (one.score, one.case))


def count_shown(cases: int) -> int:
    """How many of the cases are shown.

    Example:
        >>> count_shown(200), count_shown(20), count_shown(3)
        (20, 6, 3)
    """
    return min(max(round(cases * SHOWN), _FEWEST), cases)


def write_page(
    path: Path, suspects: Sequence[Suspect], *, title: str, pictures: Mapping[str, Path]
) -> None:
    """Write the first suspects with their pictures as one page of HTML that needs no other file.

    Args:
        path: of the page.
        suspects: the cases, the worst first.
        title: of the page.
        pictures: case -> its picture; a case may have none.
    """
    shown = suspects[: count_shown(len(suspects))]
    parts = [_describe(number, one, pictures) for number, one in enumerate(shown, start=1)]
    content = _PAGE.format(
        title=html.escape(title), shown=len(shown), cases=len(suspects), parts="\n".join(parts)
    )
    with whole(path) as partial:
        partial.write_text(content, encoding="utf-8")


def _describe(number: int, one: Suspect, pictures: Mapping[str, Path]) -> str:
    scores = ", ".join(
        f"{name} {'-' if math.isnan(value) else format(value, '.3f')}"
        for name, value in one.dice.items()
    )
    name = html.escape(one.case)
    picture = ""
    if (file := pictures.get(one.case)) is not None and file.is_file():
        data = base64.b64encode(file.read_bytes()).decode()
        picture = (
            f'<img alt="{name}: outlines of the label and of the prediction" '
            f'src="data:image/png;base64,{data}">'
        )
    about = f"Dice {html.escape(scores)}; fold {one.fold}"
    return f"<section><h2>{number}. {name}</h2><p>{about}</p>{picture}</section>"


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.45 system-ui, sans-serif; margin: 1.5rem; color: #1c1f24; background: #fff; }}
main {{ display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); }}
h1 {{ font-size: 1.4rem; }} h2 {{ font-size: 1rem; margin: 0; overflow-wrap: anywhere; }}
p {{ margin: .2rem 0 .6rem; max-width: 46rem; }} img {{ max-width: 100%; }}
section {{ break-inside: avoid; }}
</style></head>
<body><h1>{title}</h1>
<p>The {shown} of {cases} cases whose labels agree least with a network that was not trained on
them. Such a label may be wrong, or the case may be hard: look at each. The label is drawn in blue,
the prediction in yellow. Research only.</p>
<main>
{parts}
</main></body></html>
"""
