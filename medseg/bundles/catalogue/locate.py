"""Locate: the folder of the bundle that `-b` names, and all bundles that can be named.

A bundle is named by its folder, which may be that of a training run, or by its name alone: then it
lies in `bundles/` of the working directory, or came with medseg. A wheel carries the bundles in
`medseg/bundles/shipped`; a checkout has them in its own `bundles/`.
"""

import os
import shlex
from difflib import get_close_matches
from pathlib import Path

from medseg.bundles.build import WORKFLOWS
from medseg.bundles.bundle import RUN_FILE, WEIGHTS

LOCAL = Path("bundles")
"""Folder of bundles in the working directory."""

_INSTALLED = Path(__file__).parents[1] / "shipped"
_CHECKOUT = Path(__file__).parents[3] / "bundles"


def locate(named: str | os.PathLike[str]) -> Path:
    """The folder of the bundle that a word of the command line names.

    Args:
        named: a folder that holds the configs of a bundle, in `configs/` or directly, such as that
            of a training run or of a model-zoo bundle; else the name of a bundle in `bundles/` of
            the working directory, or of one that came with medseg, in this order.

    Returns:
        The folder; if a folder was typed, exactly as typed.

    Raises:
        FileNotFoundError: there is no such bundle.

    Example:
        >>> locate("liver")  # doctest: +SKIP
        PosixPath('bundles/liver')
    """
    path = Path(named)
    if is_bundle(path):
        return path
    known = list_folders()
    if path.name == os.fspath(named):
        if path.name in known:
            return known[path.name]
        if not path.is_dir():
            raise FileNotFoundError(
                f"no bundle {path.name!r}: {_suggest_near(path.name, known)}name one of "
                f"{', '.join(known) or 'none'}, or the folder of a bundle or training run, with -b"
            )
    where = os.path.realpath(path)
    if path.exists():
        raise FileNotFoundError(
            f"{where} is not a bundle, it has no configs/: {_suggest(path, known)}"
        )
    raise FileNotFoundError(f"there is no folder {where}: {_suggest(path, known)}")


def name_folder(folder: Path) -> str:
    """The shortest word for a shell with which `-b` finds a folder from here, once it is a bundle.

    Example:
        >>> name_folder(Path("bundles/kidney")), name_folder(Path("my bundles/kidney"))
        ('kidney', "'my bundles/kidney'")
    """
    is_local = folder.parent.resolve() == LOCAL.resolve() and not is_bundle(Path(folder.name))
    return shlex.quote(folder.name if is_local else str(folder))


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds the config of a workflow, in `configs/` or directly."""
    return any(
        (place / f"{workflow}.json").is_file()
        for place in (folder / "configs", folder)
        for workflow in WORKFLOWS
    )


def list_folders(bundles_dir: Path | None = None) -> dict[str, Path]:
    """The folder of every bundle that can be named, by its name, sorted.

    Args:
        bundles_dir: look here alone; None for `bundles/` of the working directory and, for names
            that are not there, those that came with medseg.
    """
    places = [find_shipped_folder(), LOCAL] if bundles_dir is None else [bundles_dir]
    found = {
        folder.name: folder
        for place in places
        if place is not None and place.is_dir()
        for folder in place.iterdir()
        if (folder / "configs").is_dir() and is_bundle(folder)
    }
    return dict(sorted(found.items()))


def find_layers(bundles_dir: Path | None) -> Path | None:
    """The folder that holds the layers of bundles: `bundles_dir`, else `bundles/` if it has some.

    Example:
        >>> find_layers(Path("bundles"))
        PosixPath('bundles')
    """
    return LOCAL if bundles_dir is None and (LOCAL / "layers").is_dir() else bundles_dir


def find_shipped_folder() -> Path | None:
    """The folder of the bundles that came with medseg; None where it has none."""
    return next((folder for folder in (_INSTALLED, _CHECKOUT) if folder.is_dir()), None)


def is_installed(folder: Path) -> bool:
    """Whether a bundle is part of an installed medseg, so that nothing may be written to it."""
    return folder.resolve().is_relative_to(_INSTALLED.resolve())


def _suggest_near(name: str, known: dict[str, Path]) -> str:
    """The bundle that a misspelt name may mean, as the beginning of a remedy."""
    longer = [each for each in known if name and each.startswith(name)]
    near = longer[:1] or get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}? Otherwise " if near else ""


def _suggest(path: Path, known: dict[str, Path]) -> str:
    """What to name instead of a folder that is no bundle."""
    if (path / WEIGHTS).is_file():
        return (
            f"its weights are of no use without their configs: restore these, or name the bundle "
            f"that they belong to, and pass --weights {shlex.quote(str(path / WEIGHTS))}"
        )
    if runs := sorted(file.parent.name for file in path.glob(f"*/{RUN_FILE}")):
        return f"name one of the runs in it, such as -b {shlex.quote(str(path / runs[-1]))}"
    if path.name in known:
        return f"name only the bundle, -b {shlex.quote(path.name)}, or its folder"
    return (
        f"{_suggest_near(path.name, known)}name the folder of a bundle or training run with -b, or "
        f"one of {', '.join(known)}"
    )
