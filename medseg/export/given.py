"""Given: whether what a writer of DICOM objects was given is of the right kind."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from medseg.export.segments import Algorithm
from medseg.export.source.images import SourceImages, describe_source
from medseg.geometry import Geometry
from medseg.ingest.dicom.series import Series
from medseg.labels import LabelTable

_REMEDIES: dict[str, tuple[type, str]] = {
    "geometry": (Geometry, "pass series.geometry, or Geometry(mask.shape, affine)"),
    "labels": (LabelTable, 'pass medseg.labels.make_table(["liver"])'),
    "algorithm": (Algorithm, 'pass medseg.export.Algorithm("liver", "1.0")'),
}


def take_source(source: Series | SourceImages) -> SourceImages:
    """The images of a source, which may be a series.

    Raises:
        TypeError: it is anything else, such as a path.
        IngestError: the series was refused, or cannot be read any more.
    """
    if isinstance(source, Series):
        return describe_source(source)
    if not isinstance(source, SourceImages):
        raise TypeError(
            f"source must be a series, got {type(source).__name__}: pass one of those that "
            "medseg.ingest.find_series lists"
        )
    return source


def check_kinds(**given: Any) -> None:
    """Refuse a geometry, labels or an algorithm of another kind.

    Raises:
        TypeError: one is of another kind.

    Example:
        >>> check_kinds(labels=["liver"])
        Traceback (most recent call last):
        TypeError: labels must be a LabelTable, got list: pass medseg.labels.make_table(["liver"])
    """
    for name, value in given.items():
        kind, remedy = _REMEDIES[name]
        if not isinstance(value, kind):
            article = "an" if kind.__name__[0] in "AEIOU" else "a"
            raise TypeError(
                f"{name} must be {article} {kind.__name__}, got {type(value).__name__}: {remedy}"
            )


def take_numbers(values: Any, name: str) -> NDArray:
    """An array of numbers, or of what can be made one, such as nested lists.

    Raises:
        TypeError: it holds anything else.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must be an array of real numbers, got {type(values).__name__} of "
            f"{array.dtype}: pass label values (I, J, K)"
        )
    return array
