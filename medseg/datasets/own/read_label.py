"""Read label: the label map of a case of one's own data, volume or picture, in whole numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medseg.geometry import Geometry
from medseg.ingest import IngestError, load
from medseg.ingest.formats import is_volume_file
from medseg.ingest.pictures.file import read_label_picture, read_picture
from medseg.ingest.reasons import Reason

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
_VALUES = range(256)


def read_label(path: Path, case: str) -> tuple[NDArray[np.uint8], Geometry | None]:
    """The label values of a file and its grid, which a picture does not have.

    Args:
        path: of the file.
        case: its name, for errors.

    Raises:
        IngestError: the file cannot be read rightly.
        ValueError: it holds values that are no whole numbers of 0 to 255, or it is a JPEG.
    """
    if is_volume_file(path):
        array, grid = load(path)
        return to_values(array, case), grid
    if path.suffix.lower() in JPEG_SUFFIXES:
        raise ValueError(
            f"case {case}: its label {path.name} is a JPEG, which changes values: write it as PNG "
            "from its source"
        )
    try:
        array = read_picture(path).array
    except IngestError as error:
        if error.code is not Reason.COLOUR:
            raise
        array = read_label_picture(path, _VALUES).array
    return to_values(array, case), None


def to_values(label: NDArray, case: str) -> NDArray[np.uint8]:
    """Label values as whole numbers; what rounding made of one within 0.001 counts as it.

    Raises:
        ValueError: see `read_label`.
    """
    whole = np.rint(label)
    if not np.isfinite(label).all() or np.abs(label - whole).max(initial=0) > 1e-3:
        odd = label[~(np.abs(label - whole) <= 1e-3)].flat[0]
        raise ValueError(
            f"case {case}: its label holds values that are no whole numbers, such as {odd:g}: give "
            "each structure a whole number, and check that the file is no image"
        )
    if whole.min(initial=0) < 0 or whole.max(initial=0) > 255:
        raise ValueError(
            f"case {case}: its label holds {whole.min():g} to {whole.max():g}, and values go from "
            "0 to 255: number the structures anew, and check that the file is no image"
        )
    return whole.astype(np.uint8)
