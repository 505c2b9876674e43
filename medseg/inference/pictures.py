"""Pictures: find the pictures of an input, each a case."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from medseg.counted import counted
from medseg.files import check_apart
from medseg.inference.case import is_dicom
from medseg.inference.existing import Case, cases_to_do, check_existing, check_names
from medseg.inference.instance_output import SUFFIX, SUFFIX_OF_MANY
from medseg.ingest.formats import is_volume_file
from medseg.ingest.picture import SUFFIXES, is_picture
from medseg.path_keys import require_path

logger = logging.getLogger(__name__)

_NEEDED = f"this bundle segments pictures ({', '.join(SUFFIXES)})"


def find_pictures(
    path: str | os.PathLike,
    *,
    output_dir: str | os.PathLike | None = None,
    existing: str | None = "refuse",
    objects: bool = False,
) -> list[Case]:
    """The pictures of an input, as `{"case": name, "image": path}`, sorted by name.

    A file is one case, and so is each picture file of a folder, named without its suffix. Whatever
    else the folder holds, subfolders included, is left aside, which is logged; hidden files are not
    looked at. What a file holds is judged when it is read.

    Args:
        path: a PNG, JPEG, TIFF or BMP file, or a folder of such.
        output_dir: where each case's label map `<case>_label.png`, its preview `<case>.png` and
            maybe its objects, see `WriteInstancesd`, will be written.
        existing: what outputs that are there already mean, see `cases_to_do`.
        objects: whether the objects will be written.

    Raises:
        FileNotFoundError: `path` does not exist.
        OSError: `output_dir` cannot be written.
        TypeError: `path` is no path.
        ValueError: no picture, by its name; two pictures of one name; an unknown `existing`; an
            `output_dir` that is `path`; or outputs that are in the way, see `cases_to_do`.

    Example:
        >>> find_pictures("slides", output_dir="masks")  # doctest: +SKIP
        [{"case": "a", "image": "slides/a.png"}, {"case": "b", "image": "slides/b.jpg"}]
    """
    if existing is not None:
        check_existing(existing)
    source = Path(require_path(path, "input"))
    if not source.exists():
        raise FileNotFoundError(
            f"no such file or folder: {source.absolute()} (a picture or a folder of pictures is "
            "needed)"
        )
    cases = [{"case": p.stem, "image": str(p)} for p in _pictures(source)]
    if output_dir is None:
        check_names(cases, source)
        return cases
    target = Path(output_dir)
    check_apart(target, source)
    check_names(cases, source)
    return cases_to_do(
        cases,
        target,
        existing=existing,
        label="_label.png",
        preview=".png",
        others=[SUFFIX_OF_MANY] if objects else [SUFFIX, SUFFIX_OF_MANY],
        asked=[SUFFIX] if objects else [],
    )


def _pictures(source: Path) -> list[Path]:
    """The picture files of a folder, or the file itself if it is one."""
    if not source.is_dir():
        if not is_picture(source):
            raise ValueError(f"{source.absolute()} is {_kind(source)}: {_NEEDED}")
        return [source]
    entries = sorted(p for p in source.iterdir() if not p.name.startswith("."))
    found = [p for p in entries if is_picture(p) and not p.is_dir()]
    others = [p for p in entries if p not in found]
    if not found:
        what = f", {others[0].name} is {_kind(others[0])}" if others else ""
        raise ValueError(f"{source.absolute()} holds no picture{what}: {_NEEDED}")
    if others:
        _log_left_aside(source, others)
    return sorted(found, key=lambda picture: picture.stem)


def _log_left_aside(source: Path, others: Sequence[Path]) -> None:
    names = ", ".join(p.name for p in others[:5])
    entries = counted(len(others), "file or folder", plural="files or folders")
    logger.warning("left aside in %s: %s, %s", source, entries, names)


def _kind(path: Path) -> str:
    """What a path that is no picture is, in words."""
    if path.is_dir():
        return "a folder"
    if is_volume_file(path):
        return "a volume"
    return "a DICOM file" if is_dicom(path) else "no picture by its name"
