"""Elements: values of a data set as plain numbers and text; absent and empty are one case.

What is not of the kind that is asked for raises one of `part10.PARSE_ERRORS`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pydicom


def text(dataset: pydicom.Dataset, keyword: str) -> str:
    """The value without blanks around it; "" where absent."""
    return str(dataset.get(keyword) or "").strip()


def whole(dataset: pydicom.Dataset, keyword: str, default: int = 0) -> int:
    """The value as an integer."""
    value = dataset.get(keyword)
    return default if value in (None, "") else int(value)


def number(dataset: pydicom.Dataset, keyword: str) -> float | None:
    """The value as a float; None where absent."""
    value = dataset.get(keyword)
    return None if value in (None, "") else float(value)


def vector(dataset: pydicom.Dataset, keyword: str) -> np.ndarray:
    """All values as float64, (n,); n is 0 where absent."""
    value = dataset.get(keyword)
    return np.array([] if value in (None, "") else value, dtype=np.float64).ravel()


def texts(dataset: pydicom.Dataset, keyword: str) -> tuple[str, ...]:
    """All values as text; empty where absent."""
    value = dataset.get(keyword)
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(v) for v in value)


def macro(groups: Sequence[pydicom.Dataset], keyword: str) -> pydicom.Dataset:
    """The one item of a functional group macro, from the first group that has it; else empty."""
    items = (item for group in groups for item in group.get(keyword) or ())
    return next(items, pydicom.Dataset())
