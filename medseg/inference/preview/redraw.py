"""Redraw: draw the previews that finished cases lack, from their label maps as they are."""

import copy
import logging
import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from PIL import Image

from medseg.base.errors import find_root_cause
from medseg.inference.cases.find_cases import find_cases
from medseg.inference.cases.find_pictures import find_pictures
from medseg.inference.cases.find_slices import holds_pictures
from medseg.inference.preview.write import WritePicturePreviewd, WritePreviewd

logger = logging.getLogger(__name__)

_LABELS = (".nii.gz", "_label.png")


def draw_missing_previews(
    writer: WritePreviewd | WritePicturePreviewd,
    preprocessing: Callable[[Mapping[str, Any]], Mapping[Hashable, Any]],
    source: str | os.PathLike,
    *,
    existing: str,
    find: Callable[..., Sequence[Mapping[str, Any]]] | None = None,
) -> int:
    """Draw the preview of each case that has a label map and none, as an interrupted run leaves it.

    Nothing is segmented, and no label map is written. The caption says that the preview was drawn
    again. A case whose preview cannot be drawn, such as one whose label map was moved to another
    grid, is left as it is, which is logged.

    Args:
        writer: writes previews to the folder of the outputs.
        preprocessing: reads the image of a case, as for the network.
        source: the input of the run, see `medseg.inference.find_cases`.
        existing: what existing outputs mean; nothing is drawn but for "skip".
        find: finds the cases of the input; None for pictures or volumes of one channel.

    Returns:
        The number of previews that were drawn.

    Raises:
        OSError: the disk is full or broken.

    Example:
        >>> draw_missing_previews(writer, read, "study", existing="refuse")  # doctest: +SKIP
        0
    """
    if existing != "skip" or not os.path.exists(source):
        return 0
    writer = copy.copy(writer)
    writer.first = None
    writer.made_by = f"{writer.made_by}, drawn again from the label map".removeprefix(", ")
    if find is None:
        are_pictures = holds_pictures(source, output_dir=writer.output_dir)
        find = find_pictures if are_pictures else find_cases
    drawn = 0
    for case in find(source, output_dir=writer.output_dir, existing=None):
        label = _find_label(writer.output_dir, case["case"])
        if label is not None and not os.path.lexists(writer.output_dir / f"{case['case']}.png"):
            drawn += _draw(writer, preprocessing, case, label)
    return drawn


def _find_label(folder: Path, name: str) -> Path | None:
    return next((p for end in _LABELS if (p := folder / f"{name}{end}").is_file()), None)


def _draw(
    writer: WritePreviewd | WritePicturePreviewd,
    preprocessing: Callable[[Mapping[str, Any]], Mapping[Hashable, Any]],
    case: Mapping[str, Any],
    label: Path,
) -> bool:
    """Draw the preview of a case; whether it could be drawn."""
    try:
        item = dict(preprocessing(dict(case)))
        item[writer.keys[0]] = _read_label(label)
        writer(item)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(find_root_cause(error)).split())
        logger.warning("the preview of case %s cannot be drawn again: %s", case["case"], reason)
        return False
    logger.info("case %s: its preview is drawn again from its label map", case["case"])
    return True


def _read_label(file: Path) -> torch.Tensor:
    """A label map, (1, *spatial), as it is in its file."""
    if file.suffix == ".png":
        with Image.open(file) as picture:
            return torch.from_numpy(np.array(picture))[None]
    image = nib.load(file)
    values = torch.from_numpy(np.array(image.dataobj))[None]
    return MetaTensor(values, affine=torch.from_numpy(image.affine))
