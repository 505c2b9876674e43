"""Components: find and change the components of a config, wherever they are in it."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

logger = logging.getLogger(__name__)

IMAGE = "image"
"""What MONAI's engines call the image of a case."""

_LOADING = ("LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "Orientationd")
"""Transforms that change no value of an image."""

_LOADER = "CheckpointLoader"


def get_class(component: Any) -> str:
    """The name of a component's class without its module and dictionary suffix; "" for others.

    Example:
        >>> get_class({"_target_": "monai.transforms.LoadImageDict"})
        'LoadImaged'
    """
    target = component.get("_target_") if isinstance(component, Mapping) else None
    name = target.rpartition(".")[2] if isinstance(target, str) else ""
    for suffix in ("Dict", "D"):
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix)}d"
    return name


def find_components(part: Any, *classes: str) -> Iterator[dict[str, Any]]:
    """The components of some classes in a part of a config, at any depth."""
    if isinstance(part, Mapping) and get_class(part) in classes:
        yield part  # type: ignore[misc]
    inner = part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
    for each in inner:
        yield from find_components(each, *classes)


def list_image_loaders(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The components of a config that load the image."""
    for component in find_components(config, "LoadImaged"):
        keys = _look_up(component.get("keys"), config)
        if IMAGE in (keys if isinstance(keys, list) else [keys]):
            yield component


def keep_labels_whole(postprocessing: Any) -> None:
    """Let what brings a label map back to the grid of the source take the nearest voxel.

    Linear interpolation between two labels, as some bundles state it, gives values of other classes
    and of none. A line of the log says what is changed.

    Args:
        postprocessing: a part of a config, which is changed.
    """
    is_label_map = False
    for step in find_components(postprocessing, "AsDiscreted", "Invertd"):
        if get_class(step) == "AsDiscreted":
            is_label_map = True
        elif is_label_map and step.get("nearest_interp") is False:
            step["nearest_interp"] = True
            logger.warning(
                "the post-processing of this bundle interpolates a label map linearly, which gives "
                "values between the classes: the nearest voxel is taken instead"
            )


def insert_check(preprocessing: Any, check: str) -> bool:
    """Insert a reference to a check behind the transforms that load the image; whether it is in.

    Args:
        preprocessing: a part of a config, which is changed.
        check: a reference.
    """
    if isinstance(preprocessing, Mapping):
        return any(insert_check(part, check) for part in preprocessing.values())
    if not isinstance(preprocessing, list):
        return False
    names = [get_class(part) for part in preprocessing]
    if "LoadImaged" not in names:
        return any(insert_check(part, check) for part in preprocessing)
    place = names.index("LoadImaged") + 1
    while place < len(names) and names[place] in _LOADING:
        place += 1
    preprocessing.insert(place, check)
    return True


def take_weight_loaders(config: dict[str, Any]) -> dict[str, Any]:
    """Take what loads weights out of the handlers, which would do so for every case.

    Args:
        config: is changed.

    Returns:
        Keys: `weights`, the file, and `weight_loaders`, what is called with the evaluator before
        the first case.
    """
    handlers = config.get("handlers")
    listed = handlers if isinstance(handlers, list) else []
    taken = [one for one in listed if get_class(one) == _LOADER]
    config["handlers"] = [one for one in listed if one not in taken]
    others = [key for key, value in config.items() if get_class(value) == _LOADER]
    loaders = [*taken, *(config[key] for key in others)]
    weights = loaders[0].get("load_path") if loaders else None
    if weights is not None:
        loaders[0]["load_path"] = "@weights"
    return {
        "weights": weights or "$@bundle_root + '/models/model.pt'",
        "weight_loaders": [*taken, *(f"@{key}" for key in others)],
    }


def _look_up(value: Any, config: Mapping[str, Any]) -> Any:
    """A value, or that of the key that it refers to."""
    if isinstance(value, str) and value.startswith("@"):
        return config.get(value[1:], value)
    return value
