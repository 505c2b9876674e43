"""Index page: one page for all cases of a folder, with totals, to sort and to filter."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from medseg.base.text import count_noun
from medseg.inference.cases.report import DONE, FAILED, LEFT_OUT
from medseg.inference.preview.caption import format_volume
from medseg.report.page.compose import render, write_page
from medseg.report.page.listed_case import WARNED, ListedCase, list_cases

logger = logging.getLogger(__name__)

NAME = "index.html"
"""Of the page, in the folder of the outputs."""

MOST_COLUMNS = 6
"""So many structures have a column of their own; of more, each case has one cell for all."""

MOST_PICTURES = 2000
"""So many cases have a thumbnail, so that a browser can open the page."""

_ORDER = {FAILED: 0, WARNED: 1, LEFT_OUT: 2, DONE: 3}
"""In which a click on the head of the column puts the statuses: what needs a look comes first."""

_FOLDERS = re.compile(r"(?<![\w./:~<-])(?:[A-Za-z]:[\\/]|/)(?:[^\s/\\:;,()'\"]+[\\/])+(?=[^\s/\\])")
"""The folders of an absolute path within a text."""

_MARK = '<meta name="generator" content="medseg index">'


FEWEST_FOR_MEAN = 5
"""Of fewer volumes the smallest and the largest say more than a mean and a standard deviation."""


@dataclass
class Volumes:
    """What the volumes of a structure come to, one after the other.

    Attributes:
        found: in how many cases there is any.
        cut: in how many of them it reaches the edge of the image; these have no part in the rest.
        total: sum of the others in mL.
        squares: sum of their squares.
        least: the smallest of them.
        most: the largest of them.
    """

    found: int = 0
    cut: int = 0
    total: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    most: float = 0.0

    def add(self, volume_ml: float, *, is_cut: bool) -> None:
        """Count the volume of a case; one of 0 was not found."""
        if not volume_ml:
            return
        self.found += 1
        if is_cut:
            self.cut += 1
            return
        self.total += volume_ml
        self.squares += volume_ml**2
        self.least, self.most = min(self.least, volume_ml), max(self.most, volume_ml)

    def describe(self) -> str:
        """In how many cases there is any, and range, or mean and SD, of those that are whole."""
        if not self.found:
            return "not found"
        cases, count = count_noun(self.found, "case"), self.found - self.cut
        if not count:
            return f"{cases}; at the edge of the image in each, so that no whole volume is known"
        text = f"{cases}, {self._describe_whole(count)}"
        if self.cut:
            text += f"; {self.cut} of {self.found} at the edge of the image, left out"
        return text

    def _describe_whole(self, count: int) -> str:
        if count < FEWEST_FOR_MEAN:
            least, most = format_volume(self.least), format_volume(self.most)
            return most if count == 1 else f"{least.removesuffix(' mL')} to {most}"
        mean = self.total / count
        spread = math.sqrt(max(0.0, self.squares - count * mean**2) / (count - 1))
        digits = len(format_volume(mean).partition(".")[2].removesuffix(" mL"))
        return f"mean {format_volume(mean)}, SD {spread:.{digits}f} mL"


@dataclass
class Totals:
    """What the cases of a folder come to.

    Attributes:
        cases: how many there are.
        warned: those of them with warnings.
        failed: those that failed.
        left_out: series of a study that the bundle is not for.
        seconds: that the others took, as far as that is known.
        sums: name of a structure -> its volumes.
    """

    cases: int = 0
    warned: int = 0
    failed: int = 0
    left_out: int = 0
    seconds: float = 0.0
    sums: dict[str, Volumes] = field(default_factory=dict)

    def add(self, case: ListedCase) -> None:
        """Count a case."""
        self.cases += 1
        self.warned += case.status == WARNED
        self.failed += case.status == FAILED
        self.left_out += case.status == LEFT_OUT
        self.seconds += case.seconds or 0.0
        for name, volume in case.volumes_ml.items():
            self.sums.setdefault(name, Volumes()).add(volume, is_cut=name in case.at_edge)

    def describe_volumes(self) -> list[tuple[str, str]]:
        """Each structure with in how many cases it was found, and what its volumes come to."""
        return [(name, volumes.describe()) for name, volumes in self.sums.items()]


def format_time(seconds: float) -> str:
    """A time as a person says it.

    Example:
        >>> format_time(18.2), format_time(90), format_time(5400)
        ('18 s', '1.5 minutes', '1.5 hours')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} minutes" if seconds < 3600 else f"{seconds / 3600:.1f} hours"


def split_remark(remark: str, status: str) -> tuple[str, str]:
    """A remark without folders; of a failure what is wrong, and apart the details and the remedy.

    Example:
        >>> split_remark("/data/in/a.nii ends early: copy it again", FAILED)
        ('a.nii ends early', 'Copy it again')
    """
    text = _FOLDERS.sub("", remark)
    if status not in (FAILED, LEFT_OUT):
        return text, ""
    first, _, more = text.partition(": ")
    return first, more[:1].upper() + more[1:]


def write_index(folder: str | os.PathLike, *, refresh: bool = False) -> None:
    """Write `index.html` for all cases that a folder of outputs holds, also of earlier commands.

    A page of this name that medseg has not written stays, with a warning.

    Args:
        folder: of the outputs.
        refresh: only bring a page that is there up to date.
    """
    root = Path(folder)
    path = root / NAME
    if path.exists() and not _is_ours(path):
        logger.warning("%s is not of medseg and stays: no page lists the cases", path)
        return
    if refresh and not path.exists():
        return
    totals = Totals()
    for case in list_cases(root):
        totals.add(case)
    if totals.cases:
        write_page(path, "Segmented cases", _render_parts(root, totals), scripts=("index.js",))


def _render_parts(root: Path, totals: Totals) -> Iterator[Markup]:
    names = list(totals.sums)
    columns = names if len(names) <= MOST_COLUMNS else []
    done = totals.cases - totals.failed - totals.left_out
    yield render(
        "index_head.html",
        mark=Markup(_MARK),
        totals=totals,
        done=done,
        time=format_time(totals.seconds),
        volumes=totals.describe_volumes(),
        columns=columns,
        has_other=bool(names) and not columns,
    )
    for number, case in enumerate(list_cases(root)):
        yield render(
            "index_row.html",
            case=case,
            remarks=[split_remark(one, case.status) for one in case.remarks],
            picture=case.picture if number < MOST_PICTURES else "",
            columns=columns,
            has_other=bool(names) and not columns,
            format_volume=format_volume,
            order=_ORDER,
        )
    yield render("index_tail.html")


def _is_ours(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return _MARK in file.read(2**17)
