"""Record: what a run is made of, so that only the same run is resumed."""

import hashlib
import json
import logging
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import ignite.distributed as idist

import medseg
from medseg.base.channels.case_paths import list_paths
from medseg.base.pages import find_page
from medseg.base.text import name_cases
from medseg.engines.changeable_settings import (
    ABSENT,
    HANDLERS,
    MAY_CHANGE,
    is_launch,
    list_changeable_choices,
    may_change,
    walk_handlers,
)
from medseg.transforms.cache_key import describe

logger = logging.getLogger(__name__)

_BATCHES = ("batch_size", "train#dataloader#batch_size")
_BY_CONTENT = ("label", "instances")
_SHOWN = 4
_BLOCK = 2**20
_IMAGE_BYTES = 16 * 2**20
_FILE_BYTES = 2**16
_PLACES = 16
_SECTIONS = ("training", "validation")


_CHANGED_OFTEN = ("max_epochs", "patience", "num_workers", "device", "dataset_dir")


def describe_run(
    choices: Mapping[str, Any],
    *,
    config: Mapping[str, Any] | None = None,
    training: Sequence[Mapping[str, Any]],
    validation: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """What a run is made of, in plain values: its choices, its config, and its cases by section.

    Args:
        choices: key of the config -> value. `batch_size` counts for all processes together.
        config: the whole config with its overrides, see `read_config_in_use`; None records none.
        training: the cases, dictionaries with `case` and the paths of their files.
        validation: likewise.

    Returns:
        `choices`, without those in `MAY_CHANGE`, but with `max_epochs` where the learning rate
        falls over all of them; under `settings`, for each place in the
        components, such as `optimizer#lr`, its value, or its text where it stands for no plain
        value; handlers are named by their class, such as
        `train#handlers#ValidationHandler#interval`, and those without an effect are left out; under
        `training` and `validation`, for each case, the digest of its files: images by their sizes,
        labels by their content; under `images` that of its images by their content, of which 16
        places are read where they have more than 16 MiB. Names and places of files are not
        compared, so that a dataset may be moved.

    Raises:
        FileNotFoundError: a file of a case is gone.

    Example:
        >>> describe_run({"fold": 0, "max_epochs": 9}, training=[], validation=[])["choices"]
        {'fold': 0}
    """
    training, validation = name_cases(training), name_cases(validation)
    kept = {
        key: value for key, value in choices.items() if key not in list_changeable_choices(choices)
    }
    settings = {
        key: value
        for key, value in (config or {}).items()
        if not (key in choices or key in MAY_CHANGE or is_launch(key))
    }
    return {
        "version": medseg.__version__,
        "choices": _make_plain(_describe_for_all_processes(kept)),
        "settings": _make_plain(_describe_for_all_processes(dict(_walk_places("", settings)))),
        "images": {str(case["case"]): _digest_image(case) for case in chain(training, validation)},
        "training": {str(case["case"]): _digest(case) for case in training},
        "validation": {str(case["case"]): _digest(case) for case in validation},
    }


def check_record(path: str | os.PathLike, saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to resume a run with other choices or other cases.

    A choice that only one of the two records has is not compared, as another version has other
    keys. Components are compared only if both records are of one version, which builds them alike.

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
        if key in after and not _are_same(key, before[key], after[key])
    ]
    if saved.get("version") == now.get("version") and "settings" in saved:
        changed += _find_changed_places(saved["settings"], now["settings"])
    elif idist.get_rank() == 0:
        logger.warning(
            "%s was written by a version that recorded components differently: make sure that "
            "overrides such as --optimizer#lr are those of that run",
            path,
        )
    what = "with other settings" if changed else "on other cases"
    if differences := changed or list(_find_changed_cases(saved, now)):
        run = shlex.quote(str(Path(path).parent))
        often = ", ".join(key for key in _CHANGED_OFTEN if key not in before)
        raise ValueError(
            f"{path} holds a run {what} ({_join_first(differences)}): leave these as the run has "
            f"them, which -b {run} --resume True does by itself, or pass another "
            f"--output_dir to start a new run; only {often} and the other settings listed in "
            f"{find_page(__name__)} may change"
        )


def _make_plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they would be read back from a JSON file."""
    return json.loads(json.dumps(values, default=describe))


def _describe_for_all_processes(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, in which a batch size is that of all processes together."""
    return {
        key: value * idist.get_world_size() if key in _BATCHES and isinstance(value, int) else value
        for key, value in values.items()
    }


def _are_same(key: str, before: Any, after: Any) -> bool:
    """Whether a choice is the same; the order of classes counts, that of their values does not."""
    if key == "classes" and isinstance(before, Mapping) and isinstance(after, Mapping):
        return [(k, sorted(v)) for k, v in before.items()] == [
            (k, sorted(v)) for k, v in after.items()
        ]
    return before == after


def _walk_places(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every plain value below a place of a config, with its key as one would override it."""
    is_list = isinstance(value, (list, tuple))
    by_class = is_list and place in HANDLERS
    items: list[tuple[Any, Any]] = []
    if by_class:
        items = list(walk_handlers(value))
    elif is_list:
        items = list(enumerate(value))
    elif isinstance(value, Mapping):
        items = list(value.items())
    if not (items or by_class):
        yield place, value
    for key, part in items:
        yield from _walk_places(f"{place}#{key}" if place else str(key), part)


def _find_changed_places(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """The places that differ. A component that only one of the two records has is not compared."""
    tops = {place.split("#")[0] for place in before} & {place.split("#")[0] for place in after}
    for place in dict.fromkeys((*before, *after)):
        was, now = before.get(place, ABSENT), after.get(place, ABSENT)
        if was != now and place.split("#")[0] in tops and not may_change(place, was, now):
            yield f"{place} was {was}, is {now}"


def _join_first(differences: Sequence[str]) -> str:
    more = len(differences) - _SHOWN
    return "; ".join(differences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _find_changed_cases(saved: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """How each case changed: first those that moved between training and validation."""
    before, after = _describe_sections(saved), _describe_sections(now)
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


def _describe_sections(record: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {case: (name, digest) for name in _SECTIONS for case, digest in record[name].items()}


def _digest(case: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for key in ("image", *_BY_CONTENT):
        for file in _list_files_of_case(case, key):
            digest.update(f"{key} {file.stat().st_size}\n".encode())
            if key in _BY_CONTENT:
                with file.open("rb") as content:
                    _add_content(digest, content)
    return digest.hexdigest()[:16]


def _digest_image(case: Mapping[str, Any]) -> str:
    """A digest of at most about 16 MiB of a case's images, or of 64 KiB of each file.

    Of larger files the first and last bytes are read, and some at even distances between them. The
    last bytes of a compressed file hold a checksum of the whole.
    """
    digest, files = hashlib.sha256(), _list_files_of_case(case, "image")
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


def _list_files_of_case(case: Mapping[str, Any], key: str) -> list[Path]:
    return [file for path in list_paths(case.get(key)) for file in _list_files(Path(path))]


def _list_files(path: Path) -> list[Path]:
    """A file, or those of a folder."""
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _add_content(digest: Any, content: BinaryIO) -> None:
    while block := content.read(_BLOCK):
        digest.update(block)
