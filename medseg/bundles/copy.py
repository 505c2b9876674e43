"""Bundle copy: a bundle made from another one, with some keys and the weights changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from medseg.base.files import whole
from medseg.base.path_keys import escape_for_monai_if_needed
from medseg.base.scratch import make_scratch_folder
from medseg.base.text import escape_unprintable_lines
from medseg.bundles import build
from medseg.bundles.bundle import (
    LARGE_FILE_MB,
    WEIGHTS,
    Bundle,
    move_into_place,
    refuse_existing,
)
from medseg.bundles.check import find_faults, find_missing_files
from medseg.bundles.derive import write_derived
from medseg.plausibility import carry_trained_on, read_ranges, write_trained_on


def write_copy(
    bundle: Path,
    out: Path,
    *,
    changes: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    weights_of: str | os.PathLike | None = None,
    scores: Mapping[str, float] | None = None,
    card: str,
    note: str,
) -> Path:
    """Write a bundle that differs from `bundle` in some keys and in its weights, and check it.

    Its configs are complete and are not built from layers. It appears whole, or not at all.

    Args:
        bundle: folder of the bundle that it is made from.
        out: folder to make; its name becomes the bundle's.
        changes: keys with their new values, written to every config that has the key.
        weights: flat state dict.
        weights_of: the file of which these weights are a part; the ranges of its training data are
            copied too. None where there is no such file.
        scores: of the weights, for the metadata; None where they are not known.
        card: text of docs/README.md.
        note: one line that says what the bundle is, for the configs, the metadata and its
            changelog.

    Raises:
        FileExistsError: `out` exists.
        ValueError: the bundle would have faults, see `find_faults`, other than files that `bundle`
            lacks too.
    """
    refuse_existing(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with make_scratch_folder(out.parent) as scratch:
        made = scratch / out.name
        named = {
            **changes,
            "name": escape_for_monai_if_needed(out.name),
            "bundle_root": "$medseg.bundles.find(@name)",
        }
        write_derived(
            bundle,
            made,
            changes=dict.fromkeys(build.WORKFLOWS, named),
            note=note,
            title="pruned",
            scores=scores,
            card=escape_unprintable_lines(card),
        )
        (made / "models").mkdir()
        trained = None if weights_of is None else read_ranges(weights_of)
        state = dict(weights) if trained is None else carry_trained_on(weights, trained)
        with whole(made / WEIGHTS) as partial:
            torch.save(state, partial)
        if trained is not None:
            write_trained_on(trained, made / WEIGHTS)
        _list_large_file(made)
        lacking = set(find_missing_files(Bundle(bundle.name, bundle.parent)))
        if found := [fault for fault in find_faults(str(made)) if fault not in lacking]:
            raise ValueError(f"the bundle {out} would have faults: {'; '.join(found)}")
        move_into_place(made, out)
    return out


def _list_large_file(made: Path) -> None:
    """Name large weights in large_files.yml; whoever publishes the bundle adds the address."""
    path = made / WEIGHTS
    if path.stat().st_size > LARGE_FILE_MB * 1e6:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        entry = f"  - path: {WEIGHTS}\n    url: ''\n    hash_val: {digest}\n    hash_type: sha256\n"
        (made / "large_files.yml").write_text(f"large_files:\n{entry}")
