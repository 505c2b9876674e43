"""Find pictures: the pictures of an input, each a case."""

import logging
import os
from pathlib import Path

from medseg.base.files import check_apart
from medseg.base.path_keys import require_path
from medseg.base.text import LeftOut
from medseg.inference.cases.existing import Case, check_existing, check_names, select_cases
from medseg.inference.cases.find_cases import is_dicom
from medseg.inference.cases.labels_beside import drop_labels
from medseg.inference.outputs.instances import SUFFIX, SUFFIX_OF_MANY
from medseg.ingest.formats import (
    PICTURES,
    SUFFIXES,
    find_suffix,
    is_macos_copy,
    is_picture_file,
    is_volume_file,
)

logger = logging.getLogger(__name__)

_NEEDED = f"this bundle segments pictures ({', '.join(PICTURES)}), pass one or a folder of them"


def find_pictures(
    path: str | os.PathLike,
    *,
    output_dir: str | os.PathLike | None = None,
    existing: str | None = "refuse",
    objects: bool = False,
) -> list[Case]:
    """The pictures of an input, as `{"case": name, "image": path}`, sorted by name.

    A file is one case, and so is each picture file of a folder, named without its suffix. Whatever
    else the folder holds, subfolders and labels included, see `drop_labels`, is left out, which is
    logged with its number. What a
    file holds is judged when it is read.

    Args:
        path: a PNG, JPEG, TIFF or BMP file, or a folder of such.
        output_dir: where each case's label map `<case>_label.png`, its preview `<case>.png` and
            maybe its objects, see `WriteInstancesd`, will be written.
        existing: what outputs that are there already mean, see `select_cases`.
        objects: whether the objects will be written.

    Raises:
        FileNotFoundError: `path` does not exist.
        OSError: `output_dir` cannot be written.
        TypeError: `path` is no path.
        ValueError: no picture, by its name; two pictures of one name; an unknown `existing`; an
            `output_dir` that is `path`; or outputs that are in the way, see `select_cases`.

    Example:
        >>> find_pictures("slides", output_dir="masks")  # doctest: +SKIP
        [{"case": "a", "image": "slides/a.png"}, {"case": "b", "image": "slides/b.jpg"}]
    """
    if existing is not None:
        check_existing(existing)
    source = Path(require_path(path, "input"))
    if not os.path.exists(source):
        raise FileNotFoundError(
            f"no such file or folder: {source.absolute()} (a picture or a folder of pictures is "
            "needed)"
        )
    cases = [{"case": p.stem, "image": str(p)} for p in _find_pictures(source)]
    if output_dir is None:
        check_names(cases, source)
        return cases
    target = Path(output_dir)
    check_apart(target, source)
    check_names(cases, source)
    return select_cases(
        cases,
        target,
        existing=existing,
        label="_label.png",
        preview=".png",
        others=[SUFFIX_OF_MANY] if objects else [SUFFIX, SUFFIX_OF_MANY],
        asked=[SUFFIX] if objects else [],
    )


def _find_pictures(source: Path) -> list[Path]:
    """The picture files of a folder, or the file itself if it is one."""
    if not os.path.isdir(source):
        if not is_picture_file(source):
            raise ValueError(f"{source.absolute()} is {_describe_kind(source)}: {_NEEDED}")
        return [source]
    entries = sorted(source.iterdir())
    entries = [p for p in entries if not is_macos_copy(p)]
    hidden = [p for p in entries if p.name.startswith(".")]
    entries = [p for p in entries if p not in hidden]
    found = [p for p in entries if is_picture_file(p)]
    others = [p for p in entries if p not in found]
    if not found:
        what = f", {others[0].name} is {_describe_kind(others[0])}" if others else ""
        raise ValueError(f"{source.absolute()} holds no picture{what}: {_NEEDED}")
    left = LeftOut()
    left.add("with a hidden name", (p.name for p in hidden if is_picture_file(p)))
    left.add("not searched", (p.name for p in others if p.is_dir()), noun="subfolder")
    left.add("in an unsupported format", (p.name for p in others if not p.is_dir()))
    found = drop_labels(found, left)
    left.warn(logger, source, used=len(found))
    return sorted(found, key=lambda picture: picture.stem)


def _describe_kind(path: Path) -> str:
    """What a path is that is not a picture, in words."""
    if os.path.isdir(path):
        return "a folder"
    if is_volume_file(path):
        return f"a {SUFFIXES[find_suffix(path.name)]} volume"
    return "a DICOM file" if is_dicom(path) else "no picture by its name"
