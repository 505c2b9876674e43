"""Room: whether what a header promises has room in memory, asked before it is read or decoded."""

from __future__ import annotations

from pathlib import Path

from medseg.base import memory
from medseg.ingest.reasons import IngestError, Reason


def check_room(path: Path, needed: int) -> None:
    """Refuse what does not fit the memory that is free now.

    Args:
        path: the file or folder, for the message.
        needed: bytes that reading it takes at its height.

    Raises:
        IngestError: "no-memory", with both numbers. Nothing is refused where the system does not
            tell what is free.

    Example:
        >>> check_room(Path("case.nii.gz"), 2**20)
    """
    free = memory.available_bytes()
    if free is not None and needed > free:
        sizes = f"{needed / 1e9:.2f} GB of memory, {free / 1e9:.2f} GB are free"
        raise IngestError(Reason.NO_MEMORY, f"reading {path} takes {sizes}")
