"""Converters: the dataset of each bundle by its name, and what turns it into a prepared folder."""

from collections.abc import Callable
from importlib import import_module

CONVERTERS = {
    "brain_tumor": "brain_tumor",
    "cityscapes": "cityscapes",
    "em_membrane": "em_membrane",
    "hippocampus": "hippocampus",
    "kitti_road": "kitti_road",
    "liver": "lits",
    "liver_slices": "liver_slices",
    "lung_nodule": "lidc",
    "nuclei": "nuclei",
    "polyp": "polyp",
}
"""Name of a dataset -> its module in `medseg.datasets`."""


READING = ("volume", "affine", "units")
"""What the `prepare` of a dataset of volume files takes beside source and folder."""

OF_VOLUMES = ("hippocampus", "liver")
"""The datasets of volume files."""


def converter(name: str) -> Callable[..., int]:
    """The `prepare` function of a dataset: (source, out) -> number of cases.

    That of "lung_nodule" takes more and gives a report, see `medseg.datasets.lidc`.

    Raises:
        ValueError: an unknown name.
    """
    if name not in CONVERTERS:
        raise ValueError(
            f"dataset {name!r} is unknown: choose one of {', '.join(sorted(CONVERTERS))}"
        )
    return import_module(f"medseg.datasets.{CONVERTERS[name]}").prepare
