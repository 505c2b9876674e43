"""Case paths: the files that an entry of a case names."""

import os
from collections.abc import Callable
from typing import Any


def list_paths(value: Any) -> list[str]:
    """The paths of an entry, which names one file, or one for each channel, None for a missing one.

    An entry of another kind has none.

    Example:
        >>> list_paths("a.nii"), list_paths(["a_flair.nii", None])
        (['a.nii'], ['a_flair.nii'])
    """
    several = value if isinstance(value, (list, tuple)) else [value]
    return [os.fspath(path) for path in several if isinstance(path, (str, os.PathLike)) and path]


def change_paths(value: Any, change: Callable[[str], str]) -> Any:
    """The same entry with each of its paths changed.

    Example:
        >>> change_paths(["a.nii", None], lambda path: "data/" + path)
        ['data/a.nii', None]
    """
    if isinstance(value, (list, tuple)):
        return [change(path) if path else None for path in value]
    return change(value)
