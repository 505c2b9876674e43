"""Copy cases: the files of a dataset are copied into a prepared folder, or rewritten if needed."""

import filecmp
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from medseg.base.files import set_aside, whole
from medseg.datasets.sources.dataset_json import Item
from medseg.geometry import Geometry
from medseg.ingest import IngestError
from medseg.ingest.formats import find_suffix, is_volume_file
from medseg.ingest.packing import check_is_file
from medseg.ingest.volumes.file import list_files_of, load_file

logger = logging.getLogger(__name__)

_SHARE_BLOCKS = 0x40049409  # FICLONE of linux/fs.h


def copy_cases(
    out: str | os.PathLike[str],
    items: Sequence[Mapping[str, Any]],
    *,
    parts: Mapping[str, str],
    reading: Mapping[str, Any] | None = None,
) -> list[Item]:
    """Copy the files of each case into a prepared folder; return the items of it.

    Where the file system can (Btrfs, XFS), a copy shares its blocks with the source until one of
    the two is changed. It is never a link to the source: a correction in the prepared folder would
    change the dataset as published, too. An earlier copy is kept if it has the content of the
    source, else replaced; if it was changed after the source, it is renamed and kept.

    A volume in several files (a pair, or a header with separate voxels) becomes one NIfTI file of
    the same voxels and grid. So does every volume for which the user has decided how to read it,
    so that a training needs no such decision.

    Args:
        out: the prepared folder.
        items: cases with the absolute paths of a dataset as published.
        parts: for each key of a file its folder in `out`, for instance {"image": "images"}.
        reading: "affine", "units" and "volume" for `load_file`, None where not decided; a volume
            is chosen of images alone.

    Raises:
        IngestError: a path is not a file, or a volume to be rewritten cannot be read.
    """
    made = []
    decided = {name: value for name, value in (reading or {}).items() if value is not None}
    for item in items:
        entry = dict(item)
        for key, folder in parts.items():
            if key in item:
                source = Path(item[key])
                chosen = {n: v for n, v in decided.items() if n != "volume" or key == "image"}
                if is_volume_file(source) and (chosen or len(list_files_of(source)) > 1):
                    entry[key] = f"{folder}/{item['case']}.nii.gz"
                    _rewrite(source, Path(out) / entry[key], chosen)
                    continue
                suffix = source.name[-len(find_suffix(source.name) or source.suffix) :]
                entry[key] = f"{folder}/{item['case']}{suffix}"
                _copy_file(source, Path(out) / entry[key])
        made.append(entry)
    return made


def _copy_file(source: Path, target: Path) -> None:
    check_is_file(source)
    if target.is_file() and _is_copy(source, target):
        return
    _set_aside_changed(source, target)
    with whole(target) as partial:
        if not _share_blocks(source, partial):
            shutil.copyfile(source, partial)
        _copy_date(source, partial)


def _rewrite(source: Path, target: Path, chosen: Mapping[str, Any]) -> None:
    """Write a volume as NIfTI, unless the file is there and holds it already."""
    array, grid = load_file(source, **chosen)
    if target.is_file() and _has_content(target, array, grid):
        return
    image = nib.Nifti1Image(array, grid.affine, dtype=array.dtype)
    image.set_sform(grid.affine, code="scanner")
    image.set_qform(grid.affine, code="scanner")
    image.header.set_xyzt_units("mm")
    _set_aside_changed(source, target)
    with whole(target) as partial:
        nib.save(image, partial)
        _copy_date(source, partial)


def _set_aside_changed(source: Path, target: Path) -> None:
    """Rename a file that somebody changed in the prepared folder: it is newer than its source.

    A link to the source, as earlier versions made, is not kept.
    """
    if not target.is_file() or target.samefile(source) or target.is_symlink():
        return
    if target.stat().st_mtime_ns > source.stat().st_mtime_ns:
        kept = set_aside(target)
        logger.warning("%s was changed here and differs from %s: kept as %s", target, source, kept)


def _copy_date(source: Path, target: Path) -> None:
    """Give a file the date of its source, so that a later change shows."""
    os.utime(target, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns))


def _has_content(target: Path, array: np.ndarray, grid: Geometry) -> bool:
    try:
        there, its_grid = load_file(target)
    except IngestError:
        return False
    return there.dtype == array.dtype and its_grid.same_grid(grid) and np.array_equal(there, array)


def _is_copy(source: Path, target: Path) -> bool:
    """Whether a file of its own, no link to the source, has its content, byte for byte.

    Size and date are not enough: tools that restore dates write other content with the same ones.
    """
    if source.samefile(target):
        return False
    filecmp.clear_cache()  # it remembers by size and date only
    return filecmp.cmp(source, target, shallow=False)


def _share_blocks(source: Path, target: Path) -> bool:
    """Make `target` a copy that takes no space, and return whether the system could."""
    with suppress(ImportError, OSError):  # Windows; another disk, or a file system without it
        import fcntl

        with source.open("rb") as old, target.open("wb") as new:
            fcntl.ioctl(new.fileno(), _SHARE_BLOCKS, old.fileno())
        return True
    return False
