"""Link: files of a dataset that need no conversion, brought into a prepared folder."""

import filecmp
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medseg.datasets.datalist import Item
from medseg.files import whole


def link(
    out: str | os.PathLike[str], items: Sequence[Mapping[str, Any]], *, parts: Mapping[str, str]
) -> list[Item]:
    """Bring the files of each case into a prepared folder; return the items of it.

    A file is linked where it lies on the same disk and copied otherwise. One that is there is left
    if it is that of the source or a copy, and replaced if the source has other content.

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
    if target.is_file() and _is_same(source, target):
        return
    with whole(target) as partial:
        try:
            os.link(source.resolve(), partial)
        except OSError:
            shutil.copyfile(source, partial)


def _is_same(source: Path, target: Path) -> bool:
    """Whether a file is the source's, by a link, or has its content, byte for byte.

    Size and date do not tell: tools that restore dates write other content under the same ones.
    """
    if source.samefile(target):
        return True
    filecmp.clear_cache()  # what it remembers goes by size and date, too
    return filecmp.cmp(source, target, shallow=False)
