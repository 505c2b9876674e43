"""Probabilities: name the file of a case's probabilities, and write their grid beside it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medseg.base.class_values import Classes
from medseg.base.files import whole
from medseg.base.together.collected import find_written
from medseg.geometry import Geometry
from medseg.inference.outputs.notes import read_notes
from medseg.inference.outputs.restore import restore_values
from medseg.inference.outputs.source import find_case_name, list_files
from medseg.transforms.classes import count_logit_channels

SUFFIX = "_probabilities"


def read_probabilities(
    folder: str | os.PathLike, case: str, *, source: Geometry
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The probabilities of a case that `ProbabilityFiles` has named, on the grid of its image.

    Args:
        folder: of the outputs.
        case: its name.
        source: the grid of the image.

    Returns:
        (classes without the background, I, J, K), from 0 to 1.

    Raises:
        FileNotFoundError: the case has none.
    """
    stem = Path(folder) / f"{case}{SUFFIX}"
    about = json.loads(find_written(f"{stem}.json").read_text())
    values = np.load(find_written(f"{stem}.npy"), mmap_mode="r")
    first = int(about["channels"][0] == "background" and len(values) > 1)
    found = torch.from_numpy(np.array(values[first:]))
    return restore_values(found, np.array(about["affine"]), source=source).numpy()


class ProbabilityFiles:
    """Names `<output_dir>/<case>_probabilities.npy`, and writes the .json file beside it after it.

    For `OverlapTileInferer(probabilities=...)`. The array is float16, (channels, I, J, K), on the
    grid that the network saw; the .json file holds that grid's `affine`, voxels to millimetres, the
    names of the `channels`, and the `notes` of the image if there are any. A case of which both
    exist was computed to the end.

    Args:
        output_dir: folder, made if absent.
        classes: of the task, for the names.

    Raises:
        ValueError: in the call, several images at once, or one that does not know its file.
    """

    def __init__(self, output_dir: str | os.PathLike, *, classes: Classes) -> None:
        self.output_dir = Path(output_dir)
        background = ["background"] * (count_logit_channels(classes) - len(classes))
        self.channels = [*background, *classes]

    @contextmanager
    def __call__(self, images: Tensor) -> Iterator[Path]:
        """The path for a batch of one image, which is a `MetaTensor` of `VolumeReader`."""
        files = list_files(images)
        if len(files) != 1 or len(images) != 1:
            raise ValueError(
                f"probabilities need one image that knows its file, got {len(images)} images of "
                f"{len(files)} files: load them with VolumeReader, one by one"
            )
        stem = f"{find_case_name(images)}{SUFFIX}"
        affine = torch.as_tensor(getattr(images, "affine", torch.eye(4))).reshape(-1, 4, 4)[0]
        about = {"channels": self.channels, "affine": affine.tolist()}
        if notes := read_notes(images):
            about["notes"] = notes
        yield self.output_dir / f"{stem}.npy"
        with whole(self.output_dir / f"{stem}.json") as partial:
            partial.write_text(json.dumps(about, indent=2) + "\n")
