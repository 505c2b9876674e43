"""Windows: ranges of values that a page offers to show an image with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_OF_CT = (
    ("Soft tissue", 400, 40),
    ("Liver", 150, 60),
    ("Mediastinum", 350, 50),
    ("Lung", 1500, -600),
    ("Bone", 1800, 400),
    ("Brain", 80, 40),
)
"""Name, width and level in HU, as they are usual in radiology."""

_OF_OTHERS = ((1.0, 99.0), (5.0, 95.0), (0.5, 99.5))


@dataclass(frozen=True)
class Window:
    """A range of values, the ends of which are drawn black and white."""

    name: str
    low: float
    high: float

    @property
    def limits(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high


def list_windows(
    unit: str,
    percentiles: Mapping[float, float],
    *,
    preview: tuple[float, float] | None = None,
) -> list[Window]:
    """The windows that suit an image; the first is the one it is shown with.

    Args:
        unit: "HU" for a CT.
        percentiles: the values below which some percent of the voxels lie, as `SHARES`.
        preview: the window that the bundle has for its previews.

    Example:
        >>> [window.name for window in list_windows("HU", {})][:2]
        ['Soft tissue', 'Liver']
    """
    if unit == "HU":
        usual = [Window(n, level - width / 2, level + width / 2) for n, width, level in _OF_CT]
    else:
        usual = [
            Window(f"{low:g} to {high:g} %", percentiles[low], percentiles[high])
            for low, high in _OF_OTHERS
        ]
    alike = [window for window in usual if (window.low, window.high) == preview]
    own = [] if preview is None or alike else [Window("As in the preview", *preview)]
    return alike + own + [window for window in usual if window not in alike]
