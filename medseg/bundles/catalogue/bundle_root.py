"""Bundle root: the folder of the bundle whose config runs, for the key `bundle_root`."""

import os
from pathlib import Path


def find(name: str, *, run: str | None = None) -> str:
    """The root folder of bundle `name`, seen from the working directory.

    It is the folder of the config that MONAI runs, wherever that is. If no config runs, or the
    config lies outside a bundle, the bundle is looked for in the working directory itself, in
    `bundles/` below it, and directly below it.

    Args:
        name: of the bundle.
        run: the name of one of its runs, which lies in `runs/NAME/` instead of `bundles/`.

    Raises:
        FileNotFoundError: none of these is the bundle.
    """
    here = Path.cwd()
    if running := _find_running_bundle():
        running = Path(os.path.abspath(running))
        return os.path.relpath(running) if running.is_relative_to(here) else str(running)
    folder, above = (name, Path("bundles")) if run is None else (run, Path("runs") / name)
    for root in (here, here / above / folder, here / folder):
        if (
            Path(os.path.realpath(root)).name == folder
            and (root / "configs" / "metadata.json").is_file()
        ):
            return "." if root == here else str(root.relative_to(here))
    what = f"bundle {name!r}" if run is None else f"run {run!r} of bundle {name!r}"
    raise FileNotFoundError(
        f"{what} is neither {here} nor {here / above / folder}: run from the folder that holds "
        f"{above.parts[0]}/, or pass --bundle_root"
    )


def _find_running_bundle() -> Path | None:
    """The folder of the bundle whose config MONAI's `ConfigWorkflow` is evaluating, if any.

    An expression of a config does not know where its file is, but the workflow that runs it does,
    and so does the operator of MONAI Deploy. For a TorchScript file it is the folder of that file.
    """
    from medseg.engines.config_in_use import (
        walk_callers,
    )  # it imports torch, which a list of bundles does not need

    for frame in walk_callers():
        known = getattr(frame.f_locals.get("self"), "__dict__", {})
        root = known.get("config_root_path", known.get("_bundle_path"))
        if isinstance(root, Path) and root.is_file():
            return root.parent
        if isinstance(root, Path):
            root = root.parent if root.name == "configs" else root
            return root if (root / "configs").is_dir() else None
    return None
