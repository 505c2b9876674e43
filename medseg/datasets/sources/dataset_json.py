"""Dataset JSON: what the dataset.json of MSD or nnU-Net declares of the cases and labels.

MSD lists `{"image": ..., "label": ...}` under `training`. Version 2 of nnU-Net may list
`{case: {"images": [...], "label": ...}}` under `dataset`. It lists no cases where
the names of the files are enough.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medseg.ingest.formats import strip_suffix

Item = dict[str, Any]
"""A case: its name, its patient, and the paths of its files."""

MOST_BYTES = 2**24
"""A longer list of cases is refused unread: 50,000 cases with long names take less."""

_MODALITIES = {
    "CT": r"(?:c|cb|ld|ce|ne|nc|nce|hr)?ct[a]?",
    "MR": r"f?mr[ia]?|t[12][a-z]*|flair|adc|dwi|dti|swi|mprage",
    "PET": r"pet|pt|fdg|suv",
    "ultrasound": r"us|ultrasound|ultrasonography",
    "X-ray": r"xray|cr|dx",
}
"""Modality -> the words that stand for it, in small letters."""

_CHANNEL = re.compile(r"(.+)_(\d{4})")
_BACKGROUND = 0  # of every label map, declared or not
_IGNORE = "ignore"  # the name by which nnU-Net knows the label that is left out


@dataclass(frozen=True)
class Declaration:
    """What a dataset.json declares.

    Attributes:
        cases: names of the training cases; None where it lists none.
        values: of the labels, background always included; None where it declares none.
        labels: name of a label file, without its suffix -> case, where the two are not the same.
        ignored: the value of nnU-Net's label "ignore"; None where there is none.
        modality: the name of the first channel, in the user's own words; None where there is none.
    """

    cases: frozenset[str] | None
    values: tuple[int, ...] | None
    labels: dict[str, str] = field(default_factory=dict)
    ignored: int | None = None
    modality: str | None = None


def read_json(path: Path) -> Any:
    """The content of a JSON file, with or without a byte order mark.

    Raises:
        ValueError: it has more than `MOST_BYTES` bytes, is nested too deeply, or is no JSON.
        OSError: it cannot be read.

    Example:
        >>> read_json(Path("datalist.json"))["training"]  # doctest: +SKIP
        []
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ValueError(f"it has {size} bytes, more than the {MOST_BYTES} of any list of cases")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"it is no valid JSON from {place} on") from error
    except UnicodeDecodeError as error:
        raise ValueError("it is no text in UTF-8") from error
    except RecursionError as error:
        raise ValueError(f"it is nested too deeply to be a {path.name}") from error


def read_object(path: Path, *, such_as: str = '{"labels": ...}') -> dict[str, Any]:
    """The content of a JSON file that holds names with values.

    Args:
        path: of the file.
        such_as: how such a file begins, for the error.

    Raises:
        ValueError: as `read_json`, or it holds something else; the line names the file.
        OSError: it cannot be read.

    Example:
        >>> read_object(Path("dataset.json"))["labels"]  # doctest: +SKIP
        {'background': 0, 'kidney': 1}
    """
    try:
        content = read_json(path)
    except ValueError as error:
        raise ValueError(f"{path} cannot be used, {error}: correct it") from error
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else "a single value"
        raise ValueError(f"{path} holds {kind}: write names and values, as in {such_as}")
    return content


def read_declaration(path: Path) -> Declaration:
    """The cases and label values of a dataset.json, in the form of MSD or of nnU-Net.

    Raises:
        ValueError: it is neither.
    """
    try:
        content = read_json(path)
        pairs = list(_list_pairs(content))
        names = content.get("labels") or {}
        ignored = names.get(_IGNORE)
        return Declaration(
            cases=frozenset(image for image, _ in pairs) or None,
            values=_parse_values(names),
            labels=_find_renamed_labels(pairs),
            ignored=None if ignored is None else int(ignored),
            modality=_find_modality(content),
        )
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ) as error:
        raise ValueError(f"{path} is not an MSD dataset.json ({error}): unpack it again") from error


def parse_case(name: str) -> tuple[str, int | None]:
    """The case of an image by nnU-Net's names, and which channel of it the image is.

    Example:
        >>> parse_case("liver_0001"), parse_case("liver_1")
        (('liver', 1), ('liver_1', None))
    """
    match = _CHANNEL.fullmatch(name)
    return (match[1], int(match[2])) if match else (name, None)


def find_other_modality(name: str | None, expected: str) -> str | None:
    """The modality that a name stands for, where that is not the expected one.

    A name that stands for none of the known ones, or for several of which one is expected, is no
    contradiction: names are the user's own.

    Args:
        name: what `dataset.json` calls the images, such as "MRI", "T2-weighted" or "PET/CT".
        expected: "CT" or "MR".

    Example:
        >>> find_other_modality("MRI", "CT"), find_other_modality("PET/CT", "CT")
        ('MR', None)
    """
    words = re.split(r"[^a-z0-9]+", (name or "").lower().replace("x-ray", "xray"))
    found = [key for key, form in _MODALITIES.items() if any(re.fullmatch(form, w) for w in words)]
    return found[0] if found and expected not in found else None


def _list_pairs(content: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """The first image and the label of each training case, without folders and suffixes."""
    for entry in content.get("training") or ():
        if isinstance(entry, Mapping):
            image, label = entry["image"], entry.get("label")
        else:
            image, label = (entry, None) if isinstance(entry, str) else (*entry, None)[:2]
        yield _get_stem(image if isinstance(image, str) else image[0]), label and _get_stem(label)
    for entry in (content.get("dataset") or {}).values():
        yield _get_stem(entry["images"][0]), _get_stem(entry["label"])


def _get_stem(file: str) -> str:
    """The name of a file without folders, of Windows too, and without its suffix."""
    return strip_suffix(re.split(r"[/\\]", file)[-1])


def _find_renamed_labels(pairs: list[tuple[str, str | None]]) -> dict[str, str]:
    """Name of a label -> its case, where it is neither that of its image nor nnU-Net's for it."""
    found: dict[str, str] = {}
    for image, label in pairs:
        case, channel = parse_case(image)
        if label is None or label == image or (label == case and channel == 0):
            continue
        if label in found:
            raise ValueError(f"label {label} is that of two cases")
        found[label] = case if channel == 0 else image
    return found


def _parse_values(labels: Any) -> tuple[int, ...] | None:
    """The values of labels: {"1": "liver"} of MSD, {"liver": 1} or {"liver": [1, 2]} of nnU-Net."""
    found: set[int] = set()
    for key, value in labels.items():
        if isinstance(value, str) and key.lstrip("-").isdigit():
            found.add(int(key))
        elif isinstance(value, list):
            found.update(map(int, value))
        else:
            found.add(int(value))
    return tuple(sorted({_BACKGROUND, *found})) if found else None


def _find_modality(content: Mapping[str, Any]) -> str | None:
    """The first channel's name: {"modality": {"0": "CT"}} of MSD, `channel_names` of nnU-Net."""
    names = content.get("modality") or content.get("channel_names")
    if isinstance(names, Mapping):
        names = names.get("0", next(iter(names.values()), None))
    elif isinstance(names, list):
        names = names[0] if names else None
    return names if isinstance(names, str) else None
