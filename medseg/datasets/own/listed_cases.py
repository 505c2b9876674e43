"""Listed cases: those that a table or a datalist names."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from medseg.datasets import fold_split
from medseg.datasets.own.pair_files import Pair
from medseg.ingest.formats import strip_suffix

_NEEDED = ("image", "label")
_KNOWN = (*_NEEDED, "case", "patient", "fold")


def read_table(path: Path) -> tuple[list[Pair], list[str]]:
    """The cases of a CSV file with the columns image and label, and if wanted case, patient, fold.

    Paths start at the folder of the table. Without a case it is named after its image.

    Returns:
        The cases, and what is wrong, a line for each fault.

    Raises:
        ValueError: it is no such table, or has no rows.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=";" if ";" in sample else ",")
            columns = [str(name).strip().lower() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no table of text ({error}): write it as CSV") from error
    if missing := [name for name in _NEEDED if name not in columns]:
        raise ValueError(
            f"{path} has no column {' and '.join(missing)} (it has {', '.join(columns) or 'none'}):"
            f" its first line must name {', '.join(_NEEDED)}, and may name {', '.join(_KNOWN[2:])}"
        )
    if not rows:
        raise ValueError(f"{path} names no case: add a line for each")
    return _make_pairs(rows, path)


def read_datalist(path: Path) -> tuple[list[Pair], list[str]]:
    """The training cases of a `datalist.json`; those held out for testing are among them.

    Its folds are not kept: cases are assigned anew, by patient.

    Raises:
        ValueError: it is damaged.
    """
    made = fold_split.read(path)
    items: Iterable[Mapping[str, Any]] = chain(made["training"], made["testing"])
    listed = [
        {key: item[key] for key in ("case", "patient", *_NEEDED)}
        for item in items
        if "label" in item
    ]
    return _make_pairs(listed, path)


def _make_pairs(rows: Iterable[Mapping[str, Any]], path: Path) -> tuple[list[Pair], list[str]]:
    pairs: dict[str, Pair] = {}
    faults = []
    for number, row in enumerate(rows, start=2):
        stated = {key: str(value or "").strip() for key, value in row.items() if key in _KNOWN}
        if missing := [key for key in _NEEDED if not stated.get(key)]:
            faults.append(f"line {number} of {path.name} has no {' and '.join(missing)}")
            continue
        files = [path.parent / stated[key] for key in _NEEDED]
        case = stated.get("case") or strip_suffix(files[0].name).partition(".")[0]
        gone = [file for file in files if not file.is_file()]
        if gone:
            faults.append(f"case {case}: no such file: {gone[0]}")
        elif case in pairs:
            faults.append(f"case {case} is in {path.name} twice: name each in a column case")
        else:
            fold = stated.get("fold", "")
            if fold and not fold.isdigit():
                faults.append(f"case {case} has the fold {fold!r}: give whole numbers from 0 on")
                continue
            patient = stated.get("patient", "")
            number_of_fold = int(fold) if fold else None
            pairs[case] = Pair(case, (files[0],), ("",), files[1], patient, number_of_fold)
    partly = {pair.fold is None for pair in pairs.values()}
    if len(partly) > 1:
        faults.append(
            f"some cases of {path.name} have a fold and others have none: give all or none"
        )
    return list(pairs.values()), faults
