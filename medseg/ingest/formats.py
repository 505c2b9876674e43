"""Formats: how the names of volume, picture and DICOM files end, and what a name promises.

DICOM is known by its content, whatever its name; where a file cannot be read, its name counts.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

SUFFIXES = {
    ".nii.gz": "NIfTI",
    ".nii": "NIfTI",
    ".hdr.gz": "NIfTI",
    ".hdr": "NIfTI",
    ".img.gz": "NIfTI",
    ".img": "NIfTI",
    ".seg.nrrd": "NRRD",
    ".nrrd": "NRRD",
    ".nhdr": "NRRD",
    ".mha": "MetaImage",
    ".mhd": "MetaImage",
    ".mgz": "MGH",
    ".mgh.gz": "MGH",
    ".mgh": "MGH",
}
"""How the name of a volume file ends, in any case of letters, and the name of its format.

A longer suffix stands before the one that it ends in. `.hdr` and `.img` are the halves of a NIfTI
or Analyze pair.
"""

PAIR_HEADERS = (".hdr.gz", ".hdr")
PAIR_IMAGES = (".img.gz", ".img")

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
"""Names of the picture files in a folder of cases; `PictureReader` itself reads others too."""

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
"""How the names of many DICOM files end, where they end in anything."""

_DICOM_PREAMBLE_BYTES, _DICOM_PREFIX = 128, b"DICM"
DICOM_HEAD_BYTES = _DICOM_PREAMBLE_BYTES + len(_DICOM_PREFIX)
"""A DICOM file begins with 128 bytes of any content and "DICM" (PS3.10 section 7.1)."""


def find_suffix(name: str) -> str:
    """Find the ending of a file's name that is in `SUFFIXES`, as written there; "" if none is.

    Example:
        >>> find_suffix("CASE_1.NII.GZ"), find_suffix("case.png")
        ('.nii.gz', '')
    """
    lower = name.lower()
    return next((s for s in SUFFIXES if lower.endswith(s) and lower != s), "")


def strip_suffix(name: str) -> str:
    """Strip the suffix of a volume or of DICOM from a file's name.

    Example:
        >>> strip_suffix("a.b.seg.nrrd"), strip_suffix("im0.dcm"), strip_suffix("a.txt")
        ('a.b', 'im0', 'a.txt')
    """
    lower = name.lower()
    dicom = next((s for s in DICOM_SUFFIXES if lower.endswith(s)), "")
    suffix = find_suffix(name) or dicom
    return name[: -len(suffix)] if suffix else name


def is_volume_file(path: str | Path) -> bool:
    """Tell by its name whether a path is a volume file.

    An `.img` without its `.hdr` is none: some scanners name DICOM so. Nor is a folder, which may be
    named after what was converted into it.
    """
    path = Path(path)
    suffix = find_suffix(path.name)
    if not suffix or os.path.isdir(path):
        return False
    return suffix not in PAIR_IMAGES or find_pair_header(path) is not None


def is_named_dicom(path: str | Path) -> bool:
    """Tell whether a name ends as those of many DICOM files do."""
    return Path(path).suffix.lower() in DICOM_SUFFIXES


def is_picture_file(path: str | Path) -> bool:
    """Tell by its name whether a path is a picture file."""
    return str(path).lower().endswith(PICTURES) and not os.path.isdir(path)


def is_macos_copy(path: Path) -> bool:
    """Tell by its name whether a file is the `._` copy that macOS adds to archives."""
    return path.name.startswith("._")


def has_dicom_prefix(head: bytes) -> bool:
    """Whether the first bytes of a file, `DICOM_HEAD_BYTES` or more, are those of DICOM.

    Example:
        >>> has_dicom_prefix(bytes(128) + b"DICM"), has_dicom_prefix(b"DICM")
        (True, False)
    """
    return head[_DICOM_PREAMBLE_BYTES:DICOM_HEAD_BYTES] == _DICOM_PREFIX


def find_pair_header(image: Path) -> Path | None:
    """The `.hdr` beside an `.img`, whichever of the two is packed; None where there is none."""
    return _find_other_half(image, PAIR_IMAGES, PAIR_HEADERS)


def find_pair_image(header: Path) -> Path | None:
    """The `.img` beside an `.hdr`; None where there is none."""
    return _find_other_half(header, PAIR_HEADERS, PAIR_IMAGES)


def select_volume_files(paths: Iterable[Path]) -> list[Path]:
    """Select the volume files among paths, in their order; of a pair, only the header."""
    found = [path for path in paths if is_volume_file(path)]
    return [
        p for p in found if find_suffix(p.name) not in PAIR_IMAGES or find_pair_header(p) is None
    ]


def _find_other_half(path: Path, own: tuple[str, ...], others: tuple[str, ...]) -> Path | None:
    suffix = find_suffix(path.name)
    if suffix not in own or not os.path.isdir(path.parent):
        return None
    stem = path.name[: -len(suffix)]
    names = (stem + written for other in others for written in _list_spellings(other))
    return next((f for name in names if os.path.isfile(f := path.with_name(name))), None)


def _list_spellings(suffix: str) -> list[str]:
    """List the spellings of a suffix: each part in small letters, capitalised, or in capitals.

    Example:
        >>> _list_spellings(".hdr")
        ['.hdr', '.Hdr', '.HDR']
    """
    parts = [(p, p.capitalize(), p.upper()) for p in suffix.split(".")[1:]]
    return ["." + ".".join(chosen) for chosen in itertools.product(*parts)]
