"""Record: what a run is made of, so that it is resumed as the same run and as no other."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import ignite.distributed as idist

import medseg
from medseg.transforms.fingerprint import describe

logger = logging.getLogger(__name__)

MAY_CHANGE = (
    *("max_epochs", "patience", "val_interval", "resume"),
    *("num_workers", "device", "backend", "mixed_precision", "checkpointing"),
    *("output_dir", "resume_file", "weights", "cache_dir", "bundle_root"),
    *("dataset_dir", "encoder_weights"),
)
"""Choices that a resumed run may make anew: how long, by what machine and where. `dataset_dir` is
among them because the cases themselves are compared, and `encoder_weights` because a run reads them
at its start alone."""

_LAUNCH = (
    *("imports", "initialize", "finalize", "training", "run", "network", "is_not_rank0"),
    *("record", "choices"),
)
"""Keys of a config that say how a run is started, differently for one process and for several."""

_MACHINE = ("pin_memory", "prefetch_factor", "sw_batch_size", "sw_device")
"""Settings inside a component that change how fast it works and how much memory it takes."""

_GROWS = ("train#handlers", "validate#handlers", "validate#dataloader#sampler")
"""Places where several processes, and tracking, add to a config."""

_ABSENT = "absent"

_BY_CONTENT = ("label", "instances")
_SHOWN = 4
_BLOCK = 2**20
_IMAGE_BYTES = 16 * 2**20
_FILE_BYTES = 2**16
_PLACES = 16
_SECTIONS = ("training", "validation")


def run_record(
    choices: Mapping[str, Any],
    *,
    config: Mapping[str, Any] | None = None,
    training: Sequence[Mapping[str, Any]],
    validation: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """What a run is made of, in plain values: its choices, its config, and its cases by section.

    Args:
        choices: key of the config -> value. `batch_size` counts for all processes together.
        config: the whole config with its overrides, see `config_in_use`; None records none.
        training: the cases, dictionaries with `case` and the paths of their files.
        validation: likewise.

    Returns:
        `choices`, without those in `MAY_CHANGE`; under `config`, for each place in the components,
        such as `optimizer#lr`, its text; under `training` and `validation`, for each case, the
        digest of its files: images by their sizes, labels by their content; under `images` that of
        its images by their content, of which 16 places are read where they have more than 16 MiB.
        No file counts by name or place, so that a dataset may be moved.

    Raises:
        FileNotFoundError: a file of a case is gone.

    Example:
        >>> run_record({"fold": 0, "max_epochs": 9}, training=[], validation=[])["choices"]
        {'fold': 0}
    """
    kept = {key: value for key, value in choices.items() if key not in MAY_CHANGE}
    if isinstance(kept.get("batch_size"), int):
        kept["batch_size"] *= idist.get_world_size()
    wiring = {key: text for key, text in (config or {}).items() if _is_component(key, choices)}
    return {
        "version": medseg.__version__,
        "choices": json.loads(json.dumps(kept, default=describe)),
        "config": json.loads(json.dumps(dict(_places("", wiring)), default=describe)),
        "images": {str(case["case"]): _image_digest(case) for case in chain(training, validation)},
        "training": {str(case["case"]): _digest(case) for case in training},
        "validation": {str(case["case"]): _digest(case) for case in validation},
    }


def check_record(path: str | os.PathLike, saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with a run by other choices or on other cases.

    A choice that only one of both records has is not compared: another version knows other keys.
    Components are compared with those of the same version alone, which are built alike.

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
    if saved.get("version") == now.get("version") and "config" in saved:
        changed += _changed_places(saved["config"], now["config"])
    elif idist.get_rank() == 0:
        logger.warning(
            "%s is of a version that recorded components otherwise: make sure that overrides "
            "such as --optimizer#lr are those of that run",
            path,
        )
    what = "by other settings" if changed else "on other cases"
    if differences := changed or list(_changed_cases(saved, now)):
        raise ValueError(
            f"{path} holds a run {what} ({_first(differences)}): give what that run had, or "
            "another --output_dir to start a new run"
        )


def _is_component(key: str, choices: Mapping[str, Any]) -> bool:
    return not (key in choices or key in MAY_CHANGE or key in _LAUNCH or key.startswith("_"))


def _places(place: str, text: Any) -> Iterator[tuple[str, Any]]:
    """Every plain value below a place of a config, with its key as one would override it."""
    if isinstance(text, Mapping):
        items = list(text.items())
    elif isinstance(text, (list, tuple)):
        items = list(enumerate(text))
    else:
        items = []
    if not items:
        yield place, text
    for key, value in items:
        yield from _places(f"{place}#{key}" if place else str(key), value)


def _changed_places(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """The places that differ; a whole component that only one of both has is not compared."""
    tops = {place.split("#")[0] for place in before} & {place.split("#")[0] for place in after}
    for place in dict.fromkeys((*before, *after)):
        was, now = before.get(place, _ABSENT), after.get(place, _ABSENT)
        grows = _ABSENT in (was, now) and place.startswith(_GROWS)
        if was == now or grows or place.split("#")[0] not in tops:
            continue
        if place.split("#")[-1] in (*MAY_CHANGE, *_MACHINE) or _is_free(was) or _is_free(now):
            continue
        yield f"{place} was {was}, is {now}"


def _is_free(text: Any) -> bool:
    """Whether a text of a config refers to a choice that may be made anew."""
    return isinstance(text, str) and text.startswith("@") and text[1:] in MAY_CHANGE


def _first(differences: Sequence[str]) -> str:
    more = len(differences) - _SHOWN
    return "; ".join(differences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _changed_cases(saved: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What happened to each case that is no longer what it was, those that changed sides first."""
    before, after = _sections(saved), _sections(now)
    for case in sorted(before.keys() & after.keys()):
        if before[case][0] != after[case][0]:
            yield f"case {case} was for {before[case][0]}, is for {after[case][0]}"
    images = saved.get("images", {})
    for case in sorted(before.keys() & after.keys()):
        same_image = images.get(case) in (None, now.get("images", {}).get(case))
        if before[case][0] == after[case][0] and not (before[case] == after[case] and same_image):
            yield f"case {case} has another image or label"
    for case in sorted(before.keys() ^ after.keys()):
        yield f"case {case} is {'gone' if case in before else 'new'}"


