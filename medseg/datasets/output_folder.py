"""Output folder: refuses a folder that a dataset should not be prepared in."""

import json
import os
from collections.abc import Collection
from pathlib import Path

from medseg.datasets.prepared import FILE, is_prepared
from medseg.datasets.sources.layouts import LAYOUTS

_FORMER_NAMES = {f"lidc-{view}": f"lung_nodule-{view}" for view in ("patches", "slices")}
"""Names that datalists of earlier versions have, and what the dataset is called now."""


def check_output_folder(
    out: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    name: str,
    views: Collection[str] = (),
) -> None:
    """Refuse a folder that a dataset should not be prepared in, before anything is written.

    Args:
        out: the folder to write; it may hold an earlier run of the same dataset.
        source: the dataset as published.
        name: name of the dataset, as in its datalist.
        views: folders of `out` with a datalist each, of the name `<name>-<view>`; none means one
            datalist in `out` itself.

    Raises:
        ValueError: the source is a folder that was prepared; or `out` is a file, is the source
            folder, lies in it or holds it, links followed, or it or a folder in it has the datalist
            of another dataset.
    """
    target, origin = Path(out), Path(source)
    if os.path.lexists(target) and not target.is_dir():
        raise ValueError(
            f"{target} is not a folder: pass a new folder to --out, or that of an earlier run"
        )
    if origin.is_dir():
        for inner, outer, relation in (
            (target, origin, "is or lies in"),
            (origin, target, "holds"),
        ):
            if _is_inside(inner, outer):
                raise ValueError(
                    f"{target} {relation} the source {origin}: pass another folder to --out"
                )
    if (made := _find_prepared_name(origin)) is not None:
        raise ValueError(
            f"{origin} was prepared from {made} already and is not the dataset as published: pass "
            "it to the bundle with --dataset_dir"
        )
    own = {target / view / FILE: f"{name}-{view}" for view in views} or {target / FILE: name}
    for file in sorted((*target.glob(FILE), *target.glob(f"*/{FILE}"))):
        if (found := _read_name(file)) != own.get(file):
            raise ValueError(
                f"{target} holds {file.relative_to(target)} of dataset {found}: "
                f"pass to --out another folder for {name}"
            )


def _is_inside(inner: Path, outer: Path) -> bool:
    """Whether a folder, there already or not, is another one or lies in it, links followed."""
    path = Path(os.path.realpath(inner))
    return outer.exists() and any(
        folder.exists() and folder.samefile(outer) for folder in (path, *path.parents)
    )


def _find_prepared_name(source: Path) -> str | None:
    """The dataset of which a folder was prepared; None for one as published."""
    if not is_prepared(source):
        return None
    name = _read_name(source / FILE)
    return name if name in LAYOUTS else None


def _read_name(file: Path) -> str:
    """The dataset that a datalist names."""
    try:
        name = str(json.loads(file.read_text(encoding="utf-8"))["name"])
    except (KeyError, RecursionError, TypeError, ValueError):
        return "unknown"
    return _FORMER_NAMES.get(name, name)
