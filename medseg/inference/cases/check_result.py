"""Check result: warn where what was found is unlike the labels that the network was trained on."""

import logging
import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import nibabel as nib
import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch import Tensor

from medseg.base.class_values import Classes
from medseg.inference.outputs.label_map import read_class_indices
from medseg.inference.outputs.notes import add_notes
from medseg.inference.outputs.source import get_source_geometry
from medseg.plausibility import (
    TrainedOn,
    compare_class,
    describe_organ_doubts,
    measure_class,
    measure_share_beside_largest,
    reaches_edge,
    read_trained_on,
)
from medseg.transforms.regions import list_members

logger = logging.getLogger(__name__)

_REMEDY = "look at the result before it is used"

_LEAST_PART = 0.25
"""Of the window of the network along an axis: an image of no more is unlike those of training."""

_SLICE_QUANTITIES = ("share", "place_1", "place_2", "pieces")
"""What a network that was trained on slices says of a whole volume. `share` is of the slice with
the largest one, and an organ is in no more pieces than it is in a slice."""


class CheckResultd(MapTransform):
    """Warns of classes whose volume, place or number of pieces no training case came near, and of
    images far smaller than the window of the network.

    The warnings are logged, and kept with the image as notes, which the preview and the label map
    repeat. Nothing is refused: a disease may be larger than all that was seen in training.

    Place it behind `RestoreLabeld` or `Invertd` and before what writes.

    Args:
        keys: key of the label map, (1, *spatial), already brought back to the source grid.
        classes: of the task, in order; a region counts with those within it, as in training.
        weights: beside them lie the ranges of the training, see
            `medseg.plausibility.read_trained_on`; without, nothing is compared with them.
        organ_ml: class -> lowest and highest volume in mL that a whole organ of a patient has, a
            child's and a diseased one included. Less is no warning where the class reaches the
            edge of the image, but more than a speck outside its largest part is one. Of pictures
            it says nothing.
        image_key: the image as it went into the network; its meta data know the source grid.
        window: voxels that the network sees at once, along its last axes; None for no warning.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        classes: Classes,
        weights: str | os.PathLike,
        organ_ml: Mapping[str, Sequence[float]] | None = None,
        image_key: str = "image",
        window: Sequence[int] | None = None,
    ) -> None:
        super().__init__(keys)
        self.classes = dict(zip(classes, list_members(classes), strict=True))
        self.weights = weights
        self.organ_ml = dict(organ_ml or {})
        self.image_key = image_key
        self.window = tuple(window or ())

    @cached_property
    def _trained_on(self) -> TrainedOn | None:
        """Read once; ranges of other weights compare nothing, which `CheckImaged` says."""
        trained = read_trained_on(self.weights)
        return trained if trained is not None and trained.is_of(self.weights) else None

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        image = data[self.image_key]
        trained = self._trained_on
        for key in self.key_iterator(data):
            notes = [
                *_describe_smallness(image.shape[1:], self.window),
                *self._describe_findings(data[key], image, trained),
            ]
            add_notes(image, notes)
            for note in notes:
                logger.warning("case %s: %s: %s", data.get("case", key), note, _REMEDY)
        return dict(data)

    def _describe_findings(
        self, label: Tensor, image: Tensor, trained: TrainedOn | None
    ) -> Iterator[str]:
        if trained is None and not self.organ_ml:
            return
        values, voxel_ml = read_class_indices(label, name="of the result"), None
        if values.ndim == 3:
            source = get_source_geometry(image)
            turns = nib.orientations.io_orientation(source.affine)
            values = nib.orientations.apply_orientation(values, turns)  # to RAS+
            voxel_ml = source.voxel_volume_ml
        for name, indices in self.classes.items():
            ranges = {} if trained is None else trained.classes.get(name, {})
            if trained is not None and trained.dimensions < values.ndim:
                ranges = {key: ranges[key] for key in _SLICE_QUANTITIES if key in ranges}
            mask = np.isin(values, indices)
            measured = measure_class(mask, voxel_ml=voxel_ml)
            is_cut = reaches_edge(mask)
            yield from compare_class(name, measured, ranges, is_cut=is_cut)
            if "volume_ml" in measured and name in self.organ_ml:
                beside = measure_share_beside_largest(mask)
                yield from describe_organ_doubts(
                    name, measured["volume_ml"], self.organ_ml[name], is_cut, beside=beside
                )


def _describe_smallness(shape: Sequence[int], window: Sequence[int]) -> Iterator[str]:
    """That an image has far fewer voxels along an axis than the network sees at once."""
    seen = shape[len(shape) - len(window) :]
    if any(n <= _LEAST_PART * most for n, most in zip(seen, window, strict=True)):
        size, whole = ("x".join(map(str, each)) for each in (seen, window))
        yield (
            f"the image is {size} voxels as the network sees it, and its window {whole}: it was "
            "trained on larger ones"
        )
