"""Prepare: an image as a network of nnU-Net sees it, which knows its place on the source grid.

In a bundle, after the image is loaded and has its channels first:

    {"_target_": "medseg.transforms.nnunet.prepare.PrepareForNnunetd", "keys": "image",
     "spacing_mm": [2.5, 0.8, 0.8], "axes": [0, 1, 2], "schemes": ["ct"], "properties": [{...}]}
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms import MapTransform
from monai.transforms.spatial.array import Orientation
from scipy.ndimage import binary_fill_holes
from torch import Tensor

from medseg.base.arguments import check_choice
from medseg.transforms.nnunet.normalize import NEEDED, SCHEMES, Properties, normalize
from medseg.transforms.nnunet.resize import count_voxels, find_slice_axis, resize

SLICE_AXIS = "nnunet_slice_axis"
"""The key of an image's meta data: the axis along which logits are brought back slice by slice;
-1 for none."""


class PrepareForNnunetd(MapTransform):
    """Brings an image onto the axes, the box, the intensities and the grid of a network of nnU-Net.

    In this order: axes are permuted, the box around all values but 0 is cut out, intensities are
    scaled, and the box is resized to the spacing of the training. The affine follows each step, so
    that `medseg.inference.RestoreLabeld` brings labels back onto the source grid.

    Args:
        keys: the image, (C, I, J, K), with its affine.
        spacing_mm: of the training, along the network's axes; two numbers for a network in 2D, for
            which slices stay as they are.
        axes: the network's axes as nnU-Net counts them, 0 for K, 1 for J and 2 for I: its
            `transpose_forward`.
        schemes: how each channel is scaled, see `medseg.transforms.nnunet.normalize.SCHEMES`.
        properties: of each channel's intensities in the training.
        inside: of each channel, whether only what is not 0 counts and is scaled.
        orientation: where I, J and K point before all else, such as "RAS"; None leaves them as they
            are stored, as nnU-Net does unless it reads by `NibabelIOWithReorient`.
        order: of the splines, 0 to 3.
        slices: see `find_slice_axis`, likewise `anisotropy`; those of the logits come last.

    Raises:
        ValueError: lists of other lengths, unknown schemes, or axes that are none; in the call, an
            image of another number of channels, or one that is 0 everywhere.

    Source: Isensee et al., nnU-Net, Nature Methods 2021; the order of steps is that of nnunetv2.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spacing_mm: Sequence[float],
        *,
        axes: Sequence[int],
        schemes: Sequence[str],
        properties: Sequence[Properties],
        inside: Sequence[bool] | None = None,
        orientation: str | None = None,
        order: int = 3,
        slices: bool | None = None,
        slices_of_logits: bool | None = None,
        anisotropy: float = 3.0,
    ) -> None:
        super().__init__(keys)
        self.spacing_mm = tuple(map(float, spacing_mm))
        self.axes = tuple(axes)
        self.schemes, self.properties = tuple(schemes), tuple(properties)
        self.inside = tuple(inside or [False] * len(self.schemes))
        self.orient = None if orientation is None else Orientation(orientation, labels=None)
        self.order = order
        self.slices, self.slices_of_logits = slices, slices_of_logits
        self.anisotropy = anisotropy
        self._check()

    def _check(self) -> None:
        if sorted(self.axes) != [0, 1, 2]:
            raise ValueError(f"axes must be 0, 1 and 2 in some order, got {list(self.axes)}")
        if len(self.spacing_mm) not in (2, 3) or min(self.spacing_mm) <= 0:
            raise ValueError(
                f"spacing_mm must be 2 or 3 lengths above 0, got {list(self.spacing_mm)}"
            )
        lengths = {len(self.schemes), len(self.properties), len(self.inside)}
        if len(lengths) != 1:
            raise ValueError(
                f"schemes, properties and inside must have one entry for each channel, got "
                f"{len(self.schemes)}, {len(self.properties)} and {len(self.inside)}"
            )
        for scheme, known in zip(self.schemes, self.properties, strict=True):
            check_choice("a scheme", scheme, tuple(SCHEMES))
            if scheme == "ct" and (missing := [name for name in NEEDED if name not in known]):
                raise ValueError(f"the scheme ct needs {', '.join(missing)} in the properties")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        prepared = dict(data)
        for key in self.key_iterator(prepared):
            prepared[key] = self._prepare(prepared[key])
        return prepared

    def _prepare(self, image: MetaTensor) -> MetaTensor:
        if len(image) != len(self.schemes):
            raise ValueError(
                f"the image has {len(image)} channels, and the network is for {len(self.schemes)}: "
                "give as many, in their order"
            )
        if self.orient is not None:
            image = self.orient(image)
        values, affine = self._permute(image)
        body = (values != 0).any(0)
        box = _find_box(body)
        values, affine = (
            values[:, box[0], box[1], box[2]],
            affine @ _shift([one.start for one in box]),
        )
        values = normalize(
            values,
            self.schemes,
            properties=self.properties,
            inside=self.inside,
            body=_fill_holes(body[box]) if any(self.inside) else None,
        )
        values, affine, slice_axis = self._resize(values, affine)
        meta = dict(image.meta) | {SLICE_AXIS: slice_axis, "affine": torch.from_numpy(affine)}
        return MetaTensor(values, meta=meta)

    def _permute(self, image: MetaTensor) -> tuple[Tensor, np.ndarray]:
        """The image along the network's axes, with the affine that maps these to millimetres."""
        stored = [2 - axis for axis in self.axes]
        values = image.as_tensor().float().permute(0, *(axis + 1 for axis in stored))
        affine = np.asarray(image.affine, dtype=float)[:, [*stored, 3]]
        return values.contiguous(), affine

    def _resize(self, values: Tensor, affine: np.ndarray) -> tuple[Tensor, np.ndarray, int]:
        """The image in the spacing of the training, and the axis of slices of its logits, or -1."""
        spacing = np.linalg.norm(affine[:3, :3], axis=0).tolist()
        target = [*spacing[: 3 - len(self.spacing_mm)], *self.spacing_mm]
        size = values.shape[1:]
        shape = [max(count, 1) for count in count_voxels(size, spacing, target)]
        rule = {"anisotropy": self.anisotropy}
        along = find_slice_axis(spacing, target, slices=self.slices, **rule)
        back = find_slice_axis(target, spacing, slices=self.slices_of_logits, **rule)
        resized = resize(values, shape, slice_axis=along, order=self.order)
        factors = np.array([old / new for old, new in zip(size, shape, strict=True)])
        scale = np.diag([*factors, 1.0])
        scale[:3, 3] = factors / 2 - 0.5
        return resized, affine @ scale, -1 if back is None else back


def _find_box(body: Tensor) -> tuple[slice, slice, slice]:
    """The box around the voxels of a mask.

    Raises:
        ValueError: the mask is empty.
    """
    found = []
    for axis in range(3):
        others = tuple(dim for dim in range(3) if dim != axis)
        places = body.amax(others).nonzero().flatten()
        if not len(places):
            raise ValueError("the image is 0 everywhere: nothing can be found in it")
        found.append(slice(int(places[0]), int(places[-1]) + 1))
    return found[0], found[1], found[2]


def _fill_holes(body: Tensor) -> Tensor:
    return torch.from_numpy(binary_fill_holes(body.numpy()))


def _shift(start: Sequence[int]) -> np.ndarray:
    shift = np.eye(4)
    shift[:3, 3] = start
    return shift
