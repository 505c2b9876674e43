"""HybridLoss: the UNet++ paper's pixel-wise cross-entropy and soft Dice in one, from logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from medseg.base.arguments import check_choice

SMOOTH = 1e-5
"""Added to both sides of the Dice ratio, in voxels: an empty class predicted empty scores 1."""

ACTIVATIONS = ("softmax", "sigmoid")


class HybridLoss(nn.Module):
    """The loss of one UNet++ head: minus half the log-likelihood and minus the soft Dice.

    For N images, flattened truth Y_b and probabilities P_b, the paper writes

        L = -1/N sum_b [ 1/2 Y_b log P_b + 2 Y_b P_b / (Y_b + P_b) ].

    It is read as follows. The log-likelihood is a mean over voxels: log P of the true class under
    "softmax", Y log P + (1 - Y) log(1 - P) of each channel under "sigmoid". The Dice of a class is
    the ratio of sums (2 sum YP + s) / (sum Y + sum P + s), s being `SMOOTH`; its mean is over all
    channels, a background channel included. As in the paper no constant is added: a perfect
    prediction has the minimum, -1, and there is no upper bound.

    The target is (B, 1, *spatial) of labels 0 to C - 1 under "softmax", or (B, C, *spatial) of
    0 and 1 under either, or with `fractions` of what lies between. Sums are taken in float32 at
    least, under autocast too. A class without a voxel gives a finite loss and gradient. An image of
    ignored voxels only has the Dice of an empty one, 1, and no gradient.

    A weight per voxel multiplies log P there, as w does in the U-Net's sum of w log P; the Dice has
    no weights. The mean still divides by the number of voxels, not by the sum of the weights: a
    voxel of weight 11 counts as 11 voxels whatever the rest of the image weighs, weights of 1
    change nothing, and weights of k multiply the log-likelihood by k.

    With fractions Y, such as the share of readers who marked a voxel, the log-likelihood is the
    cross-entropy against them, and Y P in the Dice is min(Y, P): on 0 and 1 the two are the same,
    but the product is best at P of 0 or 1 whatever Y is, and the smaller of both at P = Y (Wang et
    al. 2023). So P = Y is the best prediction; its cross-entropy is above 0.

    Args:
        activation: "softmax" for classes that exclude each other; "sigmoid" for a single
            foreground channel, or for regions that overlap.
        batch: False averages the losses of the images; True takes all images as one, which suits
            patches where most classes are absent.
        class_weights: one per channel, not negative; None weighs all alike. They weigh the Dice of
            the classes, and the log-likelihood of voxels by true class under "softmax", by channel
            under "sigmoid".
        ignore_label: target value of voxels that do not count: in the channel that has it under
            "sigmoid", in all channels under "softmax". Neither sum has them, the means divide by
            the number of the others, and their gradient is exactly 0. None costs nothing.
        cross_entropy_weight: factor of the log-likelihood, the paper's 1/2.
        dice_weight: factor of the Dice.
        fractions: whether a target of C channels may hold what lies between 0 and 1; under
            "softmax" the channels of a voxel then add up to 1.

    Raises:
        ValueError: an option outside its range; in `forward`, shapes or weights that do not fit
            each other, a target value that is neither a label nor the one to ignore, or a weight
            per voxel that is negative or not finite.

    Example:
        >>> loss = HybridLoss(activation="sigmoid")
        >>> logits = torch.tensor([[[-50.0, 50.0]]])  # one image, one channel, two voxels
        >>> round(loss(logits, torch.tensor([[[0, 1]]])).item(), 4)
        -1.0

    With deep supervision wrap it in MONAI's own, with a weight per head, deepest first:
    `monai.losses.DeepSupervisionLoss(HybridLoss(), weights=[1.0, 1.0, 1.0, 1.0])`. MONAI replaces
    a list shorter than the heads by its default weights, without a word:
    `medseg.losses.deep_supervision` refuses it.

    Source: Zhou, Siddiquee, Tajbakhsh and Liang 2018, section 3.2, the equation of L(Y, P);
    weights per voxel: Ronneberger, Fischer and Brox 2015, equation 1; fractions: Wang,
    Popordanoska, Bertels, Lemmens and Blaschko, "Dice Semimetric Losses", MICCAI 2023, DML1.
    """

    def __init__(
        self,
        *,
        activation: str = "softmax",
        batch: bool = False,
        class_weights: Sequence[float] | None = None,
        ignore_label: int | None = None,
        cross_entropy_weight: float = 0.5,
        dice_weight: float = 1.0,
        fractions: bool = False,
    ) -> None:
        super().__init__()
        _check_options(activation, class_weights)
        self.activation = activation
        self.batch = batch
        self.class_weights = None if class_weights is None else [float(w) for w in class_weights]
        self.ignore_label = ignore_label
        self.cross_entropy_weight = cross_entropy_weight
        self.dice_weight = dice_weight
        self.fractions = fractions

    @property
    def minimum(self) -> float:
        """The loss of a perfect prediction, whose log-likelihood is 0 and whose Dice is 1.

        Of fractions it is a bound that is not reached.
        """
        return -float(self.dice_weight)

    def forward(self, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the scalar loss of logits (B, C, *spatial) against the target.

        `weight`, (B, 1, *spatial), weighs the log-likelihood of each voxel, in all its channels.
        """
        self._check_shapes(logits, target)
        if weight is not None:
            _check_voxel_weights(weight, logits)
        logits = _flatten(logits, self.batch)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        truth, counted = self._make_truth(logits, _flatten(target, self.batch).to(logits.dtype))
        if self.activation == "softmax":
            log_likelihood = F.log_softmax(logits, 1)
            probability, mass = log_likelihood.exp(), truth
        else:
            log_likelihood = self._find_log_likelihood(logits, truth)
            probability, mass = logits.sigmoid(), counted.expand_as(logits)
        if self.ignore_label is not None:
            probability = probability * counted
        if weight is not None:
            log_likelihood = log_likelihood * _flatten(weight, self.batch).to(logits.dtype)
        weights = logits.new_tensor(self.class_weights or [1.0] * logits.shape[1])
        likelihood = _compute_mean(log_likelihood, mass * weights[:, None])
        shared = torch.minimum(probability, truth) if self.fractions else probability * truth
        dice = (_compute_dice(shared, probability, truth) * weights).sum(1) / weights.sum()
        return -(self.cross_entropy_weight * likelihood + self.dice_weight * dice).mean()

    def _find_log_likelihood(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Y log P + (1 - Y) log(1 - P) of each channel; for Y of 0 and 1 in one term."""
        if self.fractions:
            return -F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        return F.logsigmoid(logits * (2 * truth - 1))

    def _make_truth(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return the truth (B, C, voxels), zero where ignored, and the mask of what counts.

        The mask broadcasts to the truth; it is a single 1 if nothing is ignored.
        """
        exclusive = self.activation == "softmax"  # of C >= 2 channels
        as_labels = exclusive and target.shape[1] == 1
        ignored = None if self.ignore_label is None else target == self.ignore_label
        highest, whole = logits.shape[1] - 1 if as_labels else 1, as_labels or not self.fractions
        _check_values(target, ignored, highest=highest, whole=whole)
        truth = target if ignored is None else target.masked_fill(ignored, 0)
        if as_labels:
            truth = torch.zeros_like(logits).scatter_(1, truth.long(), 1.0)
        elif exclusive:
            ignored = None if ignored is None else ignored.any(1, keepdim=True)
            _check_exclusive(truth, ignored, fractions=self.fractions)
        if ignored is None:
            return truth, logits.new_ones(1, 1, 1)
        counted = (~ignored).to(logits.dtype)
        return truth * counted, counted

    def _check_shapes(self, logits: Tensor, target: Tensor) -> None:
        classes, exclusive = logits.shape[1], self.activation == "softmax"
        if exclusive and classes == 1:
            raise ValueError(
                "softmax needs two channels or more, got logits of 1: use activation='sigmoid'"
            )
        fitting = {1, classes} if exclusive else {classes}
        others = (target.shape[0], *target.shape[2:]), (logits.shape[0], *logits.shape[2:])
        if target.ndim != logits.ndim or others[0] != others[1] or target.shape[1] not in fitting:
            raise ValueError(
                f"under {self.activation} a target must have the shape of the logits with "
                f"{' or '.join(map(str, sorted(fitting)))} channels, got {tuple(target.shape)} for "
                f"logits {tuple(logits.shape)}: add the channel axis, or resample the target"
            )
        if target.shape[1] == classes and self.ignore_label in (0, 1):
            raise ValueError(
                f"ignore_label cannot be 0 or 1 with a target of 0 and 1, got {self.ignore_label}: "
                "mark ignored voxels by another value, such as 255"
            )
        if self.class_weights is not None and len(self.class_weights) != classes:
            raise ValueError(
                f"class_weights needs one weight per channel, got {len(self.class_weights)} for "
                f"{classes} channels: give {classes}"
            )


def _flatten(x: Tensor, batch: bool) -> Tensor:
    """Flatten to (B, C, voxels), or to one image of all voxels; drops MONAI's metadata."""
    x = x.as_subclass(Tensor).flatten(2)
    return x.transpose(0, 1).flatten(1)[None] if batch else x


def _compute_mean(x: Tensor, mass: Tensor) -> Tensor:
    """Mean of each image weighted by mass, 0 where an image has no mass."""
    return (x * mass).sum((1, 2)) / mass.sum((1, 2)).clamp_min(torch.finfo(x.dtype).tiny)


def _compute_dice(shared: Tensor, probability: Tensor, truth: Tensor) -> Tensor:
    """Soft Dice (B, C) of each image and class, of what probability and truth share."""
    return (2 * shared.sum(2) + SMOOTH) / ((probability + truth).sum(2) + SMOOTH)


def _check_options(activation: str, class_weights: Sequence[float] | None) -> None:
    check_choice("activation", activation, ACTIVATIONS)
    if class_weights is not None and (min(class_weights) < 0 or sum(class_weights) == 0):
        raise ValueError(
            f"class_weights must be 0 or more and not all 0, got {list(class_weights)}: "
            "give each class that counts a positive weight"
        )


def _check_voxel_weights(weight: Tensor, logits: Tensor) -> None:
    fitting = (logits.shape[0], 1, *logits.shape[2:])
    if weight.shape != fitting:
        raise ValueError(
            f"weights of voxels must have the shape of the logits with one channel, {fitting}, got "
            f"{tuple(weight.shape)}: give one weight per voxel, for all classes"
        )
    valid = (weight >= 0) & weight.isfinite()
    if not valid.all():
        wrong = weight[~valid].unique()[:3].tolist()
        raise ValueError(
            "weights of voxels must be finite and not negative, got "
            f"{', '.join(map(str, wrong))}: correct the weight map, the target's last channel"
        )


def _check_values(target: Tensor, ignored: Tensor | None, *, highest: int, whole: bool) -> None:
    valid = (target >= 0) & (target <= highest)
    valid = valid & (target == target.round()) if whole else valid
    valid = valid if ignored is None else valid | ignored
    if not valid.all():
        wrong = target[~valid].unique()[:3].tolist()
        raise ValueError(
            f"target values must be {'the integers ' * whole}0 to {highest}, got "
            f"{', '.join(map(str, wrong))}: "
            "map the labels (monai.transforms.MapLabelValued) or name the value in ignore_label"
        )


def _check_exclusive(truth: Tensor, ignored: Tensor | None, *, fractions: bool) -> None:
    marks = truth.sum(1, keepdim=True)
    single = (marks - 1).abs() <= 1e-3 if fractions else marks == 1
    if fractions and not (single if ignored is None else single | ignored).all():
        raise ValueError(
            f"under softmax the fractions of a voxel must add up to 1, got {marks.min():g} to "
            f"{marks.max():g}: use activation='sigmoid' for regions that overlap"
        )
    if not (single if ignored is None else single | ignored).all():
        raise ValueError(
            f"under softmax each voxel must have exactly one class, got {int(marks.min())} to "
            f"{int(marks.max())}: use activation='sigmoid' for regions that overlap"
        )
