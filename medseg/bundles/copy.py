"""Bundle copy: a bundle made from another one, with some keys and the weights changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from medseg.base.files import whole
from medseg.base.path_keys import escape_for_monai_if_needed
from medseg.base.scratch import make_scratch_folder
from medseg.base.text import escape_unprintable_lines
from medseg.bundles import build
from medseg.bundles.bundle import LARGE_FILE_MB, WEIGHTS
from medseg.bundles.check import find_faults
from medseg.plausibility import copy_trained_on

_COPIED = ("LICENSE", "docs/data_license.txt", "configs/logging.conf")


def refuse_existing(out: Path) -> None:
    """Refuse a folder that a bundle is to be written to, if something is there.

    Raises:
        FileExistsError: `out` exists.
    """
    if os.path.lexists(out):
        raise FileExistsError(
            f"{out.absolute()} exists: remove it, or name another folder for the bundle with --out"
        )


def write_copy(
    bundle: Path,
    out: Path,
    *,
    changes: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    weights_of: str | os.PathLike | None = None,
    card: str,
    note: str,
) -> Path:
    """Write a bundle that differs from `bundle` in some keys and in its weights, and check it.

    It stands on its own: its configs are complete and no layers belong to it. It appears whole, or
    not at all.

    Args:
        bundle: folder of the bundle that it is made from.
        out: folder to make; its name becomes the bundle's.
        changes: keys with their new values, written to every config that has the key.
        weights: flat state dict.
        weights_of: the file of which these weights are a part; the ranges of what it was trained
            on go along. None where there is none.
        card: text of docs/README.md.
        note: one line that says what it is; for the configs, the metadata and its changelog.

    Raises:
        FileExistsError: `out` exists.
        ValueError: the bundle would have faults, see `bundle_check.faults`.
    """
    refuse_existing(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with make_scratch_folder(out.parent) as scratch:
        made = scratch / out.name
        named = {**changes, "name": escape_for_monai_if_needed(out.name)}
        _write_configs(bundle, made, changes=named, note=note)
        for file in _COPIED:
            (made / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle / file, made / file)
        for flat in build.FLAT_NAMES:
            (made / flat).symlink_to(Path("configs") / flat)
        (made / "docs" / "README.md").write_text(escape_unprintable_lines(card), encoding="utf-8")
        (made / "models").mkdir()
        with whole(made / WEIGHTS) as partial:
            torch.save(dict(weights), partial)
        if weights_of is not None:
            copy_trained_on(weights_of, made / WEIGHTS)
        _list_large_file(made)
        if found := find_faults(str(made)):
            raise ValueError(f"the bundle {out} would have faults: {'; '.join(found)}")
        made.rename(out)
    return out


def _write_configs(bundle: Path, made: Path, *, changes: Mapping[str, Any], note: str) -> None:
    (made / "configs").mkdir(parents=True)
    for workflow in build.WORKFLOWS:
        file = Path("configs") / f"{workflow}.json"
        parser = ConfigParser(json.loads((bundle / file).read_text()))
        for key, value in changes.items():
            if key in parser:
                parser[key] = value
        parser["_generated_"] = escape_for_monai_if_needed(note)
        (made / file).write_text(build.format_config(parser.get()))
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    metadata["version"], metadata["changelog"] = "0.1.0", {"0.1.0": note}
    metadata["name"] = f"{metadata['name']}, pruned"
    metadata["description"] = f"{metadata['description']} This one: {note}."
    (made / "configs" / "metadata.json").write_text(build.format_config(metadata))


def _list_large_file(made: Path) -> None:
    """Name large weights in large_files.yml; whoever publishes the bundle adds the address."""
    path = made / WEIGHTS
    if path.stat().st_size > LARGE_FILE_MB * 1e6:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        entry = f"  - path: {WEIGHTS}\n    url: ''\n    hash_val: {digest}\n    hash_type: sha256\n"
        (made / "large_files.yml").write_text(f"large_files:\n{entry}")
