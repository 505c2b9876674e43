"""Value unit: the unit of the values of an image, as far as it is known."""

from __future__ import annotations

from numpy.typing import NDArray
from torch import Tensor

from medseg.inference.outputs.notes import is_forced, read_notes
from medseg.ingest.metadata import MODALITY, VALUE_UNIT
from medseg.plausibility import (
    describe_label_map,
    explain_not_hounsfield,
    is_scan_in_hounsfield,
)

HU = "HU"
_CT = "CT"


def get_unit(modality: str) -> str:
    """The unit of the images that a bundle takes: "HU" for "CT", else ""."""
    return HU if modality == _CT else ""


def find_unit(image: Tensor, values: NDArray | None, *, modality: str) -> str:
    """The unit of an image: that of the bundle, or "" where something else was forced through it.

    An image that `CheckImaged` let pass has the unit that its bundle says, unless its header states
    another one. Of one that was forced, the header and the values decide.

    Args:
        image: as it went into the network; its meta data have the notes and what the header says.
        values: of the file, (I, J, K); None where they are not at hand.
        modality: of the images that the bundle takes, such as "CT".

    Example:
        >>> import torch
        >>> find_unit(torch.zeros(1, 2, 2, 2), None, modality="CT")
        'HU'
    """
    if getattr(image, "meta", {}).get(VALUE_UNIT):
        return ""
    if modality != _CT or not is_forced(read_notes(image)):
        return get_unit(modality)
    stated = str(getattr(image, "meta", {}).get(MODALITY, ""))
    if stated:
        return HU if stated == _CT else ""
    if values is None or describe_label_map(values[None]):
        return ""
    return HU if explain_not_hounsfield(values[None]) is None else ""


def guess_unit(values: NDArray) -> str:
    """The unit of an image whose header has none: "HU" where it looks like a CT with air around it.

    Args:
        values: of the file, (I, J, K).

    Example:
        >>> import numpy as np
        >>> guess_unit(np.ones((4, 4, 4)))
        ''
    """
    return HU if is_scan_in_hounsfield(values[None]) else ""
