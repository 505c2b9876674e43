"""Segmentation: what was found in an image, for a program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medseg.geometry import Geometry
from medseg.labels import LabelTable
from medseg.report.measure import Measurement


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What was found in an image.

    Attributes:
        mask: (I, J, K), uint8, the value of a label for each voxel of the image as it was given.
        geometry: its grid, that of the image.
        labels: what the values mean.
        measurements: of each structure and lesion, see `medseg.report.measure_structures`;
            none where `measure=False` was passed.
        notes: what is doubtful about the image or the result; empty where nothing is.
        made_by: the bundle and its version.
        unit: of the values that were measured, "HU" for CT; "" where it is not known.
    """

    mask: NDArray[np.uint8]
    geometry: Geometry
    labels: LabelTable
    measurements: list[Measurement]
    notes: tuple[str, ...]
    made_by: str
    unit: str = ""
