"""Import model: a trained model of nnU-Net v2 as a bundle, without training it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from medseg.base.arguments import check_choice
from medseg.base.channels.file_names import make_channel_name
from medseg.base.files import check_folder
from medseg.base.text import count_noun
from medseg.bundles.bundle import refuse_existing
from medseg.bundles.nnunet.card import count_cases, describe_model, write_card
from medseg.bundles.nnunet.checkpoint import Checkpoint, read_checkpoint
from medseg.bundles.nnunet.classes import Labels, read_labels
from medseg.bundles.nnunet.configuration import Configuration, read_configuration
from medseg.bundles.nnunet.model_folder import ModelFolder, choose_folds, open_model
from medseg.bundles.nnunet.plain_values import explain_damage
from medseg.bundles.nnunet.same_training import check_folds, check_training
from medseg.bundles.nnunet.task import make_task
from medseg.bundles.nnunet.weights import (
    check_weights,
    fit_head,
    join_folds,
    save_weights,
    use_batch_norm,
)
from medseg.bundles.own.write_bundle import check_name, write_bundle
from medseg.networks.ensemble import AVERAGES
from medseg.networks.nnunet.build import build_network
from medseg.plausibility import TrainedOn, carry_trained_on, choose_settings

PICTURES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")
"""Endings of dataset.json's `file_ending` that are of pictures."""


@dataclass(frozen=True)
class Imported:
    """A bundle that was made of a model of nnU-Net.

    Attributes:
        folder: of the bundle.
        folds: that it averages.
        configuration: of the plans.
        notes: what was left out or is other than in nnU-Net, one line each.
    """

    folder: Path
    folds: tuple[str, ...]
    configuration: str
    notes: tuple[str, ...]


def import_model(
    source: Path,
    out: Path,
    *,
    folds: Sequence[str] | None = None,
    configuration: str | None = None,
    checkpoint: str | None = None,
    average: str = "logits",
) -> Imported:
    """Make a bundle of a trained model of nnU-Net v2; it appears whole, or not at all.

    Args:
        source: the folder with plans.json, dataset.json and folds, one above it, or a zip as
            nnUNetv2_export_model_to_zip writes it.
        out: folder of the new bundle; its name becomes that of the bundle.
        folds: that are averaged; None for all.
        configuration: such as "3d_fullres", where several lie in `source`.
        checkpoint: name of the file in each fold; None for the final one, or else the best.
        average: "logits", as nnU-Net does, or "probabilities".

    Raises:
        FileExistsError: `out` exists.
        OSError: a file cannot be read, or `out` cannot be written.
        FileNotFoundError: there is no model, or a fold or a checkpoint is missing.
        ImportError: the package of nnU-Net's networks is not installed.
        ValueError: the model is damaged, of nnU-Net v1, or has what is not known here.
    """
    check_choice("average", average, AVERAGES)
    check_name(out.name)
    refuse_existing(out, option="--out")
    check_folder(out.parent)
    with open_model(source, configuration=configuration) as model:
        chosen = choose_folds(model, folds)
        files = {fold: model.find_checkpoint(fold, checkpoint) for fold in chosen}
        read = {fold: read_checkpoint(file) for fold, file in files.items()}
        first = read[chosen[0]]
        check_folds(read)
        with explain_damage(f"plans.json or dataset.json of {model.path}"):
            found, labels = _read(model, read, files, configuration=configuration)
            channels = _list_channels(model, found)
            options = use_batch_norm(found.options, first.weights)
        states = _fit(found, options, labels, read, files, in_channels=len(channels))
        notes = (*labels.notes, *_list_notes(model, first, chosen))
        task = make_task(
            out.name, found, options, labels, channels=channels, mirror_axes=first.mirror_axes
        )
        task["fold_average"] = average
        about = describe_model(model, found, labels, folds=chosen, channels=channels, notes=notes)
        write_bundle(
            out,
            task,
            about=about.metadata,
            texts=write_card(out, about, checkpoint=first, notes=notes),
            finish=lambda made: _save(made, states, cases=count_cases(model.dataset)),
        )
    return Imported(out, chosen, found.name, tuple(notes))


