"""Doubts: what the measurements of a case give reason to doubt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LOW_CONFIDENCE = 0.8
"""An expected Dice below it is warned of. It was chosen by hand: the value is not calibrated, and
most networks are too confident, so that one below it is rare where all is well."""


def list_doubts(measured: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Iterator[str]:
    """The warnings that a reader of the measurements needs.

    Args:
        measured: as `describe_measurement` gives them.
        names: of the classes, in order.

    Example:
        >>> one = {"value": 1, "lesion": 0, "confidence": 0.42, "is_at_edge": False}
        >>> next(list_doubts([one], ["liver"])).partition(",")[0]
        'liver: the network was not sure of it (expected Dice 0.42'
    """
    whole = [one for one in measured if not one["lesion"]]
    for one in whole:
        confidence = one["confidence"]
        if confidence is not None and confidence < LOW_CONFIDENCE:
            yield (
                f"{names[one['value'] - 1]}: the network was not sure of it (expected Dice "
                f"{confidence:.2f}, below {LOW_CONFIDENCE:g}): compare its outline with the image"
            )
    if cut := [names[one["value"] - 1] for one in whole if one["is_at_edge"]]:
        reach, they = ("reaches", "it") if len(cut) == 1 else ("reach", "they")
        yield (
            f"{', '.join(cut)} {reach} the edge of the image: {they} may go on outside, so volume, "
            "surface and diameters are lower bounds"
        )
