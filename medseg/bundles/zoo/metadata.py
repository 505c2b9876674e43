"""Metadata: what the metadata of a bundle say of its images and of the channels of its result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medseg.base.class_values import BACKGROUND
from medseg.bundles.bundle import METADATA, read_json_object

_MODALITIES = {"CT": "CT", "MR": "MR", "MRI": "MR", "MAGNETIC RESONANCE": "MR"}


def read_metadata(bundle: Path) -> dict[str, Any]:
    """The metadata of a bundle; nothing where it has none.

    Raises:
        ValueError: they are damaged.
    """
    file = bundle / METADATA
    return read_json_object(file) if file.is_file() else {}


def describe_images(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Keys with the modality, None where it is not known, and the names of the image's channels.

    Example:
        >>> describe_images({})
        {'modality': None, 'image_channels': ['image']}
    """
    stated = _find_format(metadata, "inputs")
    modality = _MODALITIES.get(str(stated.get("modality", "")).upper())
    return {"modality": modality, "image_channels": _list_names(stated) or ["image"]}


def name_input(metadata: Mapping[str, Any]) -> str:
    """What the metadata call the input of the network; "image", as in MONAI's specification."""
    formats = metadata.get("network_data_format")
    inputs = formats.get("inputs") if isinstance(formats, Mapping) else None
    return next(iter(inputs), "image") if isinstance(inputs, Mapping) else "image"


def name_channels(metadata: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """The names of the channels that the network gives, in order and each once.

    They are those of the metadata; where these have none, numbers up to the channels that the
    network of the config states.

    Example:
        >>> name_channels({}, {"network_def": {"out_channels": 2}})
        ['background', 'class 1']
    """
    names = _list_names(_find_format(metadata, "outputs"))
    if not names:
        network = config.get("network_def")
        count = network.get("out_channels") if isinstance(network, Mapping) else None
        count = count if isinstance(count, int) else 2
        names = ["class 1"] if count == 1 else [_name(number) for number in range(count)]
    return _make_distinct(names)


def _find_format(metadata: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    """What is stated of the first input or output of the network."""
    found: Any = metadata.get("network_data_format")
    found = found.get(side) if isinstance(found, Mapping) else None
    first = next(iter(found.values()), None) if isinstance(found, Mapping) else None
    return first if isinstance(first, Mapping) else {}


def _list_names(stated: Mapping[str, Any]) -> list[str]:
    """The names of the channels, from 0 on.

    A network of one channel may be said to have a background, which is no channel then.
    """
    named, count = stated.get("channel_def"), stated.get("num_channels")
    if not isinstance(named, Mapping):
        return []
    names = [str(named.get(str(number), _name(number))) for number in range(len(named))]
    return names[1:] if count == 1 and len(names) == 2 else names


def _name(number: int) -> str:
    return f"class {number}" if number else BACKGROUND


def _make_distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number where one came before or means nothing behind the first place."""
    distinct: list[str] = []
    for place, name in enumerate(names):
        text = " ".join(name.split())
        if not text or (place and text.lower() == BACKGROUND) or text in distinct:
            text = f"{text or 'class'} ({place})"
        distinct.append(BACKGROUND if not place and text.lower() == BACKGROUND else text)
    return distinct
