"""Derive: the files of a bundle that differs from another one in some keys."""

import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from medseg.base.files import whole
from medseg.base.path_keys import escape_for_monai_if_needed
from medseg.bundles import build
from medseg.bundles.bundle import (
    METADATA,
    OPTIONAL,
    PUBLISHED,
    RUN_FILE,
    format_day,
    name_values,
    read_json_object,
)
from medseg.bundles.layers.merge import CONFIG_NAMES
from medseg.transforms import count_logit_channels

logger = logging.getLogger(__name__)

_FIRST = "0.1.0"
_OF_WEIGHTS = ("eval_metrics", "training_cases", "known_faults")
"""Metadata about the weights of a bundle, which do not hold for a bundle made from it."""
_LEFT_OUT = {"companion": None}
"""Keys that name files of a bundle which a bundle made from it does not get."""
_CARD = "docs/README.md"


def write_derived(
    bundle: Path,
    made: Path,
    *,
    changes: Mapping[str, Mapping[str, Any]],
    note: str,
    title: str,
    card: str | None = None,
    scores: Mapping[str, float] | None = None,
) -> None:
    """Write all files of a bundle except its weights, from those of another one.

    Licences and `logging.conf` that the other one lacks are left out, and a warning names them.
    If the other one has no card, the card is the note alone.

    Args:
        bundle: folder of the bundle that it is made from.
        made: folder of the new one; it may exist, files of the same names are replaced. It may be
            `bundle` itself: then only its configs are changed.
        changes: config, such as "train" -> keys with their new values; nested keys as `a#b`. A key
            whose top level is not in the config is left out.
        note: one line that says what it is; for the configs and the metadata.
        title: what its name has after that of `bundle`, such as "pruned".
        scores: of its weights, which are made from those of `bundle`, for the metadata; those of
            `bundle` are not copied.
        card: text of docs/README.md; None copies that of `bundle` below the note.

    Raises:
        FileNotFoundError: a config of `bundle` is missing.
    """
    is_itself = made.resolve() == bundle.resolve()
    left_out = {} if is_itself else _LEFT_OUT
    parsers = {
        name: _change(_read(bundle, f"configs/{name}.json"), {**left_out, **changes.get(name, {})})
        for name in CONFIG_NAMES
    }
    for name, parser in parsers.items():
        parser["_generated_"] = escape_for_monai_if_needed(note)
        _write(made / "configs" / f"{name}.json", build.format_config(parser.get()))
    if is_itself:
        return
    original = {k: v for k, v in _read(bundle, METADATA).items() if k not in _OF_WEIGHTS}
    metadata = _describe(original, parsers, note=note, title=title)
    if scores is not None:
        metadata |= {"eval_metrics": dict(scores), **_describe_data_of_run(bundle)}
    _write(made / METADATA, build.format_config(metadata))
    if card is None:
        card = f"{note[:1].upper()}{note[1:]}.\n"
        if (bundle / _CARD).is_file():
            card += "\n" + (bundle / _CARD).read_text(encoding="utf-8")
    _write(made / _CARD, card)
    _copy_optional(bundle, made)
    build.write_flat_names(made)


def _describe_data_of_run(bundle: Path) -> dict[str, str]:
    """The source of the data for the metadata, where the weights are of a training of the user."""
    file = next(
        (bundle / name for name in (RUN_FILE, PUBLISHED) if (bundle / name).is_file()), None
    )
    if file is None:
        return {}
    day = format_day(read_json_object(file))
    return {"data_source": f"the cases of a training of yours, begun on {day}"}


def _copy_optional(bundle: Path, made: Path) -> None:
    """Copy the licences and similar files that are there, and name those that are missing."""
    missing = []
    for file in (file for file in OPTIONAL if file != _CARD):
        if (bundle / file).is_file():
            (made / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle / file, made / file)
        else:
            missing.append(file)
    if missing:
        logger.warning("%s has no %s, so neither has %s", bundle, ", ".join(missing), made)


def _change(config: dict[str, Any], changes: Mapping[str, Any]) -> ConfigParser:
    parser = ConfigParser(config)
    for key, value in changes.items():
        if key.partition("#")[0] in config:
            parser[key] = value
    return parser


def _describe(
    metadata: dict[str, Any], parsers: Mapping[str, ConfigParser], *, note: str, title: str
) -> dict[str, Any]:
    """The metadata with the classes and channels that the configs have now."""
    metadata["version"], metadata["changelog"] = _FIRST, {_FIRST: note}
    metadata["name"] = f"{metadata['name']}, {title}"
    metadata["description"] = f"{metadata['description']} This one: {note}."
    classes, train = parsers["inference"].get("classes"), parsers["train"]
    if not isinstance(classes, Mapping):
        return metadata  # an expression, which only the workflow works out
    network = metadata["network_data_format"]
    pred, image = network["outputs"]["pred"], network["inputs"]["image"]
    if pred["channel_def"] != name_values(classes):
        pred["channel_def"] = name_values(classes)
        metadata["pred_classes"] = ", ".join(
            f"{value} {name}" for value, name in pred["channel_def"].items()
        )
    pred["num_channels"] = count_logit_channels(classes)
    if isinstance(count := train.get("in_channels"), int) and count != image["num_channels"]:
        image["num_channels"] = count
        image["channel_def"] = {str(i): f"image {i}" for i in range(count)}
    return metadata


def _read(bundle: Path, file: str) -> dict[str, Any]:
    _check_there(bundle, file)
    return json.loads((bundle / file).read_text())


def _check_there(bundle: Path, file: str) -> None:
    if not (bundle / file).is_file():
        raise FileNotFoundError(
            f"{os.path.realpath(bundle)} is not a complete bundle, it has no {file}: restore the "
            "file, or pass the folder of a whole bundle with -b or --bundle_root"
        )


def _write(path: Path, text: str) -> None:
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
