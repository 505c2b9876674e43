"""Describe: what a bundle is, from its files, for people and for machines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medseg.bundles.bundle import (
    METADATA,
    PUBLISHED,
    RUN_FILE,
    WEIGHTS,
    find_config,
    format_day,
    is_run,
    read_json_object,
)
from medseg.bundles.catalogue.locate import LOCAL, list_folders

JSON_SCHEMA = "medseg-bundle-1"
"""The version of the fields of a description; it changes when a field changes its meaning."""

_WORDS = {"val": "validation", "dice": "Dice", "iou": "IoU", "mean": ""}
"""Word of the name of a score -> what a person reads; each score is a mean."""

_TERMS = ("https://", "http://")


def describe(folder: Path) -> dict[str, Any]:
    """What a bundle is; a value that its files do not state is None.

    Args:
        folder: of a bundle, which may be a training run or one of another origin.

    Returns:
        `schema`, `name`, `folder`, `kind` ("bundle" or "run"), `version`, `task`, `description`,
        `classes` (value of the label map, name and coded concept of each), `inputs` (channels,
        modality and file type), `spatial_dims`, `window` (voxels or pixels that the network sees at
        once), `intensity_window_hu`, `spacing_mm` (to which images are resampled), `training_data`
        (of a run the folder of its dataset), `training_cases`, `scores`, `licence` (`code` and
        `data`), `notes` (what of an imported model was left out), `weights_bytes` and `bytes`.

    Raises:
        FileNotFoundError: the bundle has neither an inference.json nor a train.json.
        ValueError: that file, metadata.json or run.json is damaged.

    Example:
        >>> describe(Path("bundles/hippocampus"))["scores"]  # doctest: +SKIP
        {'test_mean_dice': 0.882}
    """
    config = _read_config(folder)
    metadata = read_json_object(folder / METADATA) if (folder / METADATA).is_file() else {}
    weights = folder / WEIGHTS
    has_weights = weights.is_file()
    run = read_training(folder)
    of_weights = {**metadata, **run} if has_weights else {}
    return {
        "schema": JSON_SCHEMA,
        "name": folder.resolve().name,
        "folder": str(folder.resolve()),
        "kind": "run" if is_run(folder) else "bundle",
        "version": metadata.get("version"),
        "task": metadata.get("task"),
        "description": metadata.get("description"),
        "classes": _list_classes(config, metadata),
        "inputs": _describe_inputs(config, metadata),
        "spatial_dims": _read_literal(config, "spatial_dims"),
        "window": _read_literal(config, "image_size"),
        "intensity_window_hu": _read_literal(config, "window_hu"),
        "spacing_mm": _find_spacing(config),
        "training_data": _describe_training_data(folder, config, metadata),
        "training_cases": of_weights.get("cases", {}).get(
            "training", of_weights.get("training_cases")
        ),
        "scores": of_weights.get("scores") or of_weights.get("eval_metrics"),
        "licence": {
            "code": _read_title(folder / "LICENSE"),
            "data": _read_text(folder / "docs" / "data_license.txt"),
        },
        "notes": metadata.get("notes") or [],
        "weights_bytes": weights.stat().st_size if has_weights else None,
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if _is_own(path)),
    }


def describe_all(bundles_dir: Path | None = None) -> list[dict[str, Any]]:
    """A description of each bundle that can be named; for a damaged one only `name` and `error`.

    Args:
        bundles_dir: as in `medseg.bundles.catalogue.locate.list_folders`.

    Raises:
        FileNotFoundError: there is no bundle.
    """
    folders = list_folders(bundles_dir)
    if not folders:
        where = LOCAL if bundles_dir is None else bundles_dir
        place = where.absolute()
        if not place.is_dir():
            raise FileNotFoundError(f"there is no folder {place}: name another --bundles-dir")
        raise FileNotFoundError(
            f"{place} holds no bundles: name the folder that the bundles lie in with --bundles-dir"
        )
    found = []
    for name, folder in folders.items():
        try:
            found.append(describe(folder))
        except (FileNotFoundError, ValueError) as error:
            found.append({"name": name, "folder": str(folder.resolve()), "error": str(error)})
    return found


def read_training(folder: Path) -> dict[str, Any]:
    """What is known of the training of a bundle's weights: its run.json; {} where there is none."""
    for file in (folder / RUN_FILE, folder / PUBLISHED):
        if file.is_file():
            return read_json_object(file)
    return {}


def choose_score(scores: Mapping[str, float] | None) -> str:
    """The one score that a list of bundles shows, in words; "" where there is none.

    Example:
        >>> choose_score({"val_mean_dice": 0.8821, "val_liver": 0.9})
        'validation Dice 0.882'
    """
    if not scores:
        return ""
    name = next((key for key in scores if "mean_dice" in key), next(iter(scores)))
    return format_score(name, scores[name])


def format_score(name: str, value: float) -> str:
    """A score in words: the cases, the metric, the value, and of what it is the mean.

    Example:
        >>> format_score("val_mean_dice", 0.8821), format_score("test_mean_dice_of_slices", 0.85)
        ('validation Dice 0.882', 'test Dice 0.850 of slices')
    """
    metric, _, of = name.partition("_of_")
    words = [_WORDS.get(word, word) for word in metric.split("_")]
    said = " ".join(word for word in words if word)
    return f"{said} {value:.3f}{f' of {of}' if of else ''}".replace("_", " ")


