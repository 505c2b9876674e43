"""Record: what a run is made of, so that it is resumed as the same run and as no other."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ignite.distributed as idist

from medseg.transforms.fingerprint import describe

MAY_CHANGE = (
    *("max_epochs", "patience", "val_interval", "resume"),
    *("num_workers", "device", "backend", "mixed_precision", "checkpointing"),
    *("output_dir", "resume_file", "weights", "cache_dir", "bundle_root"),
    *("dataset_dir", "encoder_weights"),
)
"""Choices that a resumed run may make anew: how long, by what machine and where. `dataset_dir` is
among them because the cases themselves are compared, and `encoder_weights` because a run reads them
at its start alone."""

_BY_CONTENT = ("label", "instances")
_SHOWN = 4
_BLOCK = 2**20
_SECTIONS = ("training", "validation")


def run_record(
    choices: Mapping[str, Any],
    *,
    training: Sequence[Mapping[str, Any]],
    validation: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """What a run is made of, in plain values: its choices, and its cases by section.

    Args:
        choices: key of the config -> value. `batch_size` counts for all processes together.
        training: the cases, dictionaries with `case` and the paths of their files.
        validation: likewise.

    Returns:
        `choices`, without those in `MAY_CHANGE`; and under `training` and `validation`, for each
        case, the digest of its files: images by their sizes, labels by their content, none by name
        or place, so that a dataset may be moved.

    Raises:
        FileNotFoundError: a file of a case is gone.

    Example:
        >>> run_record({"fold": 0, "max_epochs": 9}, training=[], validation=[])
        {'choices': {'fold': 0}, 'training': {}, 'validation': {}}
    """
    kept = {key: value for key, value in choices.items() if key not in MAY_CHANGE}
    if isinstance(kept.get("batch_size"), int):
        kept["batch_size"] *= idist.get_world_size()
    return {
        "choices": json.loads(json.dumps(kept, default=describe)),
        "training": {str(case["case"]): _digest(case) for case in training},
        "validation": {str(case["case"]): _digest(case) for case in validation},
    }


def check_record(path: str | os.PathLike, saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with a run by other choices or on other cases.

    A choice that only one of both records has is not compared: another version knows other keys.

    Args:
        path: the resume file, for the message.
        saved: the record in it.
        now: the record of this run.

    Raises:
        ValueError: they differ.
    """
    before, after = saved["choices"], now["choices"]
    changed = [
        f"{key} was {before[key]}, is {after[key]}"
        for key in before
        if key in after and before[key] != after[key]
    ]
    what = "by other settings" if changed else "on other cases"
    if differences := changed or list(_changed_cases(saved, now)):
        raise ValueError(
            f"{path} holds a run {what} ({_first(differences)}): give what that run had, or "
            "another --output_dir to start a new run"
        )


def _first(differences: Sequence[str]) -> str:
    more = len(differences) - _SHOWN
    return "; ".join(differences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _changed_cases(saved: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What happened to each case that is no longer what it was, those that changed sides first."""
    before, after = _sections(saved), _sections(now)
    for case in sorted(before.keys() & after.keys()):
        if before[case][0] != after[case][0]:
            yield f"case {case} was for {before[case][0]}, is for {after[case][0]}"
    for case in sorted(before.keys() & after.keys()):
        if before[case][0] == after[case][0] and before[case] != after[case]:
            yield f"case {case} has another image or label"
    for case in sorted(before.keys() ^ after.keys()):
        yield f"case {case} is {'gone' if case in before else 'new'}"


def _sections(record: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {case: (name, digest) for name in _SECTIONS for case, digest in record[name].items()}


def _digest(case: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for key in ("image", *_BY_CONTENT):
        values = case.get(key, ())
        for value in (values,) if isinstance(values, (str, os.PathLike)) else values:
            for file in _files(Path(value)):
                digest.update(f"{key} {file.stat().st_size}\n".encode())
                if key in _BY_CONTENT:
                    _add_content(digest, file)
    return digest.hexdigest()[:16]


def _files(path: Path) -> list[Path]:
    """A file, or those of a folder."""
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _add_content(digest: Any, file: Path) -> None:
    with file.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
