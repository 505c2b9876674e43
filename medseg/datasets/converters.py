"""Converters: the dataset of each bundle by its name, and what turns it into a prepared folder."""

import os
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


def prepare(
    name: str, source: str | os.PathLike[str], out: str | os.PathLike[str], **options: object
) -> int:
    """Convert a dataset as published, see the module of the dataset; return the number of cases.

    A second run does what is left.

    Args:
        name: a key of `CONVERTERS`.
        source: folder or archive as published.
        out: folder to write, made if absent.
        options: of the dataset's own `prepare`.

    Raises:
        ValueError: an unknown name, or faulty data.
        FileNotFoundError: the source is not there, or holds another dataset.

    Example:
        >>> prepare("nuclei", "stage1_train.zip", "data/nuclei")  # doctest: +SKIP
        598
    """
    return converter(name)(source, out, **options)


def converter(name: str) -> Callable[..., int]:
    """The `prepare` function of a dataset.

    Raises:
        ValueError: an unknown name.
    """
    if name not in CONVERTERS:
        raise ValueError(
            f"dataset {name!r} is unknown: choose one of {', '.join(sorted(CONVERTERS))}"
        )
    return import_module(f"medseg.datasets.{CONVERTERS[name]}").prepare
