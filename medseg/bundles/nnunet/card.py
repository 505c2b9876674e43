"""Card: what is known of an imported model of nnU-Net, for its metadata and its model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medseg.base.text import count_noun
from medseg.bundles.catalogue.locate import name_folder
from medseg.bundles.nnunet.checkpoint import Checkpoint
from medseg.bundles.nnunet.classes import Labels
from medseg.bundles.nnunet.configuration import Configuration
from medseg.bundles.nnunet.model_folder import ModelFolder
from medseg.bundles.nnunet.plain_values import make_text
from medseg.bundles.own.write_bundle import PACKAGES

NOT_STATED = "not stated"

_LICENCES = ("licence", "license", "Licence", "License")
_PACKAGES = (*PACKAGES, "dynamic-network-architectures")

_SCALINGS = {
    "ct": "cut to {percentile_00_5:g} to {percentile_99_5:g} HU, less {mean:g}, divided by {std:g}",
    "z_score": "less its mean, divided by its standard deviation",
    "none": "as it is",
    "unit_range": "from 0 to 1",
    "divide_by_255": "divided by 255",
}
"""How the values of a channel are scaled, in words."""


@dataclass(frozen=True)
class About:
    """What is known of a model.

    Attributes:
        title: name of its dataset, and its configuration.
        licence: as stated, or "not stated".
        reference: likewise.
        scores: mean Dice of the validation cases, fold by fold, as nnU-Net wrote it; None where it
            did not.
        metadata: for the bundle.
        lines: of the model card, about the network.
    """

    title: str
    licence: str
    reference: str
    scores: Mapping[str, float | None]
    metadata: Mapping[str, Any]
    lines: Sequence[str]


def describe_model(
    model: ModelFolder,
    found: Configuration,
    labels: Labels,
    *,
    folds: Sequence[str],
    channels: Sequence[str],
    notes: Sequence[str] = (),
) -> About:
    """What dataset.json, plans.json and the summaries of the folds say of a model.

    Args:
        model: its files.
        found: what its network sees.
        labels: what it finds.
        folds: that are imported.
        channels: names of the image's channels.
        notes: what was left out of it.
    """
    dataset, plans = model.dataset, model.plans
    name = make_text(dataset.get("name") or plans.get("dataset_name") or NOT_STATED)
    licence = make_text(next((dataset[key] for key in _LICENCES if dataset.get(key)), NOT_STATED))
    reference = make_text(dataset.get("reference") or NOT_STATED)
    scores = {fold: model.read_score(fold) for fold in folds}
    known = {fold: round(score, 4) for fold, score in scores.items() if score is not None}
    cases = count_cases(dataset)
    title = f"{name}, {found.name}"
    metadata: dict[str, Any] = {
        "changelog": {"0.1.0": "imported from a model of nnU-Net v2"},
        "name": f"Segmentation of {', '.join(labels.classes)}",
        "description": f"A model of nnU-Net v2 ({title}), imported.",
        "data_source": name if reference == NOT_STATED else f"{name}: {reference}",
        "image_classes": "; ".join(_list_scalings(found, channels)),
        "copyright": licence,
        "required_packages_version": {package: version(package) for package in _PACKAGES},
        "references": [
            "Isensee, F. et al. nnU-Net: a self-configuring method for deep learning-based "
            "biomedical image segmentation. Nature Methods 18, 203-211 (2021)."
        ],
    }
    if cases is not None:
        metadata["training_cases"] = cases
    if notes:
        metadata["notes"] = list(notes)
    if known:
        metadata["eval_metrics"] = {
            "val_mean_dice": round(sum(known.values()) / len(known), 4),
            **{f"val_dice_of_fold_{fold}": score for fold, score in known.items()},
        }
    return About(
        title, licence, reference, scores, metadata, _list_lines(found, channels, cases=cases)
    )


def count_cases(dataset: Mapping[str, Any]) -> int | None:
    """How many cases a model was trained on; None where dataset.json does not say it."""
    stated = str(dataset.get("numTraining", ""))
    return int(stated) if stated.isdigit() else None


def write_card(
    out: Path, about: About, *, checkpoint: Checkpoint, notes: Sequence[str]
) -> dict[str, str]:
    """The texts of the bundle: its card and what is known of licences."""
    scores = [
        f"- fold {fold}: {NOT_STATED if score is None else f'{score:.4f}'}"
        for fold, score in about.scores.items()
    ]
    lines = [
        f"# {out.name}",
        "",
        f"A model of nnU-Net v2, imported: {about.title}. Research only; not a medical device.",
        "",
        "```bash",
        f"medseg segment STUDY -b {name_folder(out)} -o masks",
        "```",
        "",
        f"- trained by {checkpoint.trainer or NOT_STATED}"
        + ("" if checkpoint.epoch is None else f", {count_noun(checkpoint.epoch, 'epoch')}"),
        *about.lines,
        f"- data: {about.reference}",
        f"- licence: {about.licence}",
        "",
        "Mean Dice of the validation cases, as nnU-Net wrote it (summary.json):",
        "",
        *scores,
        "",
        *(
            ["What is other than in nnU-Net:", "", *(f"- {note}" for note in notes)]
            if notes
            else []
        ),
    ]
    return {
        "docs/README.md": "\n".join(lines).rstrip() + "\n",
        "docs/data_license.txt": f"Licence of the training data: {about.licence}\n",
        "LICENSE": f"{about.licence}\n",
    }


def _list_lines(found: Configuration, channels: Sequence[str], *, cases: Any) -> list[str]:
    size = "x".join(map(str, found.patch_size))
    spacing = "x".join(f"{mm:g}" for mm in found.spacing_mm)
    return [
        f"- network: {found.architecture}, patches of {size} voxels of {spacing} mm",
        *(f"- channel {scaling}" for scaling in _list_scalings(found, channels)),
        *([f"- training cases: {cases}"] if cases else []),
    ]


def _list_scalings(found: Configuration, channels: Sequence[str]) -> list[str]:
    """Each channel, and how its values are scaled."""
    return [
        f"{name}: {_SCALINGS[scheme].format(**known)}" + (" of what is not 0" if inside else "")
        for name, scheme, known, inside in zip(
            channels, found.schemes, found.properties, found.inside, strict=True
        )
    ]
