"""Model folder: the files of a trained model of nnU-Net, and which of them are meant."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from medseg.base.scratch import make_scratch_folder
from medseg.base.text import shorten_list
from medseg.bundles.bundle import read_json_object

PLANS, DATASET = "plans.json", "dataset.json"
CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
"""The files of weights in a fold, the first that is there is taken unless another is asked for."""

ALL = "all"
"""The fold of a training on all cases."""

_OF_V1 = ("plans.pkl", "model_final_checkpoint.model", "model_best.model")
_FOLD = re.compile(r"fold_(\d+|all)")


@dataclass(frozen=True)
class ModelFolder:
    """A folder with plans.json, dataset.json and a folder for each fold.

    Attributes:
        path: the folder.
        folds: the names of its folds with a checkpoint, such as ("0", "1"), or ("all",).
    """

    path: Path
    folds: tuple[str, ...]

    @property
    def plans(self) -> dict[str, Any]:
        """The content of plans.json."""
        return read_json_object(self.path / PLANS)

    @property
    def dataset(self) -> dict[str, Any]:
        """The content of dataset.json."""
        return read_json_object(self.path / DATASET)

    @property
    def configuration(self) -> str:
        """The configuration by the name of the folder; empty if it is renamed."""
        parts = self.path.name.split("__")
        return parts[2] if len(parts) == 3 else ""

    def find_checkpoint(self, fold: str, name: str | None = None) -> Path:
        """The weights of a fold.

        Raises:
            FileNotFoundError: it has none, or none of that name.
        """
        folder = self.path / f"fold_{fold}"
        if name is not None and Path(name).name != name:
            raise FileNotFoundError(
                f"{name} leads out of {folder}: name one of its files by --checkpoint"
            )
        for file in [name] if name else CHECKPOINTS:
            if (folder / file).is_file():
                return folder / file
        there = sorted(one.name for one in folder.glob("*.pth"))
        raise FileNotFoundError(
            f"{folder} has no {name or ' or '.join(CHECKPOINTS)}: "
            + (f"name one of {', '.join(there)} by --checkpoint" if there else "it is not trained")
        )

    def read_score(self, fold: str) -> float | None:
        """The mean Dice over the validation cases of a fold, by its summary.json."""
        file = self.path / f"fold_{fold}" / "validation" / "summary.json"
        try:
            return float(json.loads(file.read_text())["foreground_mean"]["Dice"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


@contextmanager
def open_model(given: Path, *, configuration: str | None = None) -> Iterator[ModelFolder]:
    """The model in a folder, in one below it, or in a zip as nnU-Net exports it.

    Args:
        given: the folder or the zip.
        configuration: which one is meant where several lie there.

    Raises:
        FileNotFoundError: there is no model of nnU-Net v2.
        ValueError: several lie there, the zip is damaged, or it is a model of nnU-Net v1.
    """
    if not given.is_file():
        yield _find_model(given, configuration)
        return
    with make_scratch_folder() as scratch:
        _unpack(given, scratch)
        yield _find_model(scratch, configuration, called=given)


def choose_folds(model: ModelFolder, asked: Sequence[str] | None) -> tuple[str, ...]:
    """The folds that are imported: those asked for, else all that are numbered, else "all".

    Raises:
        FileNotFoundError: a fold is not there.
    """
    if asked is None:
        return tuple(fold for fold in model.folds if fold != ALL) or model.folds
    if missing := [fold for fold in asked if fold not in model.folds]:
        raise FileNotFoundError(
            f"{model.path} has no trained fold {', '.join(missing)}: name some of "
            f"{', '.join(model.folds)} by --folds, with commas between them"
        )
    return tuple(dict.fromkeys(asked))


def _unpack(file: Path, scratch: Path) -> None:
    """Unpack a zip; a name that would lead out of the folder is refused."""
    try:
        with ZipFile(file) as archive:
            for name in archive.namelist():
                if not (scratch / name).resolve().is_relative_to(scratch.resolve()):
                    raise ValueError(f"{file} holds the name {name!r}, which leads out of it")
            archive.extractall(scratch)
    except BadZipFile as error:
        raise ValueError(
            f"{file} is no zip, or cut short: pass the folder of a model, or what "
            "nnUNetv2_export_model_to_zip wrote"
        ) from error


def _find_model(given: Path, configuration: str | None, called: Path | None = None) -> ModelFolder:
    name = called or given
    if not given.is_dir():
        raise FileNotFoundError(f"{name} does not exist: pass the folder of a model of nnU-Net")
    found = [
        file.parent for file in sorted(given.rglob(PLANS)) if (file.parent / DATASET).is_file()
    ]
    models = [ModelFolder(path, _list_folds(path)) for path in found]
    models = [model for model in models if model.folds]
    if configuration is not None and len(models) > 1:
        models = [model for model in models if model.configuration == configuration]
    if len(models) == 1:
        return models[0]
    if models:
        names = shorten_list([str(model.path.relative_to(given)) for model in models])
        tells = len({model.configuration for model in models}) > 1
        raise ValueError(
            f"{name} holds {len(models)} models of nnU-Net ({names}): name one of these folders"
            + (", or pass --configuration" if tells else "")
        )
    raise _explain_none(given, name, found)


def _explain_none(given: Path, name: Path, found: Sequence[Path]) -> Exception:
    if (folder := _find_unreadable(given)) is not None:
        return PermissionError(
            f"{folder} cannot be read, so that no model is found there: ask for the right to read "
            "it, or copy the model to where you may"
        )
    if any(True for file in _OF_V1 for _ in given.rglob(file)):
        return ValueError(
            f"{name} is a model of nnU-Net v1, and only those of v2 are imported: train it again "
            "with nnU-Net v2"
        )
    if found:
        return FileNotFoundError(
            f"{found[0]} has no fold with a checkpoint, such as fold_0/{CHECKPOINTS[0]}: pass the "
            "folder of a trained model"
        )
    return FileNotFoundError(
        f"{name} has no {PLANS} beside a {DATASET}: pass the folder of a trained model, such as "
        "nnUNet_results/Dataset001_X/nnUNetTrainer__nnUNetPlans__3d_fullres"
    )


def _find_unreadable(given: Path) -> str | None:
    """The first folder in one whose content may not be listed; None where all may."""
    refused: list[OSError] = []
    for _ in os.walk(given, onerror=refused.append):
        pass
    return str(refused[0].filename) if refused else None


def _list_folds(path: Path) -> tuple[str, ...]:
    """The folds of a model that have a checkpoint, in order."""
    matches = [_FOLD.fullmatch(one.name) for one in path.glob("fold_*") if any(one.glob("*.pth"))]
    return tuple(sorted((m[1] for m in matches if m), key=lambda fold: (len(fold), fold)))
