"""Other input: the images of a command line for a bundle that has no key `input`.

A bundle of the model zoo names its images in its own way. MONAI asks each for `dataset#data`, a
list of dictionaries of paths, so the images are put there.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medseg.base.path_keys import escape_for_monai_if_needed
from medseg.bundles.bundle import METADATA

logger = logging.getLogger(__name__)

DATA = "dataset#data"
"""The key, of every bundle of MONAI's specification, with the images of an inference."""

_INPUT = "--input="


def split_input(
    bundle: Path, config: Mapping[str, Any], arguments: Sequence[str]
) -> tuple[str | None, list[str]]:
    """Split a command line into the input, where the config has no such key, and the rest.

    Args:
        bundle: folder of the bundle.
        config: of its inference.
        arguments: words such as `--input=study`, in this form alone.

    Returns:
        The input, and the other words. The input is None where the config has the key, or none is
        given.

    Raises:
        ValueError: the config has neither `input` nor `dataset#data`, or no `output_dir`.
    """
    given = [word for word in arguments if word.startswith(_INPUT)]
    if "input" in config or not given:
        return None, list(arguments)
    dataset = config.get("dataset")
    has_data = isinstance(dataset, Mapping) and "data" in dataset
    missing = [key for key, is_there in ((DATA, has_data), ("output_dir", "output_dir" in config))
               if not is_there]  # fmt: skip
    if missing:
        raise ValueError(
            f"{bundle} has neither a key input nor {' and '.join(missing)}, one of which "
            "`medseg segment` needs: run it as its own docs say, with python -m monai.bundle run"
        )
    return given[-1].removeprefix(_INPUT), [word for word in arguments if word not in given]


def list_images(bundle: Path, source: str | Path) -> list[dict[str, str]]:
    """The images of an input as a bundle of another origin takes them; MONAI evaluates none.

    Args:
        bundle: folder of the bundle, whose metadata name the input of its network.
        source: a volume, a DICOM folder, a picture, or a folder of these.

    Raises:
        FileNotFoundError: `source` does not exist.
        ValueError: it holds no case, see `medseg.inference.find_cases`.
    """
    from medseg.inference import find_cases, find_pictures, holds_pictures

    find = find_pictures if holds_pictures(source) else find_cases
    name = _find_input_name(bundle)
    logger.warning(
        "%s is a bundle of another origin: it reads the images and writes the results in its own "
        "way, and medseg checks neither",
        bundle,
    )
    return [
        {name: escape_for_monai_if_needed(str(Path(case["image"]).absolute()))}
        for case in find(source, existing=None)
    ]


def _find_input_name(bundle: Path) -> str:
    """What the metadata call the input of the network; "image", as in MONAI's specification."""
    try:
        metadata = json.loads((bundle / METADATA).read_text(encoding="utf-8"))
        return next(iter(metadata["network_data_format"]["inputs"]))
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        return "image"
