"""Remedies: what to do about a case that cannot be read, where its data are to be learnt from."""

from __future__ import annotations

from collections.abc import Mapping

from medseg.ingest.reasons import REMEDIES, Reason

_OF_A_PLAN: Mapping[Reason, str] = {
    Reason.NOT_3D: "split the file into one per volume, and give each of them a label",
    Reason.OVERLAPPING_SEGMENTS: "export it as one label map",
    Reason.MISSING_SLICES: "slices are missing; export it again from its source",
    Reason.UNEVEN_SPACING: "export an even reconstruction, or resample it with another tool",
    Reason.TILTED_STACK: "resample it onto upright slices with another tool",
    Reason.CONFLICTING_ORIENTATION: "write the file again with the one that is right",
    Reason.NOT_MILLIMETRES: "store lengths in millimetres",
}
"""Of those reasons for which other verbs have an option that `medseg new` has not."""


def name_remedy(fault: str) -> str:
    """A fault with a remedy that `medseg new` has, in the place of an option of other verbs.

    Example:
        >>> name_remedy("case a: x.nii has two layers: export it as one label map, or choose a \
layer, from 0, by --volume INDEX")
        'case a: x.nii has two layers: export it as one label map'
    """
    for reason, remedy in _OF_A_PLAN.items():
        fault = fault.replace(REMEDIES[reason], remedy)
    return fault
