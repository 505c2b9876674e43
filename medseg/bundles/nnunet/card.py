"""Card: what is known of an imported model of nnU-Net, for its metadata and its model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medseg.base.text import count_noun
from medseg.bundles.catalogue.locate import name_folder
from medseg.bundles.nnunet.checkpoint import Checkpoint
from medseg.bundles.nnunet.classes import Labels
from medseg.bundles.nnunet.configuration import Configuration
from medseg.bundles.nnunet.model_folder import ModelFolder

NOT_STATED = "not stated"


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
    model: ModelFolder, found: Configuration, labels: Labels, *, folds: Sequence[str]
) -> About:
    """What dataset.json, plans.json and the summaries of the folds say of a model."""
    dataset, plans = model.dataset, model.plans
    name = str(dataset.get("name") or plans.get("dataset_name") or NOT_STATED)
    licence = str(dataset.get("licence") or dataset.get("license") or NOT_STATED)
    reference = str(dataset.get("reference") or NOT_STATED)
    scores = {fold: model.read_score(fold) for fold in folds}
    known = [score for score in scores.values() if score is not None]
    title = f"{name}, {found.name}"
    metadata: dict[str, Any] = {
        "changelog": {"0.1.0": "imported from a model of nnU-Net v2"},
        "name": f"Segmentation of {', '.join(labels.classes)}",
        "description": f"A model of nnU-Net v2 ({title}), imported.",
        "data_source": reference,
        "copyright": licence,
        "references": [
            "Isensee, F. et al. nnU-Net: a self-configuring method for deep learning-based "
            "biomedical image segmentation. Nature Methods 18, 203-211 (2021)."
        ],
    }
    if known:
        metadata["eval_metrics"] = {"mean_dice_validation": round(sum(known) / len(known), 4)}
    return About(title, licence, reference, scores, metadata, _list_lines(found, dataset))


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


def _list_lines(found: Configuration, dataset: Mapping[str, Any]) -> list[str]:
    size = "x".join(map(str, found.patch_size))
    spacing = "x".join(f"{mm:g}" for mm in found.spacing_mm)
    cases = dataset.get("numTraining")
    return [
        f"- network: {found.architecture}, patches of {size} voxels of {spacing} mm",
        *([f"- training cases: {cases}"] if cases else []),
    ]