def format_size(size: int | None) -> str:
    """The size of weights, in millions or thousands of bytes.

    Example:
        >>> format_size(13146915), format_size(24310), format_size(None)
        ('13.1 MB', '24.3 kB', 'no weights')
    """
    if size is None:
        return "no weights"
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def format_table(listed: Sequence[Mapping[str, Any]]) -> list[str]:
    """Descriptions as lines of a list, below a line that names its columns.

    A bundle that cannot be read has the reason in place of the columns. What weights were trained
    on is a line of its own below their bundle.
    """
    rows = [("name", "weights", "score", "segments")]
    for each in listed:
        if "error" in each:
            rows.append((each["name"], "", "", f"cannot be read: {each['error']}"))
            continue
        task = each["task"] or "a bundle that does not say its task"
        size, score = format_size(each["weights_bytes"]), choose_score(each["scores"])
        rows.append((each["name"], size, score, task.removeprefix("Segmentation of ")))
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)][:-1]
    lines = [
        "  ".join([*(f"{cell:<{n}}" for cell, n in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]
    below = [""] + [_say_trained_on(each, indent=widths[0] + 2) for each in listed]
    return [text for pair in zip(lines, below, strict=True) for text in pair if text]


def _say_trained_on(described: Mapping[str, Any], *, indent: int) -> str:
    """The line of what weights were trained on; "" for a bundle that has none."""
    if described.get("weights_bytes") is None or not described.get("training_data"):
        return ""
    return f"{'':<{indent}}trained on: {described['training_data']}"


def format_lines(described: Mapping[str, Any]) -> list[str]:
    """A description as lines for people; what is not known is left out."""
    classes = (f"{each['value']} {each['name']}" for each in described["classes"])
    inputs = {key: value for key, value in described["inputs"].items() if value is not None}
    texts = {
        **{key: described[key] for key in ("name", "folder", "kind", "version", "task")},
        "classes": ", ".join(classes),
        "inputs": ", ".join(f"{key}: {value}" for key, value in inputs.items()),
        "window": described["window"],
        "intensity window": described["intensity_window_hu"],
        "spacing in mm": described["spacing_mm"],
        "training data": described["training_data"],
        "training cases": described["training_cases"],
        "scores": ", ".join(format_score(*each) for each in (described["scores"] or {}).items()),
        "weights": format_size(described["weights_bytes"]),
        "licence": described["licence"]["code"],
        "data licence": " ".join((described["licence"]["data"] or "").split()),
        "notes": "; ".join(described["notes"]),
    }
    return [f"{name}: {text}" for name, text in texts.items() if text not in (None, "")]


def _read_config(folder: Path) -> dict[str, Any]:
    """The config of the inference; of the training where the bundle only trains."""
    try:
        return read_json_object(find_config(folder, "inference"))
    except FileNotFoundError:
        return read_json_object(find_config(folder, "train"))


def _read_literal(config: Mapping[str, Any], key: str) -> Any:
    """The value of a key; None if it is an expression that only a running workflow works out."""
    value = config.get(key)
    return None if isinstance(value, str) and value[:1] in ("$", "@", "%") else value


def _find_spacing(config: Mapping[str, Any]) -> Any:
    """To which images are resampled: a key of the config, or of what prepares them for nnU-Net."""
    prepare = config.get("prepare")
    own = prepare.get("spacing_mm") if isinstance(prepare, Mapping) else None
    return _read_literal(config, "spacing_mm") or own


def _describe_training_data(
    folder: Path, config: Mapping[str, Any], metadata: Mapping[str, Any]
) -> Any:
    """What the weights were trained on; without weights, what the bundle is for."""
    if is_run(folder):
        return _read_literal(config, "dataset_dir")
    if (folder / WEIGHTS).is_file() and (folder / PUBLISHED).is_file():
        day = format_day(read_json_object(folder / PUBLISHED))
        return f"the cases of a training of yours, begun on {day}; see {PUBLISHED}"
    return metadata.get("data_source")


def _list_classes(config: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The values of a label map except the background, in order."""
    classes = _read_literal(config, "classes")
    if isinstance(classes, Mapping):
        named = dict(enumerate(classes, start=1))
    else:
        outputs = metadata.get("network_data_format", {}).get("outputs", {})
        channels = outputs.get("pred", {}).get("channel_def", {})
        named = {int(v): name for v, name in channels.items() if name.lower() != "background"}
    return [{"value": v, "name": name, "code": _find_code(name)} for v, name in named.items()]


def _find_code(name: str) -> dict[str, str] | None:
    """The coded concept of a class; NumPy, which its table needs, is imported only now."""
    from dataclasses import asdict

    from medseg.labels import find_concept

    concept = find_concept(name)
    return None if concept is None else asdict(concept.type)


def _describe_inputs(config: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    image = metadata.get("network_data_format", {}).get("inputs", {}).get("image", {})
    return {
        "channels": _read_literal(config, "in_channels") or image.get("num_channels"),
        "modality": _read_literal(config, "modality") or image.get("modality"),
        "files": metadata.get("data_type"),
        "intensities": metadata.get("image_classes"),
    }


def _read_text(file: Path) -> str | None:
    return file.read_text(encoding="utf-8").strip() if file.is_file() else None


def _read_title(file: Path) -> str | None:
    """The first line of a licence that is not empty, with the version below it."""
    lines = [line.strip() for line in (_read_text(file) or "").splitlines() if line.strip()]
    named = [line for line in lines[:2] if not line.startswith(_TERMS)]
    return ", ".join(named) or None


def _is_own(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
