"""Elastic: an image and its label bent by random displacements on a coarse grid of control points.

The original U-Net draws a displacement vector for each point of a 3 x 3 grid, from a Gaussian with
a standard deviation of 10 pixels, and works out those of the pixels between by bicubic
interpolation. The grid spans the image: its outer points are the centres of the corner pixels. The
paper does not say how the interpolation ends there; here it is the natural cubic spline, whose
second derivative is 0 at the outer points. `Rand2DElasticd` of MONAI takes the spacing of the
points and puts some of them outside the image: with 256, four lie on a slice of 512 x 512 pixels.

Source: Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation", 2015, section 3.1.
"""

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, RandomizableTransform, Resample
from monai.transforms.utils import create_grid
from monai.utils import convert_to_dst_type, ensure_tuple_rep
from scipy.interpolate import CubicSpline

from medseg.base.arguments import is_integer


def interpolate_displacement(offsets: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The displacement of every voxel, from that of the control points.

    A cubic spline through the control points along each axis in turn, bicubic in 2D and tricubic in
    3D. It runs through the offsets and keeps those that are all the same.

    Args:
        offsets: (D, *grid), the displacement of each control point along each of D axes, in voxels.
            Along an axis the points are equally far apart, the first at the centre of the first
            voxel and the last at that of the last; an axis of one voxel has the first alone.
        shape: the D sizes of the image.

    Returns:
        float64, (D, *shape).

    Raises:
        ValueError: `offsets` lacks a component or an axis of points for an axis of `shape`.

    Example:
        >>> offsets = np.array([[0.0, 8.0, 0.0]])
        >>> interpolate_displacement(offsets, [5])  # at t = 1/2: 8 (t - (t^3 - t) / 2)
        array([[0. , 5.5, 8. , 5.5, 0. ]])
    """
    if not len(offsets) == offsets.ndim - 1 == len(shape):
        raise ValueError(
            f"offsets of shape {offsets.shape} do not fit an image of shape {tuple(shape)}: "
            "pass one component and one axis of control points for each axis of the image"
        )
    field = offsets
    for axis, size in enumerate(shape, start=1):
        points = field.shape[axis]
        spline = CubicSpline(np.arange(points), np.eye(points), bc_type="natural")
        weights = spline(np.linspace(0, points - 1, size))  # (size, points)
        field = np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)
    return field


class RandElasticGrid(RandomizableTransform):
    """Bend a (C, *spatial) image at random, by displacements on a coarse grid.

    The value of a voxel is read at its place plus its displacement. The result has the kind and
    shape of the image and is float32.

    Args:
        prob: how often an image is bent; otherwise it is returned as it is.
        grid: control points along each spatial axis, 2 or more; the paper's 3 x 3.
        sigma_px: standard deviation of each component at a control point, in voxels; the paper's
            10. With 0 nothing moves.
        mode: "bilinear", or "nearest" for labels, in 2D and 3D alike.
        padding_mode: what is read beyond the edge: its mirror image ("reflection"), the edge
            ("border") or 0 ("zeros").

    Raises:
        ValueError: an option outside its range, or an image with other axes than the grid.

    Example:
        >>> bend = RandElasticGrid(prob=1.0).set_random_state(0)
        >>> bend(torch.rand(1, 64, 64)).shape
        torch.Size([1, 64, 64])

    Source: Ronneberger, Fischer and Brox 2015, section 3.1.
    """

    def __init__(
        self,
        *,
        prob: float = 0.1,
        grid: Sequence[int] = (3, 3),
        sigma_px: float = 10.0,
        mode: str = "bilinear",
        padding_mode: str = "reflection",
    ) -> None:
        _check_options(prob, grid, sigma_px)
        super().__init__(prob)
        self.grid, self.sigma_px = tuple(grid), sigma_px
        self.offsets = np.zeros((len(self.grid), *self.grid))
        self.resample = Resample(mode=mode, padding_mode=padding_mode)

    def randomize(self, data: None = None) -> None:
        """Draw whether to bend, and the offsets of the control points."""
        super().randomize(data)
        if self._do_transform:
            self.offsets = self.R.normal(0.0, self.sigma_px, self.offsets.shape)

    def __call__(
        self,
        img: NdarrayOrTensor,
        mode: str | None = None,
        padding_mode: str | None = None,
        randomize: bool = True,
    ) -> NdarrayOrTensor:
        """Bend `img`; with `randomize` False by the offsets drawn last."""
        if randomize:
            self.randomize()
        if not self._do_transform:
            return img
        shape = tuple(img.shape[1:])
        if len(shape) != len(self.grid):
            raise ValueError(
                f"an elastic grid of {self.grid} points does not fit an image of shape {shape}: "
                "pass a number of points for each spatial axis"
            )
        places = create_grid(shape, dtype=np.float64, backend="numpy")  # (D + 1, *shape)
        places[:-1] += interpolate_displacement(self.offsets, shape)
        read = self.resample(img, torch.as_tensor(places), mode=mode, padding_mode=padding_mode)
        return convert_to_dst_type(read, img, dtype=np.float32)[0]


class RandElasticGridd(RandomizableTransform, MapTransform):
    """Dictionary version of `RandElasticGrid`: all entries are bent together, each in its mode.

    Args:
        keys: keys of images, labels and maps of one spatial shape.
        prob: how often they are bent.
        grid: see `RandElasticGrid`.
        sigma_px: likewise.
        mode: likewise, one for all keys or one for each.
        padding_mode: likewise, one for all keys or one for each.
        allow_missing_keys: pass over keys that an item lacks.

    Raises:
        ValueError: what `RandElasticGrid` refuses, another number of modes than keys, or entries of
            different spatial shapes.

    Example:
        >>> bend = RandElasticGridd(["image", "label"], prob=1.0, mode=["bilinear", "nearest"])
        >>> sorted(bend({"image": torch.rand(1, 64, 64), "label": torch.zeros(1, 64, 64)}))
        ['image', 'label']
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        prob: float = 0.1,
        grid: Sequence[int] = (3, 3),
        sigma_px: float = 10.0,
        mode: Sequence[str] | str = "bilinear",
        padding_mode: Sequence[str] | str = "reflection",
        allow_missing_keys: bool = False,
    ) -> None:
        _check_options(prob, grid, sigma_px)
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, prob)
        self.bend = RandElasticGrid(prob=1.0, grid=grid, sigma_px=sigma_px)
        self.mode = ensure_tuple_rep(mode, len(self.keys))
        self.padding_mode = ensure_tuple_rep(padding_mode, len(self.keys))

    def set_random_state(
        self, seed: int | None = None, state: np.random.RandomState | None = None
    ) -> "RandElasticGridd":
        """Seed the choice whether to bend, and the offsets."""
        self.bend.set_random_state(seed, state)
        super().set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        out = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return out
        _check_same_shape({key: out[key].shape[1:] for key in self.key_iterator(out)})
        self.bend.randomize()
        for key, mode, padding in self.key_iterator(out, self.mode, self.padding_mode):
            out[key] = self.bend(out[key], mode=mode, padding_mode=padding, randomize=False)
        return out


def _check_options(prob: float, grid: Sequence[int], sigma_px: float) -> None:
    if not 0 <= prob <= 1:
        raise ValueError(f"prob must be from 0 to 1, got {prob}: pass for instance 0.5")
    if not isinstance(grid, list | tuple) or not all(
        is_integer(points) and points >= 2 for points in grid
    ):
        raise ValueError(
            f"an elastic grid must have 2 or more points along each axis, got {grid!r}: "
            "the paper has [3, 3]"
        )
    if not 0 <= sigma_px < math.inf:
        raise ValueError(
            f"sigma_px must be finite and not negative, got {sigma_px}: the paper has 10 pixels"
        )


def _check_same_shape(shapes: Mapping[Hashable, Sequence[int]]) -> None:
    if len(set(map(tuple, shapes.values()))) > 1:
        found = ", ".join(f"{key} {tuple(shape)}" for key, shape in shapes.items())
        raise ValueError(
            f"entries that are bent together need one spatial shape, got {found}: crop or resample "
            "them first"
        )