def _read(
    model: ModelFolder,
    read: Mapping[str, Checkpoint],
    files: Mapping[str, Path],
    *,
    configuration: str | None,
) -> tuple[Configuration, Labels]:
    """What the network sees and finds, which all checkpoints were trained for."""
    _refuse_pictures(model.dataset)
    labels = read_labels(model.dataset)
    first = next(iter(read.values()))
    found = read_configuration(model.plans, _name_configuration(model, first, configuration))
    for fold, one in read.items():
        check_training(found, labels, one, dataset=model.dataset, file=files[fold])
    return found, labels


def _refuse_pictures(dataset: Mapping[str, Any]) -> None:
    """Refuse a model for pictures, which any reader of plans.json may have read."""
    ending = str(dataset.get("file_ending", ""))
    if ending.lower() in PICTURES:
        raise ValueError(
            f"dataset.json says that the model is for {ending} files, and only those of medical "
            "volumes are imported: predict with nnU-Net itself"
        )


def _name_configuration(model: ModelFolder, first: Checkpoint, asked: str | None) -> str:
    """The configuration of the checkpoint, which is that of the folder's name and of the caller."""
    named = asked or first.configuration or model.configuration
    if first.configuration and first.configuration != named:
        raise ValueError(
            f"{model.path} holds no model of {named}: its checkpoint is of {first.configuration}, "
            "pass --configuration with that, or leave it out"
        )
    if not named:
        raise ValueError(
            f"neither the checkpoint nor the name of {model.path} says its configuration: pass "
            "--configuration, such as 3d_fullres"
        )
    return named


def _list_channels(model: ModelFolder, found: Configuration) -> list[str]:
    """The names of the channels in order."""
    named = model.dataset.get("channel_names", model.dataset.get("modality", {}))
    places = sorted(named, key=lambda place: (len(str(place)), str(place)))
    names = [make_channel_name(str(named[place])) or f"channel_{place}" for place in places]
    if len(names) != len(found.schemes):
        raise ValueError(
            f"dataset.json names {count_noun(len(names), 'channel')}, and plans.json scales "
            f"{len(found.schemes)}: they are of different trainings, put those of one there"
        )
    repeated = len(set(names)) < len(names)
    return [f"channel_{place}" for place in places] if repeated else names


def _fit(
    found: Configuration,
    options: Mapping[str, Any],
    labels: Labels,
    read: Mapping[str, Checkpoint],
    files: Mapping[str, Path],
    *,
    in_channels: int,
) -> list[dict[str, Tensor]]:
    """The weights of each fold, which fit the network that the bundle builds."""
    one_class = len(labels.classes) == 1 and not labels.regions
    with torch.device("meta"):
        network = build_network(
            found.architecture,
            in_channels=in_channels,
            out_channels=labels.channels - one_class,
            options=options,
        )
    states = []
    for fold, one in read.items():
        try:
            state = fit_head(one.weights, one_class=one_class)
        except ValueError as error:
            raise ValueError(f"{files[fold]}: {error}") from error
        check_weights(network, state, checkpoint=one, file=str(files[fold]))
        states.append(state)
    return states


def _list_notes(model: ModelFolder, first: Checkpoint, folds: Sequence[str]) -> list[str]:
    """What was left out of the model, one line each."""
    used = f"folds {', '.join(folds)} are averaged" if folds[1:] else f"fold {folds[0]} is used"
    notes = [f"fold {fold} is left out: {used}" for fold in model.folds if fold not in folds]
    notes += [
        f"{one.name} has no checkpoint, and is left out"
        for one in sorted(model.path.glob("fold_*"))
        if one.name.removeprefix("fold_") not in model.folds
    ]
    if (model.path / "postprocessing.pkl").is_file() or any(model.path.rglob("postprocessing.pkl")):
        notes.append(
            "postprocessing.pkl is left out, since reading it could run code: what it keeps, such "
            "as the largest part, can be set by largest_only"
        )
    if not first.mirror_axes:
        notes.append("it was trained without mirroring, and predicts so")
    return notes


def _save(made: Path, states: Sequence[Mapping[str, Tensor]], *, cases: int | None) -> None:
    """Write the weights, which carry what they were trained for."""
    config = json.loads((made / "configs" / "inference.json").read_text())
    trained = TrainedOn(
        about={"name": config["name"]},
        cases=cases or 0,
        modality=config["modality"],
        dimensions=3,
        settings=choose_settings(config),
    )
    (made / "models").mkdir()
    save_weights(carry_trained_on(join_folds(states), trained), made / "models" / "model.pt")