def _sections(record: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {case: (name, digest) for name in _SECTIONS for case, digest in record[name].items()}


def _digest(case: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for key in ("image", *_BY_CONTENT):
        for file in _files_of(case, key):
            digest.update(f"{key} {file.stat().st_size}\n".encode())
            if key in _BY_CONTENT:
                with file.open("rb") as content:
                    _add_content(digest, content)
    return digest.hexdigest()[:16]


def _image_digest(case: Mapping[str, Any]) -> str:
    """Of the content of a case's images, of at most about 16 MiB, or 64 KiB for each of its files.

    Of larger files the first and last bytes count, and those at places evenly between: a compressed
    file ends with a checksum of all of it.
    """
    digest, files = hashlib.sha256(), _files_of(case, "image")
    share = max(_IMAGE_BYTES // max(len(files), 1), _FILE_BYTES)
    for file in files:
        size = file.stat().st_size
        digest.update(f"{size}\n".encode())
        with file.open("rb") as content:
            if size <= share:
                _add_content(digest, content)
                continue
            for place in range(_PLACES):
                content.seek((size - share // _PLACES) * place // (_PLACES - 1))
                digest.update(content.read(share // _PLACES))
    return digest.hexdigest()[:16]


def _files_of(case: Mapping[str, Any], key: str) -> list[Path]:
    values = case.get(key, ())
    values = (values,) if isinstance(values, (str, os.PathLike)) else values
    return [file for value in values for file in _files(Path(value))]


def _files(path: Path) -> list[Path]:
    """A file, or those of a folder."""
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _add_content(digest: Any, content: BinaryIO) -> None:
    while block := content.read(_BLOCK):
        digest.update(block)
