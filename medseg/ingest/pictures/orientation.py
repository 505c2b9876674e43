"""Picture orientation: the EXIF tag by which viewers turn a picture, and which is not applied here.

A picture is read as it is stored, in every format: so a mask is, and so a label map is written.
Whether a mask was drawn on a picture as stored or as shown cannot be told from it, so an image and
a mask of different tags are refused, except where their sizes tell that they match as stored.

Source: CIPA DC-008, Exif 2.32, tag 274.
"""

from __future__ import annotations

from PIL import ExifTags, Image

from medseg.ingest.reasons import IngestError, Reason

UPRIGHT = 1
"""The orientation of a picture that states none."""

_ROWS_AS_COLUMNS = (5, 6, 7, 8)  # shown with rows as columns
_UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
_REMEDY = (
    "where the mask was drawn on the picture as viewers show it, turn the picture by its tag "
    "(mogrify -auto-orient); where it was drawn as stored, remove the tag (exiftool -Orientation=)"
)


def undo_orientation(image: Image.Image) -> tuple[Image.Image, int]:
    """Decode a picture; return it as stored, and its EXIF orientation, 1 to 8.

    Pillow turns a TIFF when it decodes it, and no other format. A tag that is damaged, or has
    another value, counts as none, as it does in viewers.
    """
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except (OSError, SyntaxError, TypeError, ValueError):  # of the tags, not of the pixels
        orientation = UPRIGHT
    image.load()
    if orientation not in _UNDO:
        return image, UPRIGHT
    stored = image.transpose(_UNDO[orientation]) if image.format == "TIFF" else image
    return stored, int(orientation)


def check_same_orientation(
    orientations: tuple[int, int], *, shapes: tuple[tuple[int, ...], ...], names: tuple[str, str]
) -> None:
    """Refuse an image and a mask of different tags, unless their sizes tell that they match.

    Args:
        orientations: of the image and of the mask.
        shapes: of both, as stored: rows and columns first or last.
        names: of both, for the message.

    Raises:
        IngestError: "different-grids", with both tags.
    """
    if orientations[0] == orientations[1]:
        return
    is_turned = [orientation in _ROWS_AS_COLUMNS for orientation in orientations]
    is_square = shapes[0][0] == shapes[0][1]
    if shapes[0] == shapes[1] and is_turned[0] != is_turned[1] and not is_square:
        return
    finding = (
        f"{names[0]} has EXIF orientation {orientations[0]} and {names[1]} {orientations[1]}, "
        "which is not applied: viewers turn the two differently"
    )
    raise IngestError(Reason.DIFFERENT_GRIDS, finding, remedy=_REMEDY)


def describe_orientation(name: str, orientation: int) -> str:
    """Describe the EXIF orientation of a picture, for a warning."""
    return (
        f"{name} has EXIF orientation {orientation}, which is not applied: it is read as stored, "
        "and label maps belong to it as stored"
    )
