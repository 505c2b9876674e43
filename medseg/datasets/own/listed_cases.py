"""Listed cases: those that a table or a datalist names."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from medseg.base.text import shorten_list
from medseg.datasets import fold_split
from medseg.datasets.own.pair_files import Pair
from medseg.ingest.formats import strip_suffix

_NEEDED = ("image", "label")
_KNOWN = (*_NEEDED, "case", "patient", "fold")
_READER = "label_"
"""What the name of a column begins with that has the labels of a reader, such as label_anna."""

_READERS = "readers"
_CHANNEL = "image_"
"""What the name of a column of a table begins with whose images are a channel."""


def read_table(path: Path, *, several_readers: bool = False) -> tuple[list[Pair], list[str]]:
    """The cases of a CSV file with the columns image and label, and if wanted case, patient, fold.

    In the place of image there may be a column for each channel, such as image_flair and image_t1.
    Paths start at the folder of the table. Without a case it is named after its image.

    Args:
        path: of the table.
        several_readers: whether the labels are in columns such as label_1 and label_2, one for each
            reader; a cell is empty where a reader has not seen the case. They are also read where
            there are several such columns and none is called label.

    Returns:
        The cases, and what is wrong, a line for each fault.

    Raises:
        ValueError: it is no such table, or has no rows.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            sample = file.readline()
            file.seek(0)
            delimiter = next((mark for mark in ";\t" if mark in sample), ",")
            reader = csv.DictReader(file, delimiter=delimiter)
            columns = [str(name).strip().lower() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = [*enumerate(reader, start=2)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no table of text: save it as CSV in UTF-8") from error
    readers = [name for name in columns if name.startswith(_READER)]
    several_readers = several_readers or (len(readers) > 1 and "label" not in columns)
    _check_columns(path, columns, readers, several_readers=several_readers)
    filled = [(line, row) for line, row in rows if any(str(v or "").strip() for v in row.values())]
    if not filled:
        raise ValueError(f"{path} names no case: add a line for each")
    if several_readers:
        filled = [(line, _put_readers(row, _list_readers(row, readers))) for line, row in filled]
    pairs, faults = _make_pairs(filled, path)
    return pairs, [*_find_surplus(filled, columns, path), *faults]


def _find_surplus(
    rows: Iterable[tuple[int, Mapping[Any, Any]]], columns: Sequence[str], path: Path
) -> list[str]:
    """A line for each row with more cells than columns."""
    surplus = ((line, [cell for cell in row.get(None) or () if cell.strip()]) for line, row in rows)
    return [
        f"line {line} of {path.name} has more cells than the {len(columns)} columns "
        f"({shorten_list(cells)}): take them out, or put names with a separator in quotes"
        for line, cells in surplus
        if cells
    ]


def _check_columns(
    path: Path, columns: Sequence[str], readers: Sequence[str], *, several_readers: bool
) -> None:
    """Refuse a table without the columns that it needs."""
    has = f"(it has {', '.join(columns) or 'none'})"
    if twice := [name for name in columns if name and columns.count(name) > 1]:
        raise ValueError(f"{path} has the column {twice[0]} twice {has}: leave one of them out")
    if several_readers and not readers:
        raise ValueError(
            f"{path} has no column label_1 {has}: name one for each reader, as in label_1, label_2"
        )
    channels = [name for name in columns if name.startswith(_CHANNEL)]
    if "image" in columns and channels:
        raise ValueError(
            f"{path} has the columns image and {channels[0]}: leave out image, or all of image_..."
        )
    needed = ("image",) * (not channels) + ("label",) * (not several_readers)
    if missing := [name for name in needed if name not in columns]:
        raise ValueError(
            f"{path} has no column {' and '.join(missing)} {has}: its first line must name "
            f"{', '.join(_NEEDED)}, or image_... of each channel, and may name "
            f"{', '.join(_KNOWN[2:])}"
        )


def _list_readers(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, str]:
    """Reader -> label of a line, where it has one."""
    named = {name: name.removeprefix(_READER) for name in columns}
    named = {
        name: f"reader_{reader}" if reader.isdigit() else reader for name, reader in named.items()
    }
    cells = {reader: str(row[name] or "").strip() for name, reader in named.items()}
    return {reader: file for reader, file in sorted(cells.items()) if file}


def _put_readers(row: Mapping[str, Any], readers: Mapping[str, str]) -> dict[str, Any]:
    """A line or an item with its readers, the first of whose labels stands for all."""
    return {**row, "label": next(iter(readers.values()), ""), _READERS: readers}


def read_datalist(path: Path, *, several_readers: bool = False) -> tuple[list[Pair], list[str]]:
    """The training cases of a `datalist.json`; those held out for testing are among them.

    Its folds are not kept: cases are assigned anew, by patient. With `several_readers` the labels
    are those of the readers that it names, not the target that was made of them.

    Raises:
        ValueError: it is damaged.
    """
    made = fold_split.read(path)
    items: Iterable[Mapping[str, Any]] = chain(made["training"], made["testing"])
    listed: list[dict[str, Any]] = [
        {key: item[key] for key in ("case", "patient", *_NEEDED)}
        | (_put_readers({}, item.get(_READERS, {})) if several_readers else {})
        for item in items
        if "label" in item
    ]
    return _make_pairs(enumerate(listed, start=2), path)


def _make_pairs(
    rows: Iterable[tuple[int, Mapping[str, Any]]], path: Path
) -> tuple[list[Pair], list[str]]:
    pairs: dict[str, Pair] = {}
    faults = []
    for number, row in rows:
        stated = {key: str(value or "").strip() for key, value in row.items() if key in _KNOWN}
        images = {name: _find_file(path, file) for name, file in _list_images(row).items()}
        named = {"image": images, "label": stated.get("label")}
        if missing := [key for key in _NEEDED if not named[key]]:
            faults.append(f"line {number} of {path.name} has no {' and '.join(missing)}")
            continue
        readers = {name: _find_file(path, file) for name, file in row.get(_READERS, {}).items()}
        first, label = next(iter(images.values())), _find_file(path, stated["label"])
        case = stated.get("case") or strip_suffix(first.name).partition(".")[0]
        files = (*images.values(), label, *readers.values())
        gone = [file for file in files if not file.is_file()]
        if gone:
            faults.append(f"case {case}: no such file: {gone[0]}")
        elif label in images.values():
            faults.append(
                f"case {case} has {label.name} as image and as label: correct one of them"
            )
        elif {"/", "\\"} & {*case}:
            faults.append(f"case {case} has a slash in its name, which names files: leave it out")
        elif case in pairs:
            faults.append(f"case {case} is in {path.name} twice: name each in a column case")
        else:
            fold = stated.get("fold", "")
            if fold and not fold.isdigit():
                faults.append(f"case {case} has the fold {fold!r}: give whole numbers from 0 on")
                continue
            patient = stated.get("patient", "")
            number_of_fold = int(fold) if fold else None
            pairs[case] = Pair(
                *(case, tuple(images.values()), tuple(images), label, patient, number_of_fold),
                readers=readers,
            )
    partly = {pair.fold is None for pair in pairs.values()}
    if len(partly) > 1:
        faults.append(
            f"some cases of {path.name} have a fold and others have none: give all or none"
        )
    return list(pairs.values()), faults


def _find_file(table: Path, name: str) -> Path:
    """The file that a table names; a backslash parts folders, unless a file has it in its name."""
    file = table.parent / name
    return file if file.exists() else table.parent / name.replace("\\", "/")


def _list_images(row: Mapping[str, Any]) -> dict[str, str]:
    """Channel -> file: of a table by its columns, of a datalist numbered; "" for one alone."""
    image = row.get("image") or ""
    if isinstance(image, list) and len(image) > 1:
        return {f"{place:04}": file for place, file in enumerate(image) if file}
    columns = {key: row[key] for key in row if str(key).startswith(_CHANNEL)}
    images = {key.removeprefix(_CHANNEL): file for key, file in columns.items()}
    images = images or {"": image[0] if isinstance(image, list) else image}
    return {name: str(file).strip() for name, file in images.items() if file and str(file).strip()}
