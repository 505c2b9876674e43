"""Own copy: an editable copy of a bundle, under a name of its own, with its weights."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from medseg.base.files import check_folder, whole
from medseg.base.path_keys import escape_for_monai_if_needed
from medseg.base.scratch import make_scratch_folder
from medseg.bundles.build import format_config, write_flat_names
from medseg.bundles.bundle import (
    PUBLISHED,
    RUN_FILE,
    move_into_place,
    name_version,
    refuse_existing,
)
from medseg.bundles.layers.merge import CONFIG_NAMES
from medseg.bundles.overrides import read_config

_FOLDERS = ("configs", "docs", "models", "scripts")
_FILES = ("LICENSE", "large_files.yml")


def copy_bundle(folder: Path, out: Path) -> Path:
    """Copy a bundle to a folder of one's own, whose name becomes that of the copy.

    The configs, docs, licence and weights are copied; of a training run also `run.json`, which
    describes the weights, but no file to resume from. The copy is not built from layers: its
    configs are to be edited. It appears whole, or not at all.

    Args:
        folder: of the bundle.
        out: folder to make.

    Returns:
        `out`.

    Raises:
        FileExistsError: `out` exists.
        OSError: `out` cannot be written.
        ValueError: a config is damaged.

    Example:
        >>> copy_bundle(Path("bundles/liver"), Path("bundles/mine"))  # doctest: +SKIP
        PosixPath('bundles/mine')
    """
    refuse_existing(out)
    for file in (folder / "configs" / f"{config}.json" for config in CONFIG_NAMES):
        if file.is_file():
            read_config(file)
    check_folder(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with make_scratch_folder(out.parent) as scratch:
        made = scratch / out.name
        for source, place in _list_files(folder):
            (made / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, made / place)
        note = f"copied from {name_version(folder.resolve().name, folder)} by medseg bundles copy"
        for config in CONFIG_NAMES:
            _rename(made / "configs" / f"{config}.json", out.name, note)
        write_flat_names(made)
        move_into_place(made, out)
    return out


def _list_files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Each file to copy, and its place in the copy."""
    for part in _FOLDERS:
        for path in sorted((folder / part).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path, path.relative_to(folder)
    for name in _FILES:
        if (folder / name).is_file():
            yield folder / name, Path(name)
    if (folder / RUN_FILE).is_file():
        yield folder / RUN_FILE, Path(PUBLISHED)


def _rename(file: Path, name: str, note: str) -> None:
    """Set the name in a config to that of its folder, if the config has a name."""
    if not file.is_file():
        return
    config = read_config(file)
    changed = {"_generated_": escape_for_monai_if_needed(note)}
    if "name" in config and "medseg" in str(config.get("bundle_root")):
        changed |= {
            "name": escape_for_monai_if_needed(name),
            "bundle_root": "$medseg.bundles.find(@name)",
        }
    with whole(file) as partial:
        partial.write_text(format_config({**config, **changed}), encoding="utf-8")
