"""Trained on: the ranges of what a network was trained on, with its weights and beside them."""

import hashlib
import json
import logging
import os
import re
import zipfile
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from medseg.base.files import whole

logger = logging.getLogger(__name__)

VERSION = 2
"""Of the form of the file. Version 1 had no settings; others are not read."""

CARRIED = "medseg.trained_on"
"""The key of the ranges in the `_metadata` of a state dict, whose other keys name modules; no
module has this name, so whatever loads the state dict passes over it."""

_TEXT = "text"
_CHUNK = 2**20

Ranges = dict[str, list[float]]


@dataclass
class TrainedOn:
    """Lowest and highest value of each quantity over training cases, and where they come from.

    Attributes:
        about: which data: name, fold, split_seed, ...; it holds no name of a case.
        cases: how many were measured.
        modality: "CT", "MR" or "picture".
        dimensions: 2 for pictures, 3 for volumes.
        image: name of a quantity -> its range, see `quantities.OF_IMAGE`.
        classes: class -> name of a quantity -> its range, see `quantities.OF_CLASS`.
        appearance: of pictures and MR the features of each case, see `appearance.FEATURES`, in an
            order that says nothing.
        weights: SHA-256 of the files of weights that these ranges belong to.
        version: of the form of the file.
        settings: what they were trained for, see `settings.SETTINGS`.
    """

    about: dict[str, Any]
    cases: int
    modality: str
    dimensions: int
    image: Ranges = field(default_factory=dict)
    classes: dict[str, Ranges] = field(default_factory=dict)
    appearance: list[dict[str, float]] = field(default_factory=list)
    weights: list[str] = field(default_factory=list)
    version: int = VERSION
    settings: dict[str, Any] = field(default_factory=dict)

    def is_of(self, weights: str | os.PathLike) -> bool:
        """Whether these are the ranges of the weights in a file; not, where there is none."""
        return os.path.isfile(weights) and _digest(weights) in self.weights


def find_path_beside(weights: str | os.PathLike) -> Path:
    """Where the ranges of weights are kept: "model.pt" has "model.trained_on.json"."""
    return Path(weights).with_suffix(".trained_on.json")


def read_trained_on(weights: str | os.PathLike) -> TrainedOn | None:
    """The ranges beside weights, or those that the weights carry; None where there are none.

    Where the file beside them is not used, see `explain_not_used`, what they carry counts. Of
    weights that carry nothing it may be the file of others, as where somebody put a file in the
    place of another: `TrainedOn.is_of` says so.

    Raises:
        ValueError: the ranges are damaged, or of another version.
    """
    return _find(weights)[0]


def explain_not_used(weights: str | os.PathLike) -> str:
    """Why the file beside weights that carry their ranges themselves is not used; else empty.

    Raises:
        ValueError: as `read_trained_on`.
    """
    return _find(weights)[1]


def carry_trained_on(state: Mapping[str, Any], found: TrainedOn) -> "OrderedDict[str, Any]":
    """A state dict with the same tensors that carries the ranges into its file.

    So weights that are copied without the file beside them still say what they were trained for.
    The state dict stays flat: the ranges are in its attribute `_metadata`, where PyTorch keeps a
    dictionary for each module, which `torch.save` and `torch.load` keep.

    Example:
        >>> carry_trained_on({"weight": [1.0]}, TrainedOn({}, 9, "CT", 3)).keys()
        odict_keys(['weight'])
    """
    carrying = OrderedDict(state)
    before = getattr(state, "_metadata", {})
    ours = {CARRIED: {_TEXT: _format_record(found)}}
    carrying._metadata = OrderedDict({**before, **ours})  # type: ignore[attr-defined]
    return carrying


def write_trained_on(
    found: TrainedOn, weights: str | os.PathLike, *, partial: str | os.PathLike | None = None
) -> Path:
    """Write ranges beside weights, whole or not at all, with the digest of the weights.

    Args:
        found: the ranges.
        weights: the file of the weights.
        partial: the weights themselves where they have not got that name yet. The ranges are
            written first, so that new weights never lie beside the ranges of others, whenever the
            process is killed. Where the weights that are there have the same ranges, as those of
            an earlier epoch, the file names both.
    """
    path = find_path_beside(weights)
    digests = [_digest(partial or weights)]
    before = read_ranges(weights) if partial is not None else None
    if before is not None and _format_record(before) == _format_record(found):
        digests.append(_digest(weights))
    with whole(path) as unfinished:
        unfinished.write_text(_format_record(found, digests), encoding="utf-8")
    return path


