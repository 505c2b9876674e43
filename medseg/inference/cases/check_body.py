"""Check body: what speaks against a CT of a patient: its size, its lungs, and how it lies."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from monai.data import MetaTensor
from monai.utils import convert_to_numpy
from torch import Tensor

from medseg.geometry import Geometry
from medseg.plausibility import (
    describe_edge_doubts,
    describe_extent_doubts,
    describe_posture_doubts,
    explain_impossible_extent,
    judge_body,
    measure_body,
    measure_lung_share,
)

LUNG_SHARE_OF_ABDOMEN = 0.12
"""A scan of the abdomen has slices with less lung, see `measure_lung_share`: 3D-IRCADb-01 0.009,
also its upper half; phantoms 0.005. A chest CT of LIDC-IDRI has 0.17, its upper and lower parts
0.15."""

WHOLE_CHEST_MM = 50
"""A stack of less height may be the dome of the liver alone, with lung all around: this is a
warning. In one of more height whose every slice shows lung there is no abdomen."""

ABDOMEN, CHEST = "ABDOMEN", "CHEST"


@dataclass
class Findings:
    """What speaks against an image: `refusals` contradict, `warnings` are at the margin."""

    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class BodyCheck:
    """The checks of a volume, (1, I, J, K), of the body of a patient.

    Attributes:
        body_part: of the images of training, in DICOM's terms; empty where nothing is known.
    """

    body_part: Collection[str]

    def check_extent(self, image: Tensor, found: Findings) -> None:
        """Add what speaks against the size of a CT: its edges, and the body in it."""
        values = convert_to_numpy(image)
        meta = getattr(image, "meta", {})
        if "original_affine" not in meta or "spatial_shape" not in meta:
            return
        i, j, k = (int(n) for n in meta["spatial_shape"])
        grid = Geometry((i, j, k), np.asarray(meta["original_affine"], dtype=float))
        why, doubts = explain_impossible_extent(grid), [describe_extent_doubts(grid)]
        if why is None and not found.refusals:
            is_trunk = bool({ABDOMEN, CHEST} & set(self.body_part))
            doubts.append(describe_edge_doubts(grid.spacing_mm, is_trunk=is_trunk))
            body = measure_body(values[0], _find_spacing_mm(image)) if values.size else None
            if body is not None:
                why, doubt = judge_body(body, is_trunk=is_trunk)
                doubts.append(doubt)
        if why:
            found.refusals.append(
                f"this is not a CT of a patient, or its voxels are stated in another unit: {why}"
            )
        else:
            found.warnings += [doubt for doubt in doubts if doubt]

    def check_lungs(self, image: Tensor, found: Findings) -> None:
        """Add what speaks against a scan of the abdomen: lung in every slice."""
        if ABDOMEN not in self.body_part:
            return
        share = measure_lung_share(convert_to_numpy(image)[0])
        if share <= LUNG_SHARE_OF_ABDOMEN:
            return
        height = _find_height_mm(image)
        what = f"every slice shows lung, {share:.0%} of the body and more"
        if height >= WHOLE_CHEST_MM:
            found.refusals.append(
                f"this is a CT of the chest: in {height:.0f} mm {what}, and the network was "
                "trained on the abdomen"
            )
        else:
            found.warnings.append(f"{what}: the network was trained on the abdomen")

    def check_posture(self, image: Tensor, found: Findings) -> None:
        """Add doubts about a trunk that does not lie as one in a scanner."""
        if ABDOMEN in self.body_part or CHEST in self.body_part:
            found.warnings += describe_posture_doubts(
                convert_to_numpy(image)[0], is_abdomen=ABDOMEN in self.body_part
            )


def _find_spacing_mm(image: Tensor) -> list[float]:
    """The edges of a volume's voxels along its axes; 1 where they are not known."""
    affine = image.affine if isinstance(image, MetaTensor) else np.eye(4)
    steps: list[float] = np.linalg.norm(np.asarray(affine, dtype=float)[:3, :3], axis=0).tolist()
    return steps


def _find_height_mm(image: Tensor) -> float:
    """The length of a volume along its last axis."""
    return _find_spacing_mm(image)[2] * image.shape[-1]
