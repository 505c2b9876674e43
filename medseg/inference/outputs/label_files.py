"""Label files: what the values of the masks in a folder mean, for people, programs and viewers."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from medseg.base.files import whole
from medseg.base.text import escape_unprintable
from medseg.labels import BRIGHT_COLOURS, COLOURS, OUTSIDE, Code, Label, LabelTable, make_table

JSON_FILE, ITK_SNAP_FILE, SLICER_FILE = "labels.json", "labels.label", "labels.ctbl"
JSON_SCHEMA = "medseg-labels-1"
"""Names the fields of labels.json; a field that changes its meaning changes this."""
_SCHEMAS = JSON_SCHEMA.rstrip("0123456789")

_MORE_CODES = ("laterality", "site")
"""Coded concepts of a label that a labels.json has only where they are known."""

_ITK_SNAP_HEADER = """\
################################################
# ITK-SnAP Label Description File
# File format:
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
# Fields:
#    IDX:   Zero-based index
#    -R-:   Red color component (0..255)
#    -G-:   Green color component (0..255)
#    -B-:   Blue color component (0..255)
#    -A-:   Label transparency (0.00 .. 1.00)
#    VIS:   Label visibility (0 or 1)
#    IDX:   Label mesh visibility (0 or 1)
#  LABEL:   Label description
################################################
"""


class LabelFiles:
    """Writes labels.json, labels.label and labels.ctbl into a folder of masks.

    All masks of a folder have the same values, so that one description serves them all: a viewer
    reads it once. `labels.label` is for ITK-SNAP, `labels.ctbl` for 3D Slicer, `labels.json` for
    programs. They state value, name and colour of each class, the JSON also its coded concept.
    Files that are there already stay as they are, so that colours may be changed by hand; but a
    folder whose files name other labels is refused, for they would name the new masks wrongly.

    Args:
        output_dir: folder of the masks, made if absent.
        classes: names of the classes 1, 2, ...; or each with the label values that it gathers.
        bright: use the colours of previews of pictures in colour.

    Raises:
        ValueError: in `check` and in the call, if the folder has a description of other labels.

    Example:
        >>> files = LabelFiles("masks", {"liver": [1, 2], "tumour": [2]})
        >>> files.check()
        >>> files()  # doctest: +SKIP
    """

    def __init__(
        self,
        output_dir: str | os.PathLike,
        classes: Sequence[str] | Mapping[str, Sequence[int]],
        *,
        bright: bool = False,
    ) -> None:
        self.folder = Path(output_dir)
        self.table = make_table(classes, colours=BRIGHT_COLOURS if bright else COLOURS)

    def check(self) -> None:
        """Refuse a folder whose files name other labels; nothing is written.

        Raises:
            ValueError: they do, or labels.json is missing or damaged and another one differs.
        """
        names = [label.name for label in self.table]
        if (self.folder / JSON_FILE).exists():
            found = _read_names(self.folder / JSON_FILE)
            if found != names:
                self._refuse(JSON_FILE, f"{', '.join(found)} instead of {', '.join(names)}")
            return
        for name, format_table in _FORMATS.items():
            place = self.folder / name
            if place.exists() and place.read_bytes() != format_table(self.table).encode():
                self._refuse(name, f"no {JSON_FILE} says whether they are {', '.join(names)}")

    def __call__(self, _case: Any = None) -> None:
        """Write the files that are missing, whichever case `WriteOutputs` gives."""
        self.check()
        for name, format_table in _FORMATS.items():
            if not (self.folder / name).exists():
                with whole(self.folder / name) as partial:
                    partial.write_text(format_table(self.table), encoding="utf-8")

    def _refuse(self, name: str, difference: str) -> None:
        raise ValueError(
            f"{self.folder / name} describes masks with other labels ({difference}): write to "
            f"another folder, or remove {', '.join(_FORMATS)} if no mask there needs them"
        )


def is_of_masks(folder: Path) -> bool:
    """Whether a folder has the labels.json of `LabelFiles`, as one of masks or of a run has.

    A labels.json of another program, or one that cannot be read, says nothing.
    """
    try:
        content = json.loads((folder / JSON_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and str(content.get("schema", "")).startswith(_SCHEMAS)


def read_table(file: str | os.PathLike) -> LabelTable:
    """The label table of a labels.json.

    Raises:
        OSError: it cannot be read.
        ValueError: it does not describe labels.

    Example:
        >>> read_table("masks/labels.json")["liver"].index  # doctest: +SKIP
        1
    """
    try:
        listed = json.loads(Path(file).read_text("utf-8"))["labels"]
        return LabelTable(tuple(map(_read_label, listed)))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file} does not describe labels ({error}): put the file there again that medseg wrote"
        ) from error


def _read_label(stated: Mapping[str, Any]) -> Label:
    value, (red, green, blue) = stated["value"], stated["rgb"]
    codes = {key: stated[key] and Code(**stated[key]) for key in ("category", "type")}
    codes |= {key: Code(**stated[key]) for key in _MORE_CODES if stated.get(key)}
    inner = tuple(stated["members"])
    members = None if inner == (value,) else inner
    name = stated["name"]
    whole = None if members is None else stated.get("whole") or name.partition(OUTSIDE)[0]
    return Label(value, name, (red, green, blue), members=members, whole=whole, **codes)


def format_json(table: LabelTable) -> str:
    """A label table as JSON.

    `labels` has for each value its `value`, `name`, `rgb`, `category` and `type` (coded concepts,
    or null), `members`, the values of the mask that belong to the class, and `whole`, its name with
    the classes that it encloses, or null. `laterality` and `site`, coded too, are there where
    known.
    """
    labels = [
        {
            "value": label.index,
            "name": label.name,
            "rgb": label.rgb,
            "category": None if label.category is None else asdict(label.category),
            "type": None if label.type is None else asdict(label.type),
            "members": label.members or (label.index,),
            "whole": label.whole,
            **{key: asdict(code) for key in _MORE_CODES if (code := getattr(label, key))},
        }
        for label in table
    ]
    rows = ",\n    ".join(json.dumps(label, ensure_ascii=False) for label in labels)
    return f'{{\n  "schema": "{JSON_SCHEMA}",\n  "labels": [\n    {rows}\n  ]\n}}\n'


def format_itk_snap(table: LabelTable) -> str:
    """A label table as ITK-SNAP's label description; a quotation mark in a name is a single one.

    Source: the header of the files that ITK-SNAP itself writes.
    """
    rows = []
    for label in table:
        red, green, blue = label.rgb
        shown = min(label.index, 1)
        numbers = f"{label.index:5d}  {red:3d}  {green:3d}  {blue:3d}  {shown:5d}  {shown}  {shown}"
        rows.append(f'{numbers}    "{_clean(label.name)}"')
    return _ITK_SNAP_HEADER + "\n".join(rows) + "\n"


def format_slicer(table: LabelTable) -> str:
    """A label table as 3D Slicer's colour table; a space in a name is an underscore.

    Source: 3D Slicer's documentation, Developer Guide, Colors, "Color table file format".
    """
    rows = []
    for label in table:
        name, opacity = _clean(label.name).replace(" ", "_"), 255 * min(label.index, 1)
        rows.append(" ".join(map(str, (label.index, name, *label.rgb, opacity))))
    return f"# Color table file {SLICER_FILE}\n# {len(table)} values\n" + "\n".join(rows) + "\n"


def _clean(name: str) -> str:
    """A name on one line, in which a single quotation mark stands for a double one."""
    return escape_unprintable(" ".join(name.split())).replace('"', "'")


def _read_names(file: Path) -> list[str]:
    """The names of the values 0, 1, 2, ... of a labels.json."""
    try:
        return [str(label["name"]) for label in json.loads(file.read_text("utf-8"))["labels"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file} does not describe labels ({error!r}): move it away, or write to another folder"
        ) from error


_FORMATS: dict[str, Callable[[LabelTable], str]] = {
    JSON_FILE: format_json,
    ITK_SNAP_FILE: format_itk_snap,
    SLICER_FILE: format_slicer,
}
