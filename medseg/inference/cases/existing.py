"""Existing: what outputs that exist already mean for the cases of a run."""

import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medseg.base.arguments import check_choice
from medseg.base.channels.case_paths import list_paths
from medseg.base.files import check_folder, describe_non_file, find_longest_name
from medseg.base.lock import hold_within
from medseg.base.text import count_noun, shorten_list

logger = logging.getLogger(__name__)

EXISTING = ("refuse", "skip", "overwrite")

Case = dict[str, Any]
"""A case: its name, and the path of its image, or of each channel, None for a missing one."""


def check_existing(existing: str) -> None:
    """Refuse what is none of `EXISTING`; None, too, which is for a plan alone.

    Raises:
        ValueError: naming the ones that are, and the nearest.
    """
    check_choice("existing", existing, EXISTING)


def check_names(cases: Sequence[Case], source: Path) -> None:
    """Refuse two cases of one name, whose outputs would be one file.

    Raises:
        ValueError: naming them.
    """
    twice = [name for name, n in Counter(case["case"] for case in cases).items() if n > 1]
    if twice:
        raise ValueError(f"two cases in {source} are named {', '.join(twice)}: rename one of them")


def select_cases(
    cases: Sequence[Case],
    output_dir: Path,
    *,
    existing: str | None,
    label: str,
    preview: str,
    others: Sequence[str] = (),
    asked: Sequence[str] = (),
    unasked: Sequence[str] = (),
) -> list[Case]:
    """The cases that are still to do, given the outputs that exist.

    A case is done when its label map exists, which is written before its preview. "skip" does one
    that has only a preview again, and warns of one that has no preview: it was interrupted.

    Args:
        cases: with their names and images.
        output_dir: folder of the outputs; it need not exist.
        existing: "refuse" the run if any output exists, "skip" the cases that are done, or
            "overwrite" them. None for a plan, which writes nothing, so that outputs do not matter.
        label: what follows the name of a case in the name of its label map, such as ".nii.gz".
        preview: the same for its preview.
        others: the same for what may be written beside the two.
        asked: the same for what this run writes for every case beside the two. It does not decide
            whether a case is done; "skip" warns of cases that are done and do not have it.
        unasked: the same for what other runs write beside the two, and this one does not.

    Raises:
        OSError: the folder cannot be made or written to.
        ValueError: outputs exist and `existing` is "refuse"; an output would replace an image of
            the run, an output of another case, or something that is not a file; its name is longer
            than the disk allows; or files of an earlier run would stay beside new outputs that they
            do not belong to.
    """
    check_folder(output_dir)
    ends = (label, preview, *others, *asked)
    outputs = {case["case"]: [f"{case['case']}{end}" for end in ends] for case in cases}
    _check_owners(outputs)
    _check_lengths(cases, output_dir, ends=(label, preview, *asked))
    if existing is not None:
        _check_places(outputs, output_dir)
    there = {
        name: [f for f in files if os.path.lexists(output_dir / f)]
        for name, files in outputs.items()
    }
    _check_images(cases, output_dir, there=there)
    todo = list(cases)
    if existing is None:
        return todo
    if existing == "refuse":
        _refuse_outputs(there, output_dir)
    if existing == "skip":
        todo = [case for case in cases if f"{case['case']}{label}" not in there[case["case"]]]
    _check_leftovers(todo, output_dir, unasked)
    if len(todo) < len(cases):
        done = len(cases) - len(todo)
        logger.info("already done: %d of %s", done, count_noun(len(cases), "case"))
        _warn_of_missing(there, label=label, asked=[preview, *asked])
        _remove_dead_locks(cases, todo, output_dir)
    return todo


def _remove_dead_locks(cases: Sequence[Case], todo: Sequence[Case], output_dir: Path) -> None:
    """Remove the locks of cases that are done, which a run left that was killed behind them."""
    waiting = {case["case"] for case in todo}
    for name in (case["case"] for case in cases if case["case"] not in waiting):
        lock = output_dir / f".{name}.lock"
        if lock.exists():
            with hold_within(lock):  # which removes it, unless another run holds it
                pass


def _refuse_outputs(there: dict[str, list[str]], output_dir: Path) -> None:
    if touched := [name for name, files in there.items() if files]:
        raise ValueError(
            f"{len(touched)} of {count_noun(len(there), 'case')} would write over outputs in "
            f"{output_dir.absolute()} ({shorten_list(touched)}): pass --existing skip or "
            f"--existing "
            "overwrite, or write to another folder"
        )


def _check_leftovers(cases: Sequence[Case], output_dir: Path, ends: Sequence[str]) -> None:
    """Refuse to leave files of an earlier run beside a new label map of the same case."""
    files = [f"{case['case']}{end}" for case in cases for end in ends]
    left = [file for file in files if os.path.lexists(output_dir / file)]
    if left:
        raise ValueError(
            f"{output_dir.absolute()} holds files of an earlier run that this run does not write, "
            f"and that would not fit the new label maps ({shorten_list(left)}): remove them, or "
            f"write to "
            "another folder"
        )


def _warn_of_missing(there: dict[str, list[str]], *, label: str, asked: Sequence[str]) -> None:
    """Warn of cases that are skipped and do not have all outputs that the run was asked for."""
    done = [name for name, files in there.items() if f"{name}{label}" in files]
    missing = [
        f"{name}{end}" for name in done for end in asked if f"{name}{end}" not in there[name]
    ]
    if missing:
        logger.warning(
            "already done, so %s is not written%s: pass --existing overwrite, or write to "
            "another folder",
            missing[0],
            f" nor {count_noun(len(missing) - 1, 'other file')}" if missing[1:] else "",
        )


def _check_owners(outputs: dict[str, list[str]]) -> None:
    """Each output belongs to one case: `a_label.png` may be of the cases "a" and "a_label"."""
    owner: dict[str, str] = {}
    for name, files in outputs.items():
        for file in files:
            if owner.setdefault(file, name) != name:
                raise ValueError(
                    f"cases {owner[file]} and {name} would both write {file}: rename one of them, "
                    "or leave it out"
                )


def _check_lengths(cases: Sequence[Case], output_dir: Path, *, ends: Sequence[str]) -> None:
    """Refuse names that no file can have, before anything is computed for them."""
    longest, end = find_longest_name(output_dir), max(ends, key=len)
    for case in cases:
        length = len(os.fsencode(file := f"{case['case']}{end}"))
        if length > longest:
            raise ValueError(
                f"output {file} has a name of {length} bytes, and a file in "
                f"{output_dir.absolute()} may have {longest}: rename the image of this case"
            )


def _check_places(outputs: dict[str, list[str]], output_dir: Path) -> None:
    """Refuse to replace something that is not a file; a link to a file counts as a file."""
    for name, files in outputs.items():
        for place in (output_dir / file for file in files):
            if what := describe_non_file(place):
                raise ValueError(
                    f"output {place.name} of case {name} cannot be written to "
                    f"{output_dir.absolute()}, where {what} has this name: move it away, or write "
                    "to another folder"
                )


def _check_images(cases: Sequence[Case], output_dir: Path, *, there: dict[str, list[str]]) -> None:
    images = {os.path.realpath(path) for case in cases for path in list_paths(case["image"])}
    for name, files in there.items():
        for file in files:
            if os.path.realpath(output_dir / file) in images:
                raise ValueError(
                    f"output {file} of case {name} would take the place of an image: "
                    "write to another folder"
                )
