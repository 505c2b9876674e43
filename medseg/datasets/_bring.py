"""Bring: files of a dataset that need no conversion, copied into a prepared folder."""

import filecmp
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from medseg.datasets.datalist import Item
from medseg.files import whole

_SHARE_BLOCKS = 0x40049409  # FICLONE of linux/fs.h


def bring(
    out: str | os.PathLike[str], items: Sequence[Mapping[str, Any]], *, parts: Mapping[str, str]
) -> list[Item]:
    """Copy the files of each case into a prepared folder; return the items of it.

    Where the file system can (Btrfs, XFS), a copy shares its blocks with the source until one of
    the two is changed. It is never a second name of the source, since who corrects a label in the
    prepared folder would change the dataset as published, too. A copy that is there is left, and
    replaced if the source has other content.

    Args:
        out: the prepared folder.
        items: cases with the absolute paths of a dataset as published.
        parts: for each key of a file its folder in `out`, for instance {"image": "images"}.
    """
    made = []
    for item in items:
        entry = dict(item)
        for key, folder in parts.items():
            if key in item:
                source = Path(item[key])
                suffix = "".join(source.suffixes[-2:]) if source.suffix == ".gz" else source.suffix
                entry[key] = f"{folder}/{item['case']}{suffix}"
                _bring(source, Path(out) / entry[key])
        made.append(entry)
    return made


def _bring(source: Path, target: Path) -> None:
    if target.is_file() and _is_copy(source, target):
        return
    with whole(target) as partial:
        if not _shares_blocks(source, partial):
            shutil.copyfile(source, partial)


def _is_copy(source: Path, target: Path) -> bool:
    """Whether a file of its own, no link to the source, has its content, byte for byte.

    Size and date do not tell: tools that restore dates write other content under the same ones.
    """
    if source.samefile(target):
        return False
    filecmp.clear_cache()  # what it remembers goes by size and date, too
    return filecmp.cmp(source, target, shallow=False)


def _shares_blocks(source: Path, target: Path) -> bool:
    """Make `target` a copy that takes no room; whether the system could."""
    with suppress(ImportError, OSError):  # Windows; another disk, or a file system without it
        import fcntl

        with source.open("rb") as old, target.open("wb") as new:
            fcntl.ioctl(new.fileno(), _SHARE_BLOCKS, old.fileno())
        return True
    return False
