"""Normalize: the intensities of an image as nnU-Net scales them, channel by channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

LEAST_SPREAD = 1e-8
"""A spread of values below this divides as this, so that a constant image stays finite."""

NEEDED = ("mean", "std", "percentile_00_5", "percentile_99_5")
"""What has to be known of the training images for the scheme "ct"."""

Properties = Mapping[str, float]


def _normalize_ct(image: Tensor, body: Tensor | None, known: Properties) -> Tensor:
    clipped = image.clamp(known["percentile_00_5"], known["percentile_99_5"])
    return (clipped - known["mean"]) / max(known["std"], LEAST_SPREAD)


def _normalize_z_score(image: Tensor, body: Tensor | None, known: Properties) -> Tensor:
    inside = image if body is None else image[body]
    if not inside.numel():
        return image
    spread, mean = torch.std_mean(inside.double(), correction=0)
    scaled = (image - float(mean)) / max(float(spread), LEAST_SPREAD)
    return scaled if body is None else torch.where(body, scaled, image)


def _normalize_to_unit_range(image: Tensor, body: Tensor | None, known: Properties) -> Tensor:
    shifted = image - image.min()
    return shifted / max(float(shifted.max()), LEAST_SPREAD)


def _divide_by_255(image: Tensor, body: Tensor | None, known: Properties) -> Tensor:
    if image.min() < 0 or image.max() > 255:
        raise ValueError(
            f"the image has values from {float(image.min()):g} to {float(image.max()):g}, and the "
            "network is for pictures of 0 to 255: pass such a picture"
        )
    return image / 255


def _keep(image: Tensor, body: Tensor | None, known: Properties) -> Tensor:
    return image


SCHEMES: dict[str, Callable[[Tensor, Tensor | None, Properties], Tensor]] = {
    "ct": _normalize_ct,
    "z_score": _normalize_z_score,
    "unit_range": _normalize_to_unit_range,
    "divide_by_255": _divide_by_255,
    "none": _keep,
}
"""How a channel can be scaled. "ct" clips to the percentiles 0.5 and 99.5 of the training's
foreground and divides by its spread, "z_score" takes mean and spread of the image itself."""


def normalize(
    image: Tensor,
    schemes: Sequence[str],
    *,
    properties: Sequence[Properties],
    inside: Sequence[bool],
    body: Tensor | None,
) -> Tensor:
    """Scale each channel of an image by its own scheme.

    Args:
        image: (C, *spatial), float32.
        schemes: of each channel, see `SCHEMES`.
        properties: of each channel in the training, see `NEEDED`.
        inside: of each channel, whether only `body` counts and is scaled.
        body: (*spatial), bool: where any channel is not 0, with holes; None where no channel asks.

    Raises:
        ValueError: values that the scheme "divide_by_255" does not take.

    Example:
        >>> normalize(
        ...     torch.tensor([[1.0, 3.0]]), ["z_score"], properties=[{}], inside=[False], body=None
        ... )
        tensor([[-1.,  1.]])
    """
    scaled = [
        SCHEMES[scheme](channel, body if only_inside else None, known)
        for channel, scheme, known, only_inside in zip(
            image, schemes, properties, inside, strict=True
        )
    ]
    return torch.stack(scaled)
