"""Phantom: synthetic image sets with exact masks, in the layout of the real set they stand for."""

import json
import logging
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from medseg.base.scratch import make_scratch_folder
from medseg.datasets.phantom.canvas import Grid

logger = logging.getLogger(__name__)

KINDS = {
    "ct": "liver_ct:write_liver_ct",
    "slices": "liver_ct:write_slices",
    "chest": "chest:write",
    "mr": "hippocampus:write_hippocampus",
    "brain": "brain:write",
    "microscopy": "microscopy:write_microscopy",
    "membrane": "membrane:write",
    "endoscopy": "endoscopy:write",
    "road": "street:write_road",
    "city": "street:write_city",
}
"""Kind of phantom -> the module and function that write it."""

SMALLEST_SIZE = 48  # in-plane matrix; below it small tumours fall between voxel centres
MOST_CASES, MOST_SIDE, MOST_SEED = 100_000, 2048, 2**32 - 1
"""Cases of either part, rows, columns and slices, and the seed, at most: a slip is refused."""

MARK = "phantom.json"
"""The file that tells a phantom from real data."""


def write(
    kind: str,
    out_dir: str | os.PathLike[str],
    *,
    cases: int = 10,
    seed: int = 0,
    test_cases: int = 1,
    size: int = 128,
    slices: int = 24,
    thickness_mm: float = 5.0,
    overwrite: bool = False,
) -> Path:
    """Write a synthetic set, whole or not at all, and return its absolute folder.

    Each kind is in the layout in which the dataset it stands for is published, with exact masks.
    The same arguments give the same voxels, and a case does not depend on how many others are
    written.

    | kind | what it shows | stands for |
    |---|---|---|
    | ct | abdomen in CT, liver and tumours; test cases as DICOM too | MSD Task03_Liver |
    | slices | single windowed slices of the abdomen as PNG | LiTS slices |
    | chest | chest in CT, nodules outlined by four readers | LIDC-IDRI |
    | mr | hippocampus in cropped MR | MSD Task04_Hippocampus |
    | brain | head in T1-weighted MR with a bright tumour | figshare brain tumour |
    | microscopy | fluorescent nuclei, some of which touch | Data Science Bowl 2018 |
    | membrane | cells separated by dark membranes in electron microscopy | ISBI 2012 |
    | endoscopy | polyps in colonoscopy | Kvasir-SEG |
    | road | the road from a car | KITTI road |
    | city | a street with 19 classes | Cityscapes fine |

    Args:
        kind: see the table.
        out_dir: folder to write; it must be new or empty, unless `overwrite`.
        cases: labelled cases for training, 1 to `MOST_CASES`, as many as the folds to be made.
        seed: seed of all that is random.
        test_cases: cases for testing, numbered after those for training.
        size: in-plane matrix or height of a picture, 48 or more; the field of view of a CT stays
            the same.
        slices: number of slices of a CT, centred on the organ.
        thickness_mm: distance of the slices of a CT.
        overwrite: replace a phantom written before; any other folder is still refused.

    Raises:
        ValueError: unknown kind, or a number out of range.
        FileExistsError: `out_dir` holds something, and is no phantom or `overwrite` is false.

    Example:
        >>> write("ct", "data/liver", cases=10, seed=0)  # doctest: +SKIP
        PosixPath('/data/liver')
    """
    if kind not in KINDS:
        raise ValueError(f"phantom kind {kind!r} is unknown: choose one of {', '.join(KINDS)}")
    _check_numbers(cases=(cases, 1, MOST_CASES), test_cases=(test_cases, 0, MOST_CASES))
    _check_numbers(size=(size, SMALLEST_SIZE, MOST_SIDE), slices=(slices, 1, MOST_SIDE))
    _check_numbers(seed=(seed, 0, MOST_SEED))
    if not 0.5 <= thickness_mm <= 10:
        raise ValueError(f"thickness_mm is {thickness_mm}: choose 0.5 to 10")
    out = Path(os.path.realpath(out_dir))
    _check_free(out, overwrite=overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    with make_scratch_folder(out.parent) as holder:
        made = holder / "made"
        made.mkdir()
        grid = Grid(size, slices, thickness_mm)
        _find_writer(kind)(made, grid, cases=cases, test_cases=test_cases, seed=seed)
        about = {"kind": kind, "description": "synthetic, written by medseg phantom", "seed": seed}
        (made / MARK).write_text(json.dumps(about) + "\n", encoding="utf-8")
        if out.exists():
            os.replace(out, holder / "old")
        os.replace(made, out)
    logger.info("wrote %d training and %d test cases to %s", cases, test_cases, out)
    return out


def _find_writer(kind: str) -> Callable[..., None]:
    module, _, function = KINDS[kind].partition(":")
    return getattr(import_module(f"medseg.datasets.phantom.{module}"), function)


def _check_numbers(**limits: tuple[int, int, int]) -> None:
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise ValueError(f"{name} is {value}: choose {least} to {most}")


def _check_free(out: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds anything, but for an own phantom that may be replaced."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / MARK).is_file():
        raise FileExistsError(f"{out} exists and is not a phantom: choose another folder")
    if not overwrite:
        raise FileExistsError(
            f"{out} holds a phantom already: use it as it is, choose another folder, "
            "or pass --overwrite"
        )
