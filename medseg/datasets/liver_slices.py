"""Liver slices: single CT slices with liver masks, as PNG files.

Layout: `images/<case>_<slice>.png` and `masks/<case>_<slice>.png`, 8-bit grey; in a mask, 255 is
liver (tumour included). The part of the name before the last "_" stands for the patient: slices
of one patient are always on the same side of a split. Only names are read here.

The case numbers are not those of the LiTS volumes, so patients of 3D-IRCADb-01 (LiTS volumes 28 to
48) cannot be told by number. One is known by its voxels, see `IRCADB_CASES`.
"""

import logging
import os
from pathlib import Path
from typing import Any

from medseg.base.text import ODD, LeftOut
from medseg.base.walk import entries_of, odd_entries
from medseg.datasets import prepared
from medseg.datasets.datalist import Item, build, hold_out, select
from medseg.datasets.sources.bring import bring
from medseg.datasets.sources.layouts import BY_EITHER, nothing_found
from medseg.ingest.formats import is_picture_file

logger = logging.getLogger(__name__)

LABEL_VALUES = (0, 255)

_NAME = "liver_slices"

TEST_SHARE = 0.2
"""Share of the other patients held out for testing, whatever the fold."""

IRCADB_CASES = {"049": 1}
"""Case -> its patient in 3D-IRCADb-01, always for testing, so that this patient's CT can test too.

Slices 16, 25 and 41 of case 049 show slices 49, 76 and 124 of patient 1, and the masks agree. More
patients of 3D-IRCADb-01 may be among the cases: compare voxels before testing on them.
"""


def cases(
    dataset_dir: str | os.PathLike[str],
    section: str = "training",
    *,
    fold: int = 0,
    folds: int = 5,
    seed: int = 0,
) -> list[Item]:
    """List the slices of one section, for a bundle's dataset.

    The cases of `IRCADB_CASES` and a fifth of the others (`TEST_SHARE`, chosen by `seed` alone) are
    for testing; the rest are in `folds` folds, of which `fold` is for validation.

    Args:
        dataset_dir: folder with `images` and `masks`.
        section: "training", "validation" or "test".
        fold: the fold kept for validation, 0 to folds - 1.
        folds: number of folds.
        seed: seed of the test patients and of the folds.

    Returns:
        Dictionaries with the absolute paths "image" and "label", "case" (`<case>_<slice>`) and
        "patient".

    Raises:
        FileNotFoundError: no slices there.
        ValueError: no file can be used, a name is not `<case>_<slice>`, a section or fold
            has no cases, too few patients.

    Example:
        >>> cases("data/liver_slices", "test")  # doctest: +SKIP
        [{"image": "/data/liver_slices/images/005_115.png", "label": ..., "case": "005_115"}, ...]
    """
    return select(datalist(dataset_dir, folds=folds, seed=seed), section, fold=fold)


def datalist(
    dataset_dir: str | os.PathLike[str], *, folds: int = 5, seed: int = 0
) -> dict[str, Any]:
    """Make the datalist of a folder of slices, with absolute paths. Raises as `cases` does."""
    others, ircadb = _listed(Path(dataset_dir).absolute())
    training, testing = hold_out(others, TEST_SHARE, seed=seed)
    return build(_NAME, training, testing=testing + ircadb, folds=folds, seed=seed)


def prepare(source: str | os.PathLike[str], out: str | os.PathLike[str]) -> int:
    """Check every slice of a folder and copy it into a prepared one; return their number.

    `cases` reads the folder as it is as well; preparing adds the checks of `prepared.write`. A
    second run does what is left and what has changed.

    Raises:
        FileNotFoundError: no slices in `source`.
        ValueError: what `cases`, `prepared.check_out` or `prepared.write` refuses.
    """
    prepared.check_out(out, source, name=_NAME)
    parts = {"image": "images", "label": "masks"}
    items, ircadb = (bring(out, part, parts=parts) for part in _listed(Path(source).absolute()))
    prepared.write(
        out,
        _NAME,
        items,
        testing=ircadb,
        test_share=TEST_SHARE,
        label_values=LABEL_VALUES,
    )
    return len(items) + len(ircadb)


def _listed(root: Path) -> tuple[list[Item], list[Item]]:
    """The slices of a folder: those to deal, and those of `IRCADB_CASES`."""
    left = LeftOut()
    images, masks = _pictures(root / "images", left), _pictures(root / "masks", left)
    if not any(_patient_and_number(name) for name in (*images, *masks)):
        raise nothing_found(
            _NAME,
            root,
            looked_for="images/<case>_<slice>.png and masks/<case>_<slice>.png",
            remedy=f"give the folder of the slices {BY_EITHER}",
        )
    left.add("without a mask", (images[name].name for name in images if name not in masks))
    left.add("without an image", (masks[name].name for name in masks if name not in images))
    items = [_item(name, images[name], masks[name]) for name in sorted(images) if name in masks]
    if not items:
        raise ValueError(f"none of the files in {root} can be used: {left}")
    left.warn(logger, root, used=len(items))
    ircadb = [item for item in items if item["patient"] in IRCADB_CASES]
    others = [item for item in items if item["patient"] not in IRCADB_CASES]
    return others, ircadb


def _pictures(folder: Path, left: LeftOut) -> dict[str, Path]:
    """Map name without suffix -> picture; what else the folder holds is left out."""
    found: dict[str, Path] = {}
    entries = entries_of(folder)
    odd = odd_entries(entries)
    left.add(ODD, (path.name for path in odd))
    for path in (path for path in entries if path not in odd):
        if path.name.startswith("."):
            left.add("with a hidden name", [path.name] if _is_picture(path) else [])
        elif not _is_picture(path):
            left.add("of no format that is read", [path.name])
        elif path.stem in found:
            raise ValueError(
                f"{found[path.stem]} and {path} are the same slice: remove one of them"
            )
        else:
            found[path.stem] = path
    return found


def _is_picture(path: Path) -> bool:
    return is_picture_file(path) and not path.name.startswith("._")


def _item(name: str, image: Path, mask: Path) -> Item:
    if (parts := _patient_and_number(name)) is None:
        raise ValueError(f"{image} is not named <case>_<slice>.png: its patient is unknown")
    return {"case": name, "patient": parts[0], "image": str(image), "label": str(mask)}


def _patient_and_number(name: str) -> tuple[str, str] | None:
    """The two parts of `<case>_<slice>`; None for another name."""
    patient, _, number = name.rpartition("_")
    return (patient, number) if patient and number.isdigit() else None
