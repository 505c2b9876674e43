"""Remedies: what to do about a finding, where that depends on what the user passed.

`reasons.REMEDIES` is for the slices of a folder. Frames of one file cannot be put in folders, one
file alone cannot be moved out of its folder, and what a DICOMDIR refers to is sought where it says.
"""

from __future__ import annotations

from enum import Enum

from medseg.ingest.reasons import REMEDIES, Reason


class InputKind(str, Enum):
    """What was passed."""

    FOLDER = "folder"
    FILE = "file"
    DIRECTORY = "DICOMDIR"


_SPLIT = "split it into files of single frames, e.g. with emf2sf of dcm4che, or export only {}"

FRAME_REMEDIES: dict[Reason, str] = {
    **dict.fromkeys(
        (Reason.MIXED_ACQUISITION, Reason.MIXED_RESCALE_TYPE, Reason.MIXED_PHOTOMETRIC),
        _SPLIT.format("each acquisition"),
    ),
    Reason.MIXED_QUANTITY: _SPLIT.format("each quantity"),
    Reason.MIXED_KERNEL: _SPLIT.format("each kernel"),
    Reason.MIXED_ORIENTATION: _SPLIT.format("each orientation"),
    Reason.MIXED_SPACING: _SPLIT.format("each spacing"),
    Reason.DUPLICATE_POSITIONS: _SPLIT.format("each phase or echo"),
    Reason.NO_SERIES_UID: "its frames are taken as one series",
}
"""Where all slices are frames of one file."""

FILE_REMEDIES: dict[Reason, str] = {
    Reason.UNREADABLE: "copy or convert the file again",
    Reason.TOO_LARGE: "copy the file again",
}
"""Where one file was passed."""

DICOMDIR_REMEDIES: dict[Reason, str] = {
    Reason.NOT_FOUND: "copy the whole disk again, or pass the folder of the files that are there",
    Reason.UNREADABLE: "copy the disk again, or pass a folder of the files that are whole",
    Reason.TOO_LARGE: "copy the disk again, or pass a folder of the other files",
}
"""Where a DICOMDIR was passed."""


def choose_remedy(
    reason: Reason, *, input_kind: InputKind = InputKind.FOLDER, is_one_file: bool = False
) -> str:
    """What to do about a finding.

    Args:
        reason: its code.
        input_kind: what was passed.
        is_one_file: whether all slices are frames of one file.

    Example:
        >>> choose_remedy(Reason.UNREADABLE, input_kind=InputKind.FILE)
        'copy or convert the file again'
    """
    tables = {InputKind.FILE: FILE_REMEDIES, InputKind.DIRECTORY: DICOMDIR_REMEDIES}
    found = FRAME_REMEDIES.get(reason) if is_one_file else None
    return found or tables.get(input_kind, {}).get(reason) or REMEDIES[reason]
