"""Read label: the label map of a case of one's own data, volume or picture, in whole numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.geometry import Geometry
from medseg.ingest import load
from medseg.ingest.formats import is_volume_file
from medseg.ingest.pictures.file import read_picture


def read_label(path: Path, case: str) -> tuple[NDArray[np.uint8], Geometry | None]:
    """The label values of a file and its grid, which a picture does not have.

    Args:
        path: of the file.
        case: its name, for errors.

    Raises:
        IngestError: the file cannot be read rightly.
        ValueError: it holds values that are no whole numbers of 0 to 255.
    """
    if is_volume_file(path):
        array, grid = load(path)
        return to_values(array, case), grid
    return to_values(read_picture(path).array, case), None


def to_values(label: NDArray, case: str) -> NDArray[np.uint8]:
    """Label values as whole numbers; what rounding made of one within 0.001 counts as it.

    Raises:
        ValueError: see `read_label`.
    """
    whole = np.rint(label)
    if not np.isfinite(label).all() or np.abs(label - whole).max(initial=0) > 1e-3:
        raise ValueError(f"case {case}: its label holds values that are no whole numbers")
    if whole.min(initial=0) < 0 or whole.max(initial=0) > 255:
        raise ValueError(
            f"case {case}: its label holds {whole.min():g} to {whole.max():g}, and values go from "
            "0 to 255"
        )
    return whole.astype(np.uint8)
