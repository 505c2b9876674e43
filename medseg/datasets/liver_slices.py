"""Liver slices: single CT slices with liver masks, as PNG files.

Layout: `images/<case>_<slice>.png` and `masks/<case>_<slice>.png`, 8-bit grey; in a mask, 255 is
liver (tumour included). The part of the name before the last "_" is the patient: all slices of a
patient are on the same side of a split. Only names are read here.

The case numbers are not those of the LiTS volumes, so the patients of 3D-IRCADb-01 (LiTS volumes 28
to 48) cannot be recognised by number. One was recognised by its voxels, see `IRCADB_CASES`.
"""

import logging
from pathlib import Path

from medseg.base.text import ODD_ENTRIES, LeftOut
from medseg.base.walk import find_odd_entries, list_entries
from medseg.datasets.file_dataset import FileDataset
from medseg.datasets.sources.dataset_json import Item
from medseg.ingest.formats import is_macos_copy, is_picture_file

logger = logging.getLogger(__name__)

IRCADB_CASES = {"049": 1}
"""Case -> its patient in 3D-IRCADb-01, always for testing, so that this patient's CT can test too.

Slices 16, 25 and 41 of case 049 show slices 49, 76 and 124 of patient 1, and the masks agree. More
patients of 3D-IRCADb-01 may be among the cases: compare voxels before testing on them.
"""


def _find_cases(root: Path) -> tuple[list[Item], list[Item]]:
    """Find the slices of a folder: those to split, and those of `IRCADB_CASES`."""
    left = LeftOut()
    images, masks = _find_pictures(root / "images", left), _find_pictures(root / "masks", left)
    if not any(_split_name(name) for name in (*images, *masks)):
        return [], []
    left.add("without a mask", (images[name].name for name in images if name not in masks))
    left.add("without an image", (masks[name].name for name in masks if name not in images))
    items = [
        _make_item(name, images[name], masks[name]) for name in sorted(images) if name in masks
    ]
    if not items:
        raise ValueError(
            f"none of the files in {root} can be used ({left}): rename them, or give another folder"
        )
    left.warn(logger, root, used=len(items))
    ircadb = [item for item in items if item["patient"] in IRCADB_CASES]
    others = [item for item in items if item["patient"] not in IRCADB_CASES]
    return others, ircadb


def _find_pictures(folder: Path, left: LeftOut) -> dict[str, Path]:
    """Map name without suffix -> picture; other entries of the folder are left out."""
    found: dict[str, Path] = {}
    entries = list_entries(folder)
    odd = find_odd_entries(entries)
    left.add(ODD_ENTRIES, (path.name for path in odd))
    for path in (path for path in entries if path not in odd):
        is_picture = is_picture_file(path) and not is_macos_copy(path)
        if path.name.startswith("."):
            left.add("with a hidden name", [path.name] if is_picture else [])
        elif not is_picture:
            left.add("in an unsupported format", [path.name])
        elif path.stem in found:
            raise ValueError(
                f"{found[path.stem]} and {path} are the same slice: remove one of them"
            )
        else:
            found[path.stem] = path
    return found


def _make_item(name: str, image: Path, mask: Path) -> Item:
    if (parts := _split_name(name)) is None:
        raise ValueError(
            f"{image} is not named <case>_<slice>.png, so its patient is unknown: rename it"
        )
    return {"case": name, "patient": parts[0], "image": str(image), "label": str(mask)}


def _split_name(name: str) -> tuple[str, str] | None:
    """The two parts of `<case>_<slice>`; None for another name."""
    patient, _, number = name.rpartition("_")
    return (patient, number) if patient and number.isdigit() else None


DATASET = FileDataset(
    "liver_slices",
    _find_cases,
    label_values=(0, 255),
    looked_for="images/<case>_<slice>.png and masks/<case>_<slice>.png",
    give="the folder of the slices",
    folders={"image": "images", "label": "masks"},
    test_share=0.2,
    unit="scan",
)
list_cases, make_datalist, prepare = (
    DATASET.list_published_cases,
    DATASET.make_datalist,
    DATASET.prepare,
)
