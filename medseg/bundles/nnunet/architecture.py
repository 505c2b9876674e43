"""Architecture: which network the plans of nnU-Net describe, with names of known layers alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medseg.networks.nnunet.build import ARCHITECTURES, LAYERS

_OF_PLANS = {
    "conv": "conv_op",
    "norm": "norm_op",
    "dropout": "dropout_op",
    "nonlinearity": "nonlin",
}
_NUMBERS = (
    *("n_stages", "features_per_stage", "kernel_sizes", "strides", "n_conv_per_stage"),
    *("n_blocks_per_stage", "n_conv_per_stage_decoder", "conv_bias", "nonlin_first"),
    *("bottleneck_channels", "stem_channels"),
)
"""Arguments of the networks whose values are numbers, or lists of them."""


def find_architecture(configuration: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of the network and its options, see `medseg.networks.nnunet.build.build_network`.

    Args:
        configuration: of plans.json; those before version 2.4 of nnU-Net have no section for the
            architecture, but its numbers.

    Raises:
        ValueError: a network or a layer that is none of nnU-Net's own, or an unknown argument.
    """
    section = configuration.get("architecture")
    if section is None:
        return _find_in_old_plans(configuration)
    name = str(section.get("network_class_name", "")).rpartition(".")[2]
    _check_name(name, str(section.get("network_class_name", "")))
    options: dict[str, Any] = {}
    arguments = dict(section.get("arch_kwargs", {}))
    arguments.pop("deep_supervision", None)
    for option, key in _OF_PLANS.items():
        layer = arguments.pop(key, None)
        options[option] = None if layer is None else _name_layer(option, str(layer))
        settings = arguments.pop(f"{key}_kwargs", None)
        if settings:
            options[f"{option}_kwargs"] = _check_numbers(f"{key}_kwargs", settings)
    if unknown := [key for key in arguments if key not in _NUMBERS]:
        raise ValueError(
            f"plans.json gives the network {unknown[0]!r}, which no network of nnU-Net takes: "
            "predict with nnU-Net itself"
        )
    return name, {**{key: _check_numbers(key, one) for key, one in arguments.items()}, **options}


def _find_in_old_plans(found: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    name = str(found.get("UNet_class_name", ""))
    _check_name(name, name)
    depth, dims = len(found["n_conv_per_stage_encoder"]), len(found["patch_size"])
    widest, base = found["unet_max_num_features"], found["UNet_base_num_features"]
    per_stage = "n_conv_per_stage" if name == "PlainConvUNet" else "n_blocks_per_stage"
    numbers = {
        "n_stages": depth,
        "features_per_stage": [min(base * 2**level, widest) for level in range(depth)],
        "kernel_sizes": found["conv_kernel_sizes"],
        "strides": found["pool_op_kernel_sizes"],
        per_stage: found["n_conv_per_stage_encoder"],
        "n_conv_per_stage_decoder": found["n_conv_per_stage_decoder"],
        "conv_bias": True,
    }
    layers = {
        "conv": f"Conv{dims}d",
        "norm": f"InstanceNorm{dims}d",
        "norm_kwargs": {"eps": 1e-5, "affine": True},
        "dropout": None,
        "nonlinearity": "LeakyReLU",
        "nonlinearity_kwargs": {"inplace": True},
    }
    return name, {**{key: _check_numbers(key, one) for key, one in numbers.items()}, **layers}


def _check_name(name: str, whole: str) -> None:
    if name not in ARCHITECTURES:
        raise ValueError(
            f"plans.json names the network {whole!r}, and only {' and '.join(ARCHITECTURES)} are "
            "known: predict with nnU-Net itself"
        )


def _name_layer(option: str, dotted: str) -> str:
    module, _, name = dotted.rpartition(".")
    if name not in LAYERS[option] or not (module == "torch.nn" or module.startswith("torch.nn.")):
        raise ValueError(
            f"plans.json names the layer {dotted!r}, and of torch.nn only "
            f"{', '.join(LAYERS[option])} are taken for it: predict with nnU-Net itself"
        )
    return name


def _check_numbers(key: str, value: Any) -> Any:
    """The value, if it is made of numbers, truth values and nothing alone."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, list):
        return [_check_numbers(key, one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _check_numbers(f"{key}.{name}", one) for name, one in value.items()}
    raise ValueError(f"plans.json gives the network {key} {value!r}: it must be made of numbers")
