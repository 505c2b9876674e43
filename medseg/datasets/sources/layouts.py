"""Layouts: which published dataset a folder or an archive holds, by the paths of its files.

A converter that finds none of its files raises what `make_not_found_error` gives: it names the
dataset that the folder belongs to, where it is known. Only the directory of an archive is read.
"""

import os
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

from medseg.base.walk import walk

BY_EITHER_OPTION = "with --dataset_dir, or with --source of `medseg prepare`"
"""How to give a dataset that a bundle reads as published, too."""

_PICTURE = r"\.(?:png|jpe?g|tiff?|bmp)"
_VOLUME = r"(?:\.nii(?:\.gz)?|\.nrrd|\.nhdr|\.mha|\.mhd|\.mgz)"
_TASKS = ("hippocampus", "liver")  # of the Medical Segmentation Decathlon

LAYOUTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "brain_tumor": (
        (r"brainTumorDataPublic_[^/]*\.zip",),
        (r"\d+\.mat",),
        (r"\d+\.png", r"\d+_mask\.png"),
    ),
    "cityscapes": (
        (r"leftImg8bit/(?:train|val)/[^/]+/[^/]+_leftImg8bit" + _PICTURE,),
        (r"leftImg8bit_trainvaltest\.zip",),
    ),
    "em_membrane": (
        (r"train-volume\.tif", r"train-labels\.tif"),
        (r"train/image/\d+" + _PICTURE, r"train/label/\d+" + _PICTURE),
    ),
    "hippocampus": ((r"imagesTr/hippocampus_\d+" + _VOLUME,),),
    "kitti_road": ((r"training/image_2/(?:um|umm|uu)_\d{6}" + _PICTURE,), (r"data_road\.zip",)),
    "liver": ((r"imagesTr/liver_\d+" + _VOLUME,), (r"(?i:volume-\d+)" + _VOLUME,)),
    "liver_slices": ((r"images/[^/]+_\d+\.png", r"masks/[^/]+_\d+\.png"),),
    "lung_nodule": ((r"LIDC-IDRI-\d{4}/.*",), (r".*\.dcm", r".*\.xml")),
    "nuclei": ((r"([^/]+)/images/\1\.png", r"[^/]+/masks/[^/]+\.png"), (r"stage1_train\.zip",)),
    "polyp": (
        (r"Original/\d+\.(?:tiff?|png)", r"Ground Truth/\d+\.(?:tiff?|png)"),
        (r"images/[^/]+\.jpe?g", r"masks/[^/]+\.jpe?g"),
    ),
}
"""Dataset -> its layouts: of each every pattern is the end of the path of some file."""


def find_layouts(files: Iterable[str]) -> list[str]:
    """The datasets, as `medseg prepare` calls them, that have their files among these.

    Args:
        files: POSIX paths, below a folder or in an archive.

    Example:
        >>> find_layouts(["Kvasir-SEG/images/a.jpg", "Kvasir-SEG/masks/a.jpg"])
        ['polyp']
    """
    paths = list(files)
    return [
        name
        for name, layouts in LAYOUTS.items()
        if any(all(_has_file(pattern, paths) for pattern in layout) for layout in layouts)
    ]


def is_other_task(name: str, source: Path) -> bool:
    """Whether a folder is a task of the Decathlon with the files of another task, by their names.

    A user's own data in the same folders have other names, and both datasets accept them.
    """
    found = find_layouts(_list_files(source))
    return name not in found and any(task in found for task in _TASKS)


def make_not_found_error(
    name: str,
    source: str | os.PathLike[str],
    *,
    looked_for: str,
    remedy: str,
) -> FileNotFoundError:
    """The error to raise where a folder or an archive has nothing of the layout of a dataset.

    Args:
        name: the dataset, as `medseg prepare` calls it.
        source: the folder or archive; it need not exist.
        looked_for: the files that make the layout, in words.
        remedy: what to give instead, and by which key.
    """
    place = Path(source).absolute()
    if not place.exists():
        return FileNotFoundError(f"no {name} data found, {place} does not exist: {remedy}")
    others = [other for other in find_layouts(_list_files(place)) if other != name]
    seen = (
        f"; it has the layout of {' or '.join(others)}: run "
        f"{' or '.join(f'`medseg prepare {other}`' for other in others)}, or"
    )
    return FileNotFoundError(
        f"no {name} data in {place} (looked for {looked_for}){seen if others else ':'} {remedy}"
    )


def _has_file(pattern: str, paths: Iterable[str]) -> bool:
    whole = re.compile(rf"(?:.*/)?{pattern}")
    return any(whole.fullmatch(path) for path in paths)


def _list_files(source: Path) -> list[str]:
    """The files in a folder or a zip archive, with the name of that before them; else nothing."""
    if os.path.isdir(source):
        below = (folder / name for folder, _, names in walk(source) for name in names)
        return [f"{source.name}/{path.relative_to(source).as_posix()}" for path in below]
    if os.path.isfile(source) and zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            return [source.name, *archive.namelist()]
    return []
