"""Weights: refuse a bundle of another origin that has none, before anything is made."""

import os
from pathlib import Path


def check_weights(weights: str | os.PathLike[str], bundle: str | os.PathLike[str]) -> None:
    """Refuse weights that are not there.

    Args:
        weights: the file.
        bundle: folder of the bundle.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f"the bundle {bundle} has no weights, {weights} is not there: download them as its "
            "docs or its large_files.yml say, or pass --weights with a file"
        )
