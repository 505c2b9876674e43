"""Build: a network of nnU-Net, which gives one tensor and states its stride.

In a bundle:

    {"_target_": "medseg.networks.nnunet.build.build_network", "architecture": "PlainConvUNet",
     "in_channels": 1, "out_channels": 2, "options": {"n_stages": 2, "features_per_stage": [8, 16],
     "kernel_sizes": [[3, 3], [3, 3]], "strides": [[1, 1], [2, 2]], "n_conv_per_stage": [2, 2],
     "n_conv_per_stage_decoder": [2], "conv": "Conv2d", "norm": "InstanceNorm2d",
     "nonlinearity": "LeakyReLU"}}
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from medseg.base.arguments import check_choice

ARCHITECTURES = ("PlainConvUNet", "ResidualEncoderUNet")
"""Networks of nnU-Net; the second is that of its presets M, L and XL."""

LAYERS: Mapping[str, tuple[str, ...]] = {
    "conv": ("Conv2d", "Conv3d"),
    "norm": ("InstanceNorm2d", "InstanceNorm3d", "BatchNorm2d", "BatchNorm3d"),
    "dropout": ("Dropout2d", "Dropout3d"),
    "nonlinearity": ("LeakyReLU", "ReLU", "GELU", "SiLU"),
}
"""The layers of torch.nn that an option may name; no other name is ever looked up."""

_PARAMETERS = {"conv": "conv_op", "norm": "norm_op", "dropout": "dropout_op"} | {
    "nonlinearity": "nonlin"
}


def build_network(
    architecture: str, *, in_channels: int, out_channels: int, options: Mapping[str, Any]
) -> nn.Module:
    """A network of nnU-Net, with the attributes that inference asks for.

    Args:
        architecture: one of `ARCHITECTURES`.
        in_channels: of the image.
        out_channels: of the logits.
        options: its arguments as plans.json has them, with a name of `LAYERS` for each layer, and
            its arguments as "norm_kwargs" and the like.

    Returns:
        A network that maps (B, in_channels, *spatial) to logits (B, out_channels, *spatial); with
        `in_channels`, `total_stride`, `pad_input` and `margin` as a `NestedUNet` has them.

    Raises:
        ImportError: dynamic-network-architectures is not installed.
        ValueError: an unknown architecture, layer or option.
    """
    check_choice("architecture", architecture, ARCHITECTURES)
    arguments = dict(options)
    for option, names in LAYERS.items():
        layer, settings = arguments.pop(option, None), arguments.pop(f"{option}_kwargs", None)
        if layer is not None:
            check_choice(option, layer, names)
        arguments[_PARAMETERS[option]] = None if layer is None else getattr(nn, layer)
        if option != "conv":
            arguments[f"{_PARAMETERS[option]}_kwargs"] = settings
    try:
        network = _find_class(architecture)(
            input_channels=in_channels,
            num_classes=out_channels,
            deep_supervision=False,
            **arguments,
        )
    except (TypeError, AssertionError) as error:
        raise ValueError(
            f"a {architecture} cannot be built of these options ({error}): take them from the "
            "plans.json of the training"
        ) from error
    network.in_channels = in_channels
    network.total_stride = find_total_stride(arguments["strides"])
    network.pad_input, network.margin = False, [0] * len(network.total_stride)
    return network


def find_total_stride(strides: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The product of the strides of all levels, per axis.

    Example:
        >>> find_total_stride([[1, 1, 1], [1, 2, 2], [2, 2, 2]])
        (2, 4, 4)
    """
    return tuple(int(product) for product in np.prod(strides, axis=0))


def _find_class(architecture: str) -> Any:
    try:
        module = importlib.import_module("dynamic_network_architectures.architectures.unet")
    except ImportError as error:
        raise ImportError(
            "networks of nnU-Net need the package dynamic-network-architectures: "
            "pip install 'medseg[nnunet]'"
        ) from error
    return getattr(module, architecture)
