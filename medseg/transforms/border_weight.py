"""Border weight: a weight per voxel that is high where two objects nearly touch.

The original U-Net learns to separate touching cells by weighing its cross-entropy with

    w = w_c + w_0 exp(-(d_1 + d_2)^2 / (2 sigma^2)),

d_1 and d_2 being the distances to the nearest and the second nearest object. To hand such a map to
the loss, append it to the target as its last channel and wrap the loss in
`medseg.losses.WeightedTargetLoss`. MONAI's `ConcatItemsd(["label", "border_weight"], name="label")`
appends it; the target is float32 from there on.

The map goes through later flips and crops as an image does. Computed before a crop it knows the
neighbours that the crop cuts off; computed after a random zoom or deformation its distances are
those of the image that the network sees.

Source: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", 2015, equation 2.
"""

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import convert_to_dst_type, convert_to_numpy
from scipy import ndimage

from medseg.base.arguments import is_number, require_bool
from medseg.base.masks import label_components

CUT_OFF = 1e-7
"""A border term below this is left out as 0, which spares the far distances; w_0 is 10 or so."""

ClassWeights = Sequence[float] | str | None


def compute_border_weight(
    label: np.ndarray,
    *,
    w0: float = 10.0,
    sigma: float = 5.0,
    class_weights: ClassWeights = None,
    spacing: Sequence[float] | None = None,
) -> np.ndarray:
    """The weights (float32, shape of `label`) of a map of object ids, 0 being background.

    A distance is Euclidean, from the centre of a background voxel to the centre of the object's
    nearest voxel: 1 beside the object. Only background voxels have the border term; inside objects
    the weight is w_c, between objects that touch too. With fewer than two objects the term is 0.

    Args:
        label: ids of any type, whole numbers of any size, in any number of dimensions. Voxels of
            one id are one object, in one piece or not. A value to be ignored is an id as well: map
            it to 0 first.
        w0: the term where both distances are 0; the paper's 10.
        sigma: width of the border, in voxels or in the unit of `spacing`; the paper's 5 voxels.
        class_weights: w_c: None for 1 everywhere; "balanced" for N / (K N_k), where N_k of N
            voxels are background or objects and K is how many of the two occur, so that w_c is 1
            on average; or two numbers, of background and objects.
        spacing: size of a voxel along each axis; None for 1.

    Raises:
        ValueError: an id that is negative or no whole number, or an option outside its range.

    Example:
        >>> weights = compute_border_weight(np.array([1, 0, 2]))  # 1 + 10 exp(-(1 + 1)^2 / 50)
        >>> print(weights.round(2))
        [ 1.   10.23  1.  ]

    Source: Ronneberger, Fischer and Brox 2015, equation 2. Reprints that subtract the distances
    give every point half-way between two far objects the highest weight.
    """
    _check_width(w0, sigma)
    _check_spacing(spacing, label.ndim)
    _check_ids(label)
    outside = label == 0
    sums = _sum_two_nearest(
        label, reach=_find_reach(w0, sigma), spacing=spacing or [1.0] * label.ndim
    )
    background, objects = _find_class_weights(outside, class_weights)
    term = w0 * np.exp(-(sums**2) / (2 * sigma**2))
    return np.where(outside, background + term, objects).astype(np.float32)


class BorderWeight(Transform):
    """`compute_border_weight` of a (1, *spatial) label, as an array or tensor like it.

    Args:
        w0: see `compute_border_weight`, as for all that is not described here.
        sigma: likewise.
        class_weights: likewise.
        spacing: likewise, an entry for each spatial axis.
        components: the label is a mask, and its connected pieces are the objects. Voxels that share
            a face, an edge or a corner are connected, whatever their value, so that objects which
            touch are one.

    Raises:
        TypeError: `components` is not a bool.
        ValueError: a label of several channels, or what `compute_border_weight` refuses.

    Example:
        >>> print(BorderWeight(components=True)(np.array([[1, 0, 1]])).round(2))
        [[ 1.   10.23  1.  ]]
    """

    def __init__(
        self,
        *,
        w0: float = 10.0,
        sigma: float = 5.0,
        class_weights: ClassWeights = None,
        spacing: Sequence[float] | None = None,
        components: bool = False,
    ) -> None:
        _check_width(w0, sigma)
        _check_class_weights(class_weights)
        self.w0, self.sigma = w0, sigma
        self.class_weights, self.spacing = class_weights, spacing
        self.components = require_bool(components, "components")

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        if img.shape[0] != 1:
            raise ValueError(
                f"border weights need a label of one channel, got shape {tuple(img.shape)}: "
                "pass ids or classes, not one-hot channels"
            )
        label = convert_to_numpy(img)[0]
        weights = compute_border_weight(
            _number_components(label) if self.components else label,
            w0=self.w0,
            sigma=self.sigma,
            class_weights=self.class_weights,
            spacing=self.spacing,
        )
        return convert_to_dst_type(weights[None], img, dtype=np.float32)[0]


