"""Check image: refuse an image that cannot be of the kind that the network was trained on."""

import logging
import os
import shlex
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import convert_to_numpy
from torch import Tensor

from medseg.base.arguments import check_choice, require_bool
from medseg.base.channels.missing import list_missing
from medseg.inference.cases.check_body import BodyCheck, Findings
from medseg.inference.outputs.notes import FORCED, add_notes
from medseg.inference.outputs.source import keep_case_name
from medseg.ingest.metadata import BODY_PART, CONTRADICTION, MODALITY, RESAMPLED, VALUE_UNIT
from medseg.plausibility import (
    TrainedOn,
    are_far_apart,
    compare_image,
    describe_few_values,
    describe_hounsfield_doubts,
    describe_label_map,
    explain_no_content,
    explain_not_compared,
    explain_not_hounsfield,
    explain_unlikeness,
    has_appearance,
    is_scan_in_hounsfield,
    keep_first_channel,
    list_other_settings,
    looks_like_hounsfield,
    measure_appearance,
    measure_case_image,
    read_trained_on,
)

logger = logging.getLogger(__name__)

CT, MR, PICTURE = "CT", "MR", "picture"
MODALITIES = (CT, MR, PICTURE)

_UNLIKE = "this does not look like what the network was trained on"

_AS_PASSED = {CT: "a CT", MR: "an MR", PICTURE: "a picture"}

_REMEDY = "look at the image and its result before you use it"


class RefusedImageError(ValueError):
    """The image cannot be what the network was trained on."""