def read_ranges(weights: str | os.PathLike) -> TrainedOn | None:
    """The ranges that are certainly of these weights; else None, which the log says.

    Where the weights themselves are absent, nothing is to be said.
    """
    if not os.path.isfile(weights):
        return None
    try:
        found, not_used = _find(weights)
    except ValueError as error:
        logger.warning("%s", error)
        return None
    if not_used:
        logger.warning("%s", not_used)
    if found is None or found.is_of(weights):
        return found
    logger.warning("%s", explain_not_compared(weights))
    return None


def copy_trained_on(weights: str | os.PathLike, to: str | os.PathLike) -> None:
    """Give the ranges of weights to other weights that have the same: a copy, or a part of them.

    Args:
        weights: where nothing says what they were trained on, nothing is written.
        to: the file of the other weights.
    """
    if (found := read_ranges(weights)) is not None:
        write_trained_on(found, to)


def explain_not_compared(weights: str | os.PathLike) -> str:
    """What to say of ranges that are not of the weights beside which they lie."""
    return (
        f"{find_path_beside(weights).name} was written for other weights than "
        f"{Path(weights).name}, "
        f"so nothing is compared with the training cases: put back the file that came with these "
        f"weights, or make it with scripts/measure_training_cases.py"
    )


def _find(weights: str | os.PathLike) -> tuple[TrainedOn | None, str]:
    """The ranges of weights, and why those in the file beside them are not these."""
    path, carried = find_path_beside(weights), _read_carried(weights)
    if not path.is_file():
        return carried, ""
    why = ""
    try:
        remedy = "restore it, or remove it to segment without these checks"
        beside = _parse(path.read_text(encoding="utf-8"), name=path, remedy=remedy)
    except ValueError as error:
        if carried is None:
            raise
        return carried, _explain(path, weights, f"cannot be read ({error})")
    if carried is None:
        return beside, ""
    if not beside.is_of(weights):
        why = f"was written for other weights than {Path(weights).name}"
    elif beside.settings != carried.settings:
        why = "says that these weights were trained with other settings than they say themselves"
    return (carried, _explain(path, weights, why)) if why else (beside, "")


def _explain(path: Path, weights: str | os.PathLike, why: str) -> str:
    return f"{path.name} {why}: what {Path(weights).name} itself says counts; remove {path}"


def _read_carried(weights: str | os.PathLike) -> TrainedOn | None:
    """What weights carry, see `carry_trained_on`; tensors are mapped, and nothing is executed."""
    if not zipfile.is_zipfile(weights):  # there is none, or it is one of safetensors
        return None
    try:
        state = torch.load(os.fspath(weights), map_location="cpu", weights_only=True, mmap=True)
        text = state._metadata[CARRIED][_TEXT]
    except Exception:  # damaged bytes make torch raise ten kinds of error; who loads them says so
        return None
    remedy = "copy the file again, or use other weights"
    return replace(_parse(text, name=weights, remedy=remedy), weights=[_digest(weights)])


def _parse(text: str, *, name: str | os.PathLike, remedy: str) -> TrainedOn:
    try:
        found = TrainedOn(**json.loads(text))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{name} does not say what the weights were trained on ({error}): {remedy}"
        ) from error
    if found.version not in (1, VERSION):
        raise ValueError(
            f"{name} is of version {found.version}, this medseg reads versions 1 and {VERSION}: "
            f"{remedy}"
        )
    return found


def _format_record(found: TrainedOn, digests: Sequence[str] = ()) -> str:
    """As JSON, the numbers of a range or a case in one line each."""
    text = json.dumps(asdict(replace(found, weights=list(digests))), indent=2)
    return re.sub(r"([\[{])\n([^\[\]{}]*)\n\s*([\]}])", _write_in_one_line, text) + "\n"


def _write_in_one_line(found: re.Match[str]) -> str:
    return found[1] + " ".join(line.strip() for line in found[2].splitlines()) + found[3]


def _digest(path: str | os.PathLike) -> str:
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
