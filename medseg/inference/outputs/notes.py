"""Notes: warnings about a case, kept with its image and in all its outputs; and findings."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from medseg.base.text import escape_unprintable

NOTES = "notes"
"""The key of an image's meta data. Its value is one text, a line for each note, since MONAI puts
texts of several cases together and takes them apart again."""

FOUND = "found"
"""The key of a case's data with texts that say what was found, such as "liver 1532.4 mL"."""

FACTS = "facts"
"""The key of a case's data with what was found and made, by name, for a program: `mask`, `preview`,
`volumes_ml`, `warnings` and the like."""

MEASURED = "measured"
"""The key of a case's data with the measurements of its structures, for writers that come after."""

FORCED = "forced"
"""First word of the note of a case that was forced through and would have been refused."""

WARNED = "warned"
"""Mark in a label map that has notes, none of them forced."""


def add_found(
    data: Mapping[Hashable, Any], texts: Sequence[str] = (), **facts: Any
) -> dict[Hashable, Any]:
    """A copy of a case's data that says more of what was found in it.

    Args:
        data: of the case.
        texts: for its line in the log.
        facts: the same and more by name, for a program, such as `volumes_ml={"liver": 1532.4}`.
    """
    found, known = data.get(FOUND, ()), data.get(FACTS, {})
    return {**data, FOUND: [*found, *texts], FACTS: {**known, **facts}}


def read_notes(image: Tensor) -> list[str]:
    """The notes of an image, or of the only one of a batch; none for a plain tensor."""
    found = getattr(image, "meta", {}).get(NOTES, "")
    if not isinstance(found, str):
        found = "\n".join(map(str, found))
    return [line for line in found.split("\n") if line]


def is_forced(notes: Sequence[str]) -> bool:
    """Whether one of the notes is of a case that would have been refused."""
    return any(note.startswith(FORCED) for note in notes)


def format_note(note: str) -> str:
    """A note as people read it below a picture: it begins with FORCED or WARNING.

    Example:
        >>> format_note("forced: this is a mask"), format_note("its slices are 16 mm apart")
        ('FORCED: this is a mask', 'WARNING: its slices are 16 mm apart')
    """
    start = f"{FORCED}: "
    if note.startswith(start):
        return f"{start.upper()}{note.removeprefix(start)}"
    return f"WARNING: {note}"


def shorten(notes: Sequence[str], most: int) -> bytes:
    """Notes in ASCII, of at most so many bytes: cut behind a word, which "..." then says."""
    text = "; ".join(notes).encode("ascii", "replace").decode()
    if len(text) > most:
        cut = text[: most - 2]
        text = (cut.rpartition(" ")[0] or cut[:-1]).rstrip() + "..."
    return text.encode()


def add_notes(image: Tensor, notes: Sequence[str]) -> None:
    """Add notes to an image, printable; one that keeps no meta data, a plain tensor, keeps none."""
    if hasattr(image, "meta"):
        image.meta[NOTES] = "\n".join([*read_notes(image), *map(escape_unprintable, notes)])


def make_png_text(notes: Sequence[str]) -> PngInfo:
    """The notes as what a PNG file holds beside its pixels: a text named "Comment" if there are
    any."""
    text = PngInfo()
    if notes:
        text.add_text("Comment", "\n".join(notes))
    return text