class CheckImaged(MapTransform):
    """Refuses images that cannot be what a network was trained on, and warns of doubtful ones.

    Compared are what a DICOM header states, and the voxels themselves: a label map, one value and
    noise are no image, a CT has Hounsfield units and the size of a patient, an MR has no Hounsfield
    units, and a scan of the abdomen has slices without lung. The image is not changed. What is
    warned of, and what `force` lets pass, is logged, and kept with the image as notes, which
    previews, label maps and probabilities repeat.

    Place it before values are scaled, and behind `Orientationd` where there is one.

    Args:
        keys: image as read, (C, *spatial); of a volume of several channels the first is compared.
        modality: of the images of training: "CT" in Hounsfield units, "MR" or "picture".
        body_part: of the images of training, in DICOM's terms for BodyPartExamined, of which
            messages name the first; empty where nothing is known. "ABDOMEN" also asks for slices
            without lung.
        weights: beside them lie the ranges of what they were trained on, if anything does; see
            `medseg.plausibility.read_trained_on`.
        fit: what brings an image to the size of the training before the two are compared, where
            images of training were fitted when they were measured, as of one size for all.
        choices: of the config; where they are others than the weights were trained with, every
            image has a note of it, see `medseg.plausibility.check_settings`, which refuses them.
        force: go on with what would be refused, and say so.

    Raises:
        RefusedImageError: in the call, an image that is refused; it is a ValueError.
        TypeError: `force` is neither true nor false.
        ValueError: an unknown modality.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        modality: str,
        body_part: Collection[str] = (),
        weights: str | os.PathLike | None = None,
        fit: Callable[[Mapping[Hashable, Any]], Mapping[Hashable, Any]] | None = None,
        choices: Mapping[str, Any] | None = None,
        force: bool = False,
    ) -> None:
        super().__init__(keys)
        check_choice("modality", modality, MODALITIES)
        self.modality = modality
        self.body_part = [part.upper() for part in body_part]
        self.weights = weights
        self.fit = fit
        self.choices = dict(choices or {})
        self.force = require_bool(force, "force")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        for key in self.key_iterator(data):
            found = self.list_findings(data[key])
            if found.refusals and not self.force:
                remedy = self._describe_remedy()
                raise RefusedImageError(f"{_say_unlike(found.refusals)}: {remedy}")
            forced = [f"{FORCED}: {finding}" for finding in found.refusals]
            notes = [*self._other_settings, *forced, *found.warnings]
            add_notes(data[key], notes)
            if "case" in data:
                keep_case_name(data[key], str(data["case"]))
            for note in notes:
                logger.warning("case %s: %s: %s", data.get("case", key), note, _REMEDY)
        return dict(data)

    @cached_property
    def _trained_on(self) -> tuple[TrainedOn | None, bool]:
        """Read once, with the first image, when the weights are loaded; and whether they match."""
        if self.weights is None:
            return None, False
        trained = read_trained_on(self.weights)
        return trained, trained is not None and trained.is_of(self.weights)

    @cached_property
    def _other_settings(self) -> list[str]:
        """The note of weights that are used for something else than they were trained for."""
        if self.weights is None or not self.choices:
            return []
        differences = list_other_settings(self.weights, self.choices)
        said = f"{FORCED}: other settings than in training ({'; '.join(differences)})"
        return [said] if differences else []

    def explain_other_kind(self, meta: Mapping[str, Any]) -> str:
        """Why an image is refused by what its DICOM header says; "" where it is not, or forced."""
        found = Findings()
        self._compare_header(meta, found)
        return "" if self.force else "; ".join(found.refusals)

    def list_findings(self, image: Tensor) -> Findings:
        """What speaks against an image, (C, *spatial), of whose channels the first is looked at."""
        found = Findings()
        meta = getattr(image, "meta", {})
        self._compare_header(meta, found)
        self._judge_other_channels(image, found)
        image = keep_first_channel(image)
        if image is None:
            return found
        values = convert_to_numpy(image)
        if values.size and not found.refusals:
            self._compare_values(values, found)
        body = BodyCheck(self.body_part)
        if self.modality == CT and values.ndim == 4:
            body.check_extent(image, found)
        if not found.refusals:
            self._compare_training(image, found)
        if not found.refusals and values.ndim == 4:
            body.check_lungs(image, found)
        if self.modality == CT and values.ndim == 4 and not found.refusals:
            body.check_posture(image, found)
        return found

    def _judge_other_channels(self, image: Tensor, found: Findings) -> None:
        """Refuse a mask or nothing at all in the place of a channel behind the first."""
        others = convert_to_numpy(image)[1:] if image.ndim == 4 else ()
        lacking = list_missing(getattr(image, "meta", {}))
        for number, channel in enumerate(others, start=2):
            if lacking and not channel.any():
                continue
            if label_map := describe_label_map(channel[None]):
                found.refusals.append(f"channel {number} is a mask, it holds only {label_map}")
            elif why := explain_no_content(channel[None]):
                found.refusals.append(f"channel {number} is not an image: {why}")

    def _compare_header(self, meta: Mapping[str, Any], found: Findings) -> None:
        modality, part = str(meta.get(MODALITY, "")), str(meta.get(BODY_PART, "")).upper()
        if modality and self.modality != PICTURE and modality != self.modality:
            found.refusals.append(
                f"the DICOM header says {modality}, the network was trained on {self.modality}"
            )
        if said := meta.get(CONTRADICTION):
            found.warnings.append(f"{said}: it is treated as {modality}")
        if unit := meta.get(VALUE_UNIT):
            found.warnings.append(
                f"the DICOM header states values in {unit}, not HU: measured values have no unit"
            )
        if why := meta.get(RESAMPLED):
            found.warnings.append(f"resampled: {why}")
        if missing := list_missing(meta):
            found.warnings.append(f"channel {' and '.join(missing)} is missing")
        if part and self.body_part and part not in self.body_part:
            is_far = are_far_apart(part, self.body_part)
            (found.refusals if is_far else found.warnings).append(
                f"the DICOM header says {part}, the network was trained on {self._main_part}"
            )

    def _compare_values(self, values: np.ndarray, found: Findings) -> None:
        if label_map := describe_label_map(values):
            found.refusals.append(
                f"this is a label map or mask, not an image: it holds only {label_map}"
            )
        elif why := explain_no_content(values):
            found.refusals.append(f"this is not an image: {why}")
        elif self.modality == CT and (why := explain_not_hounsfield(values)):
            found.refusals.append(f"this is not a CT in Hounsfield units: {why}")
        elif self.modality == MR and is_scan_in_hounsfield(values):
            found.refusals.append(
                "this is a CT, with air and soft tissue in Hounsfield units, and the network was "
                "trained on MR"
            )
        elif few := describe_few_values(values):
            found.warnings.append(f"this may not be an image: it holds only {few}")
        elif self.modality == CT and (doubt := describe_hounsfield_doubts(values)):
            found.warnings.append(doubt)
        elif self.modality == MR and looks_like_hounsfield(values):
            found.warnings.append(
                "it may be a CT: its values are whole numbers, and some are below 0 which no MR has"
            )

    def _compare_training(self, image: Tensor, found: Findings) -> None:
        trained, is_of_weights = self._trained_on
        if trained is None:
            return
        if not is_of_weights:
            found.warnings.append(explain_not_compared(self.weights or ""))
            return
        if self.fit is not None:
            image = self.fit({self.keys[0]: image.clone()})[self.keys[0]]
        measured = measure_case_image(image, modality=self.modality)
        refusals, warnings = compare_image(measured, trained.image)
        found.refusals += refusals
        found.warnings += warnings
        if not refusals and trained.dimensions == image.ndim - 1:
            self._compare_appearance(image, trained, found)

    def _compare_appearance(self, image: Tensor, trained: TrainedOn, found: Findings) -> None:
        if not trained.appearance or not has_appearance(image.ndim, self.modality):
            return
        measured = measure_appearance(convert_to_numpy(image))
        why, is_refused = explain_unlikeness(measured, trained.appearance, shape=image.shape[1:])
        if why is not None:
            (found.refusals if is_refused else found.warnings).append(why)

    @property
    def _main_part(self) -> str:
        """The body part of the training in words; the others are terms that include it."""
        return f"the {self.body_part[0].lower()}"

    def _describe_kind(self) -> str:
        """What the network was trained on: modality, body part and the name of the data."""
        of = f" of {self._main_part}" if self.body_part else ""
        trained = self._trained_on[0]
        name = trained.about.get("name") if trained is not None else None
        says = f"; `medseg bundles info {shlex.quote(str(name))}` says of what" if name else ""
        return f"{_AS_PASSED[self.modality]}{of}{says}"

    def _describe_remedy(self) -> str:
        return (
            f"pass what the network was trained on ({self._describe_kind()}), or --force True to "
            "segment it in spite of this; every output will say so"
        )


def _say_unlike(refusals: Sequence[str]) -> str:
    """The refusals in one text that says first that the image is of another kind."""
    words = "; ".join(refusals)
    return words if words.startswith(("this is", "it does not look")) else f"{_UNLIKE}: {words}"
