"""MSD folders: the folders of a task, and volumes or tasks that lie elsewhere."""

import os
from pathlib import Path

from medseg.base.text import LeftOut, shorten_list
from medseg.base.walk import list_entries, walk
from medseg.ingest.formats import select_volume_files

PARTS = ("imagesTr", "labelsTr", "imagesTs", "labelsTs")
"""The folders of a task, as its archive and nnU-Net write them."""


def find_part(root: Path, part: str) -> Path:
    """Find the folder of a part; its name may differ in capitals where only one does.

    Example:
        >>> find_part(Path("Task03_Liver"), "imagesTr")
        PosixPath('Task03_Liver/imagesTr')
    """
    alike = [path for path in _list_folders(root) if path.name.lower() == part.lower()]
    return alike[0] if len(alike) == 1 else root / part


def leave_out_others(root: Path, left: LeftOut) -> None:
    """Add the volumes beside the folders of a task, and those in other folders, to `left`."""
    read = {os.path.realpath(find_part(root, part)) for part in PARTS}
    found = select_volume_files(
        path for path in list_entries(root) if not path.name.startswith(".")
    )
    for folder in _list_folders(root):
        if os.path.realpath(folder) in read:
            continue
        for place, below, names in walk(folder):
            below[:] = [name for name in below if os.path.realpath(place / name) not in read]
            found += select_volume_files(place / name for name in names if not name.startswith("."))
    where = f"outside of {', '.join(find_part(root, part).name for part in PARTS[:3])}"
    left.add(where, (path.relative_to(root).as_posix() for path in found))


def describe_tasks_below(root: Path) -> str:
    """Name the task folders at most two levels below a folder, for an error; "" for none."""
    if not root.is_dir():
        return ""
    places = [path for folder in _list_folders(root) for path in (folder, *_list_folders(folder))]
    found = [path for path in places if os.path.isfile(path / "dataset.json")]
    if not found:
        return ""
    names = shorten_list([path.relative_to(root).as_posix() for path in found])
    one = "it" if len(found) == 1 else "one of them"
    return f"dataset.json is there in {names}, below that folder: pass {one}, {found[0]}"


def _list_folders(root: Path) -> list[Path]:
    try:
        entries = list_entries(root)
    except OSError:  # whoever reads the folder reports it
        return []
    return [path for path in entries if os.path.isdir(path) and not path.name.startswith(".")]
