"""Weak elements: elements that may change from slice to slice of one acquisition, also regularly.

The tube current follows the patient's size, several computers may reconstruct the slices of one
scan in turn, and a window may be chosen for each slice. Nevertheless, two alternating values that
are far apart mean two volumes: one of high and one of low dose, for example.
"""

from __future__ import annotations

from collections.abc import Collection

from pydicom.valuerep import TM

KEYWORDS = frozenset(
    (
        *(
            "XRayTubeCurrent",
            "XRayTubeCurrentInmA",
            "XRayTubeCurrentInuA",
            "AverageXRayTubeCurrent",
        ),
        *("Exposure", "ExposureInmAs", "ExposureInuAs", "ExposureTime"),
        *("ExposureTimeInms", "ExposureTimeInuS", "CTDIvol", "EstimatedDoseSaving"),
        *(
            "WaterEquivalentDiameter",
            "GeneratorPower",
            "HeartRate",
            "LowRRValue",
            "HighRRValue",
            "IntervalsAcquired",
        ),
        *("IntervalsRejected", "ContentTime", "WindowCenter", "WindowWidth"),
    )
)

FAR_APART = 2.0
"""Alternating numbers of two volumes differ at least by this factor."""

FAR_APART_S = 10.0
"""Content times of two volumes are at least this many seconds apart."""

_TIME_KEYWORD = "ContentTime"


def is_weak(name: str, values: Collection[float | str]) -> bool:
    """Whether alternating values are those of an element that may alternate, and not far apart.

    Args:
        name: a keyword, or several joined by dots for an element within sequences.
        values: all that slices state of it, "" where one states nothing.

    Example:
        >>> is_weak("XRayTubeCurrent", {200.0, 201.0}), is_weak("XRayTubeCurrent", {50.0, 200.0})
        (True, False)
    """
    keyword = name.rpartition(".")[2]
    stated = [str(value) for value in set(values) - {""}]
    return keyword in KEYWORDS and (len(stated) != 2 or not _are_far_apart(keyword, stated))


def _are_far_apart(keyword: str, texts: list[str]) -> bool:
    try:
        if keyword == _TIME_KEYWORD:
            one_s, other_s = map(_to_seconds, texts)
            return abs(one_s - other_s) >= FAR_APART_S
        less, more = sorted(float(text.split("\\")[0]) for text in texts)
    except ValueError:  # no numbers: how far apart they are is unknown
        return False
    return less < 0 <= more or max(abs(less), abs(more)) >= FAR_APART * min(abs(less), abs(more))


def _to_seconds(text: str) -> float:
    time = TM(text.partition(".")[0].zfill(6))
    if time is None:
        raise ValueError("no time is stated")
    return float(time.hour * 3600 + time.minute * 60 + time.second)
