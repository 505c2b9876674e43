"""Plan: choose how a network is trained on a dataset, each choice with its rule."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from medseg.base.text import count_noun
from medseg.planning.fingerprint import ChannelValues, Fingerprint
from medseg.planning.grid import TargetGrid, choose_grid
from medseg.planning.patch import (
    choose_patch,
    choose_patches,
    explain_patch,
)
from medseg.planning.slices import Slices, cut_into_slices
from medseg.planning.task import Choice, Preset


@dataclass(frozen=True)
class Size:
    """How large a network and its patches are.

    Attributes:
        first_channels: of the finest level.
        most_channels: of any level.
        patch_voxels: of a 3D patch, at most.
        patch_pixels: of a 2D patch, at most.
        batch_pixels: of a batch of 2D patches, at most.
        parts_across: how many parts of the largest class are as wide as a patch, see `choose_grid`.
        batch_volumes: in 3D, of which a step has patches.
        steps_2d: of the optimiser, in a whole training in 2D.
        steps_3d: the same in 3D.
    """

    first_channels: int
    most_channels: int
    patch_voxels: int
    patch_pixels: int
    batch_pixels: int
    parts_across: float
    batch_volumes: int
    steps_2d: int
    steps_3d: int


SIZES: Mapping[Preset, Size] = {
    "small": Size(16, 128, 90_000, 128**2, 8 * 128**2, 2.0, 1, 1_500, 3_000),
    "medium": Size(32, 256, 96**3, 256**2, 8 * 256**2, 1.0, 2, 25_000, 25_000),
    "large": Size(32, 320, 128**3, 512**2, 12 * 512**2, 0.0, 2, 250_000, 250_000),
}
"""small is for a CPU and minutes, medium for a GPU of 8 GiB and hours, large for one of 24 GiB and
what nnU-Net spends."""

FEWEST_CASES = 3
FEWEST_FOR_BATCH_NORM = 8
TEST_SHARE = 0.2
FOLDS = 5
MOST_EPOCHS = 1_000
STEP_SHARE = 0.8
"""Of the time of a training; the rest is for reading, augmentation and validation."""

FLIP_PROB = 0.5
AFFINE_PROB = 0.3
ROTATE_RAD = 0.2
SCALE_RANGE = 0.15
OVERLAP = 0.5
CHANNEL_DROPOUT = 0.2

AXES = {
    2: ("top to bottom", "left to right"),
    3: ("left to right", "back to front", "feet to head"),
}
"""What the axes of pictures and of volumes are called."""


_AFFINE = (
    Choice("affine_prob", AFFINE_PROB, "the chance of a patch to be turned and scaled"),
    Choice(
        "rotate_rad",
        ROTATE_RAD,
        f"turned by up to {math.degrees(ROTATE_RAD):.0f} degrees, as no two images are taken alike",
    ),
    Choice(
        "scale_range",
        SCALE_RANGE,
        f"scaled by up to {100 * SCALE_RANGE:.0f} %, as no two objects are of one size",
    ),
)


def make_plan(
    found: Fingerprint,
    *,
    preset: Preset = "small",
    most_voxels: int | None = None,
    in_slices: bool = False,
) -> list[Choice]:
    """Choose the keys of a task for a dataset.

    Args:
        found: what its cases have in common.
        preset: see `SIZES`.
        most_voxels: of a patch, or pixels; None for the preset's.
        in_slices: whether a network in 2D goes through volumes slice by slice. It sees them on the
            same grid as one in 3D, so that what both find can be compared and averaged.

    Raises:
        ValueError: there are fewer than 3 cases.
    """
    if found.cases < FEWEST_CASES:
        raise ValueError(
            f"{count_noun(found.cases, 'case')} cannot be split for training, validation and test: "
            f"give {FEWEST_CASES} or more"
        )
    size = SIZES[preset]
    grid = _choose_grid(found, size)
    slices = cut_into_slices(found, grid.shape, grid.spacing_mm) if in_slices else None
    spacing, shape = grid.spacing_mm, grid.shape
    if slices is not None:
        spacing, shape = slices.spacing_mm, slices.shape
    is_flat = len(shape) == 2
    most = most_voxels or (_count_pixels(found, size, spacing) if is_flat else size.patch_voxels)
    patch, strides, kernels = choose_patch(shape, spacing, most=most)
    channels = [min(size.first_channels * 2**k, size.most_channels) for k in range(len(kernels))]
    of_a_case = 1 if slices is None else slices.per_case
    pictures = found.cases * of_a_case
    batch = size.batch_volumes
    if is_flat:
        batch = max(min(size.batch_pixels // prod(patch), pictures), 2)
    return [
        *_choose_layers(found, grid, slices),
        *(_choose_values(found) if found.dimensions == 3 else ()),
        *([Choice("spacing_mm", list(grid.spacing_mm), grid.why)] if grid.is_resampled else ()),
        *explain_patch(patch, strides, kernels, shape, most),
        Choice("channels", channels, f"doubled from level to level, at most {size.most_channels}"),
        _choose_norm(batch, is_flat=is_flat),
        choose_patches(patch, shape),
        *_choose_training(found, size, batch, slices),
        *_choose_augmentation(found, slices),
    ]


def find_slices(found: Fingerprint, preset: Preset) -> Slices:
    """How volumes are cut for a network in 2D, see `cut_into_slices`."""
    grid = _choose_grid(found, SIZES[preset])
    return cut_into_slices(found, grid.shape, grid.spacing_mm)


def _choose_grid(found: Fingerprint, size: Size) -> TargetGrid:
    return choose_grid(found, patch_voxels=size.patch_voxels, parts_across=size.parts_across)


def _count_pixels(found: Fingerprint, size: Size, spacing_mm: Sequence[float]) -> int:
    """Of a 2D patch, at most: those of the preset, or more, to see parts of the largest class.

    A batch has two patches at least.
    """
    widest = max(found.part_mm.values(), default=0.0)
    wanted = (size.parts_across * widest) ** 2 / prod(spacing_mm)
    return max(size.patch_pixels, min(int(wanted), size.batch_pixels // 2))


def count_training_cases(cases: int, *, folds: int = FOLDS, test_share: float = TEST_SHARE) -> int:
    """About how many cases a fold is trained on, without those for testing and for validation."""
    return max(round(cases * (1 - test_share) * (1 - 1 / folds)), 1)


def count_steps(training: int, *, batch_size: int, slices: int = 1) -> int:
    """The steps of an epoch with so many training cases, or slices of each for a network in 2D."""
    return max(training * slices // batch_size, 1)


def fit_epochs(
    training: int, *, batch_size: int, step_seconds: float, hours: float, slices: int = 1
) -> int:
    """The epochs that fit into a time, of which `STEP_SHARE` is for steps; 1 at least.

    Args:
        training: cases that a fold is trained on.
        batch_size: cases, or slices, of a step.
        step_seconds: of one step.
        hours: that the training may take.
        slices: of each case.

    Example:
        >>> fit_epochs(160, batch_size=2, step_seconds=1.0, hours=1.0)
        35
    """
    steps = count_steps(training, batch_size=batch_size, slices=slices)
    return max(int(hours * 3600 * STEP_SHARE / (step_seconds * steps)), 1)


def _choose_layers(found: Fingerprint, grid: TargetGrid, slices: Slices | None) -> list[Choice]:
    if found.dimensions == 2:
        layers = ["picture", "2d", "patches", *(["colour"] if found.colours == 3 else [])]
        why = f"the images are pictures with {count_noun(found.colours, 'channel')}"
        return [Choice("_layers_", layers, why)]
    seen = ["3d", "volume"] if slices is None else ["2d", "volume", "slices"]
    kind = [*seen, "channels"]
    if len(found.channels) == 1:
        kind = ["ct" if found.channels[0].is_ct else "mr", *seen]
    layers = [*kind, *(["resample"] if grid.is_resampled else []), "patches"]
    varies = ", whose voxels differ in size" if found.spacing_varies else ""
    several = f" with {len(found.channels)} channels" if len(found.channels) > 1 else ""
    why = f"the images are volumes{several}{varies}"
    if slices is None:
        return [Choice("_layers_", layers, why)]
    start, end = AXES[3][slices.axis].split(" to ")
    longest = "where no axis has longer voxels" if slices.axis == 2 else "along the longest voxels"
    return [
        Choice("_layers_", layers, f"{why}; a network in 2D goes through them slice by slice"),
        Choice("slice_axis", slices.axis, f"slices from {start} to {end}, {longest}"),
    ]


def _choose_values(found: Fingerprint) -> list[Choice]:
    windows = [_choose_window(one) for one in found.channels]
    why = "from the 0.5th to the 99.5th percentile of the values within labels"
    if len(windows) == 1:
        return [Choice("window_hu", windows[0], why)] if windows[0] else []
    names = [one.name for one in found.channels]
    lacking = [
        f"; {one.name} is in {one.cases} of {found.cases} cases"
        for one in found.channels
        if one.cases < found.cases
    ]
    order = "in this order, told by names, by the numbers of nnU-Net or in a file by their order"
    modality = "CT" if found.channels[0].is_ct else "MR"
    return [
        Choice("image_channels", names, order + "".join(lacking)),
        Choice("in_channels", len(names), "one for each of them"),
        Choice("modality", modality, f"of {names[0]}, which checks and previews look at"),
        Choice(
            "channel_windows",
            windows,
            _explain_windows(found, why),
        ),
    ]


def _explain_windows(found: Fingerprint, why: str) -> str:
    scaled = [one.name for one in found.channels if not one.is_ct]
    ct = [one.name for one in found.channels if one.is_ct]
    said = [f"{' and '.join(scaled)} to mean 0 and standard deviation 1"] * bool(scaled)
    return "; ".join([*said, *[f"{' and '.join(ct)} in HU, {why}"] * bool(ct)])


def _choose_window(values: ChannelValues) -> list[int] | None:
    """The window of a CT in HU; None for other images."""
    low, _, high = values.percentiles
    return [round(low), max(round(high), round(low) + 1)] if values.is_ct else None


def _choose_norm(batch: int, *, is_flat: bool) -> Choice:
    if is_flat and batch >= FEWEST_FOR_BATCH_NORM:
        return Choice("norm", "batch", f"a batch has {batch} pictures, enough for a mean of all")
    why = "each patch by itself, since a batch has only few"
    return Choice("norm", ["instance", {"affine": True}], why)


def _choose_training(
    found: Fingerprint, size: Size, batch: int, slices: Slices | None
) -> list[Choice]:
    training = count_training_cases(found.cases)
    of_a_case = 1 if slices is None else slices.per_case
    steps = count_steps(training, batch_size=batch, slices=of_a_case)
    kind, wanted = "pictures" if slices is None else "slices", size.steps_2d
    batch_why = f"as many {kind} as this preset allows"
    if found.dimensions == 3 and slices is None:
        wanted = size.steps_3d
        batch_why = f"{count_noun(batch, 'volume')} a step"
        if batch == 1:
            batch_why += ", since in a short training more steps are worth more than larger ones"
    epochs = min(max(round(wanted / steps), 1), MOST_EPOCHS)
    epochs_why = (
        f"about {epochs * steps} steps in all, {steps} in an epoch of about {training} training "
        f"cases{'' if slices is None else f' of about {of_a_case} slices'}"
    )
    return [
        Choice("batch_size", batch, batch_why),
        Choice("max_epochs", epochs, epochs_why),
        Choice("learning_rate", 0.003, "the learning rate rises once to this and falls"),
        Choice(
            "lr_schedule",
            "one_cycle",
            "the learning rate rises and falls once in the whole training",
        ),
        Choice(
            "head_weights",
            "decaying",
            "the deepest output head, which makes the prediction, counts most",
        ),
        Choice("val_interval", max(epochs // 5, 1), "validated five times in the training"),
        Choice("patience", None, "the training ends with the schedule, and not before"),
        Choice("overlap", OVERLAP, "of neighbouring patches along each axis, where it predicts"),
    ]


def _choose_augmentation(found: Fingerprint, slices: Slices | None) -> list[Choice]:
    """Mirror along those axes alone along which labels lie as before when they are mirrored."""
    fair = [axis for axis in range(found.dimensions) if axis not in found.one_sided_axes]
    why = "along every axis: mirrored labels lie where those of other cases do"
    if found.one_sided_axes:
        sides = " or ".join(AXES[found.dimensions][axis] for axis in found.one_sided_axes)
        why = f"not from {sides}: mirrored labels lie elsewhere than those of other cases"
    if found.dimensions == 3 and slices is None:
        prob = Choice(
            "flip_prob", FLIP_PROB if fair else 0.0, "the chance to be mirrored, for each axis"
        )
        return [prob, Choice("flip_axes", fair, why), *_AFFINE]
    first, second = (0, 1) if slices is None else slices.kept_axes
    return [
        Choice("flip_prob_axis0", FLIP_PROB if first in fair else 0.0, why),
        Choice("flip_prob", FLIP_PROB if second in fair else 0.0, why),
        *_AFFINE,
    ]
