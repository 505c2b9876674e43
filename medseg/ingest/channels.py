"""Channels: several volumes of one case on one grid, such as four sequences of an MR."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from medseg.geometry import Geometry
from medseg.ingest.reasons import IngestError, Reason
from medseg.ingest.turn import is_turned, turn
from medseg.ingest.volumes.file import load_volumes

LEAST_COVERED = 0.5
"""A channel that covers a smaller part of the first one is refused: they show different places."""

_REMEDY = (
    "register them, or let them be resampled onto the first: with --resample-channels of `medseg "
    "new`, or --resample_channels True of `medseg segment`"
)

_SAMPLES = 24  # places along each axis at which it is looked whether a channel covers the first


def load_channels(
    paths: Sequence[Path], *, resample: bool = False
) -> tuple[np.ndarray, Geometry, str]:
    """Load volume files of one case as channels, or a single file of several volumes.

    Args:
        paths: of the channels in their order, or the file that holds all of them.
        resample: lay the others onto the grid of the first, see `stack_channels`.

    Returns:
        The channels (C, I, J, K), the grid of the first, and what was resampled, "" if nothing was.

    Raises:
        IngestError: a file that cannot be read rightly, or channels that `stack_channels` refuses.

    Example:
        >>> image, grid, _ = load_channels([Path("a_pd.nii"), Path("a_t1.nii")])  # doctest: +SKIP
    """
    arrays, grids = zip(*(load_volumes(path) for path in paths), strict=True)
    names = [str(path) for path in paths]
    array, done = stack_channels(arrays, grids, names=names, resample=resample)
    return array if array.ndim == 4 else array[None], grids[0], done


def stack_channels(
    arrays: Sequence[np.ndarray],
    grids: Sequence[Geometry],
    *,
    names: Sequence[str],
    resample: bool = False,
) -> tuple[np.ndarray, str]:
    """Put the volumes of one case on top of each other.

    One with the voxels of the first along other axes is turned onto these.

    Args:
        arrays: (I, J, K) each; or a single one, which is given back as it is.
        grids: of each.
        names: of each, for messages.
        resample: lay those with another grid than the first onto that, by linear interpolation;
            where one does not reach, it gets its lowest value.

    Returns:
        The channels (C, I, J, K), and in words which were resampled, by their numbers from 1, and
        how much of the first each covers; "" if none was.

    Raises:
        IngestError: "different-grids" without `resample`, or where a channel covers less than
            `LEAST_COVERED` of the first; "not-3d" where one of several holds several itself.
    """
    if len(arrays) == 1:
        return arrays[0], ""
    laid, done = [], []
    for number, (array, grid, name) in enumerate(zip(arrays, grids, names, strict=True), start=1):
        if array.ndim != 3:
            finding = f"{name} has {len(array)} volumes, and is one of {len(arrays)} channels"
            raise IngestError(Reason.NOT_3D, finding)
        array, covered = lay_onto(array, grid, grids[0], names=(names[0], name), resample=resample)
        if covered is not None:
            done.append(f"channel {number} onto the grid of the first, {covered:.0%} covered")
        laid.append(array)
    return np.stack(laid), "; ".join(done)


def lay_onto(
    array: np.ndarray,
    grid: Geometry,
    target: Geometry,
    *,
    names: tuple[str, str],
    resample: bool = False,
) -> tuple[np.ndarray, float | None]:
    """A volume (I, J, K) on the grid of another one of its case, see `stack_channels`.

    Args:
        array: the volume, and its `grid`.
        target: the grid of the other one.
        names: of the other one and of this one, for messages.
        resample: whether it may be resampled.

    Returns:
        The volume, and the part of the target that it covers, 0 to 1, if it was resampled.

    Raises:
        IngestError: "different-grids".
    """
    if is_turned(grid, target):
        return turn(array, grid, target), None
    difference = target.describe_difference(grid)
    if not difference:
        return array, None
    if not resample:
        raise _make_other_grid_error(*names, difference)
    covered = _measure_covered(grid, target)
    _check_covered(covered, names=names)
    return resample_onto(array, grid, target), covered


def resample_onto(array: np.ndarray, grid: Geometry, target: Geometry) -> np.ndarray:
    """A volume (I, J, K) on another grid, by linear interpolation, as float32.

    Its outermost voxels reach on for the length of one voxel; beyond is its lowest value.

    Example:
        >>> grid = Geometry((2, 1, 1), np.eye(4))
        >>> fine = Geometry((3, 1, 1), np.diag([0.5, 1, 1, 1]))
        >>> resample_onto(np.array([0, 4]).reshape(2, 1, 1), grid, fine).ravel()
        array([0., 2., 4.], dtype=float32)
    """
    padded = np.pad(np.asarray(array, np.float32), 1, mode="edge")
    to_own = np.linalg.inv(grid.affine) @ target.affine
    return ndimage.affine_transform(
        padded,
        to_own[:3, :3],
        offset=to_own[:3, 3] + 1,
        output_shape=target.shape,
        order=1,
        cval=float(padded.min()),
    )


def _measure_covered(grid: Geometry, target: Geometry) -> float:
    """The part of a grid, 0 to 1, that lies within another one."""
    axes = [np.linspace(0, n - 1, min(n, _SAMPLES)) for n in target.shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    found = grid.world_to_voxel(target.voxel_to_world(places))
    return float(((found >= -0.5) & (found <= np.array(grid.shape) - 0.5)).all(axis=-1).mean())


def _make_other_grid_error(first: str, name: str, difference: str) -> IngestError:
    return IngestError(
        Reason.DIFFERENT_GRIDS,
        f"the channels {first} and {name} lie on different grids, {difference}",
        remedy=_REMEDY,
    )


def _check_covered(covered: float, *, names: tuple[str, str]) -> None:
    if covered < LEAST_COVERED:
        finding = f"{names[1]} covers only {covered:.0%} of {names[0]}"
        remedy = "check that both are of one case, and registered"
        raise IngestError(Reason.DIFFERENT_GRIDS, finding, remedy=remedy)