class BorderWeightd(MapTransform):
    """Dictionary version of `BorderWeight`: the weights of the label go to an entry of their own.

    Args:
        keys: the key of the label, one alone.
        name: key of the weights; a `MetaTensor` has the label's affine and metadata.
        w0: see `compute_border_weight`.
        sigma: likewise.
        class_weights: likewise.
        spacing: likewise.
        components: see `BorderWeight`.
        allow_missing_keys: pass over an item without label.

    Raises:
        ValueError: several keys, or what `BorderWeight` refuses.

    Example:
        >>> BorderWeightd("label")({"label": np.array([[1, 0, 2]])})["compute_border_weight"].shape
        (1, 3)
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        name: str = "border_weight",
        w0: float = 10.0,
        sigma: float = 5.0,
        class_weights: ClassWeights = None,
        spacing: Sequence[float] | None = None,
        components: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(self.keys) != 1:
            raise ValueError(
                f"{name!r} must hold the weights of one label, got keys {self.keys}: "
                "use one BorderWeightd for each label, with a name of its own"
            )
        self.name = name
        self.weigh = BorderWeight(
            w0=w0,
            sigma=sigma,
            class_weights=class_weights,
            spacing=spacing,
            components=components,
        )

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        out = dict(data)
        for key in self.key_iterator(out):
            out[self.name] = self.weigh(out[key])
        return out


def _sum_two_nearest(label: np.ndarray, *, reach: float, spacing: Sequence[float]) -> np.ndarray:
    """d_1 + d_2 of every voxel; infinite where the second nearest object is beyond `reach`.

    Each object is measured in its bounding box widened by `reach`, so that a voxel is in the box of
    every object within reach, and the two smallest distances are kept on the way.
    """
    objects = _renumber(label)
    margins = [math.ceil(reach / size) for size in spacing]
    nearest, second = (np.full(label.shape, np.inf) for _ in range(2))
    for index, box in enumerate(ndimage.find_objects(objects), start=1):
        window = tuple(
            slice(max(axis.start - margin, 0), axis.stop + margin)
            for axis, margin in zip(box, margins, strict=True)
        )
        distance = ndimage.distance_transform_edt(objects[window] != index, sampling=spacing)
        further = np.maximum(nearest[window], distance)
        np.minimum(nearest[window], distance, out=nearest[window])
        np.minimum(second[window], further, out=second[window])
    return nearest + second


def _find_reach(w0: float, sigma: float) -> float:
    """Distance of the second nearest object from which the border term is below `CUT_OFF`."""
    return sigma * math.sqrt(2 * math.log(w0 / CUT_OFF)) if w0 > CUT_OFF else 0.0


def _renumber(label: np.ndarray) -> np.ndarray:
    """The objects numbered 1, 2, ... without a gap: ids may be as large as they like."""
    objects = np.zeros(label.shape, np.int32)
    inside = label != 0
    objects[inside] = 1 + np.unique(label[inside], return_inverse=True)[1]
    return objects


def _number_components(mask: np.ndarray) -> np.ndarray:
    """The connected pieces of a mask, numbered; face, edge and corner neighbours connect."""
    _check_ids(mask)
    return label_components(mask)[0]


def _find_class_weights(outside: np.ndarray, class_weights: ClassWeights) -> tuple[float, float]:
    """w_c of the background and of the objects; an absent one of the two has no weight to give."""
    _check_class_weights(class_weights)
    if class_weights is None:
        return 1.0, 1.0
    if class_weights != "balanced":
        background, objects = map(float, class_weights)
        return background, objects
    counts = np.array([outside.sum(), (~outside).sum()])
    background, objects = outside.size / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return float(background), float(objects)


def _check_width(w0: float, sigma: float) -> None:
    if not 0 <= w0 < math.inf or not 0 < sigma < math.inf:
        raise ValueError(
            f"w0 must be finite and 0 or more, sigma finite and above 0, got {w0} and {sigma}: "
            "the paper has 10 and 5"
        )


def _check_class_weights(class_weights: ClassWeights) -> None:
    if class_weights is None or class_weights == "balanced":
        return
    if (
        not isinstance(class_weights, list | tuple)
        or len(class_weights) != 2
        or not all(is_number(weight) and 0 <= weight < math.inf for weight in class_weights)
    ):
        raise ValueError(
            "class_weights must be None, 'balanced' or two finite numbers that are not negative, "
            f"got {class_weights!r}: pass for instance [1.0, 2.0], of background and objects"
        )


def _check_spacing(spacing: Sequence[float] | None, dims: int) -> None:
    if spacing is None:
        return
    if len(spacing) != dims or not all(0 < size < math.inf for size in spacing):
        raise ValueError(
            f"spacing must have a positive number for each of {dims} axes, got {list(spacing)}: "
            f"pass for instance {[1.0] * dims}"
        )


def _check_ids(label: np.ndarray) -> None:
    valid = (label >= 0) & (label < math.inf) & (label == np.floor(label))
    if not valid.all():
        wrong = np.unique(label[~valid])[:3].tolist()
        raise ValueError(
            f"labels and ids must be whole numbers from 0 on, got {', '.join(map(str, wrong))}: "
            "map them (monai.transforms.MapLabelValued) before they are weighed"
        )
