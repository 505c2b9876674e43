"""Options: checks of the options of a network, each refused in one line, and what they choose."""

from collections.abc import Sequence
from typing import Any

from medseg.base.arguments import check_choice, is_integer
from medseg.networks.encoder import PREFIX, Pyramid, find_pyramid
from medseg.networks.topology import TOPOLOGIES, Topology

PerAxis = tuple[int, ...]

DEPTHS = range(2, 7)


def check_channels(channels: Sequence[int], **counts: int) -> None:
    """Refuse numbers of channels that are not positive integers, and too few or many levels."""
    for name, number in counts.items():
        if not is_integer(number):
            raise TypeError(f"{name} must be an integer, got {number!r}: pass for instance 1")
    if not isinstance(channels, list | tuple) or not all(map(is_integer, channels)):
        raise TypeError(
            f"channels must be a list of integers, one per level, got {channels!r}: "
            "pass for instance [32, 64, 128, 256, 512]"
        )
    depth = len(channels) - 1
    if depth not in DEPTHS:
        raise ValueError(
            f"the depth must be {DEPTHS[0]} to {DEPTHS[-1]}, got {depth} from channels "
            f"{tuple(channels)}: give {DEPTHS[0] + 1} to {DEPTHS[-1] + 1} channel counts"
        )
    if min(*channels, *counts.values()) < 1:
        given = ", ".join(f"{name} {number}" for name, number in counts.items())
        raise ValueError(
            f"channel counts must be positive, got {given}, channels {tuple(channels)}: "
            "use 1 or more everywhere"
        )


def choose_topology(name: str, depth: int, *, deep_supervision: bool) -> Topology:
    """Build the named topology with all its heads."""
    if not isinstance(name, str):
        raise TypeError(f"topology must be text, got {name!r}: pass for instance 'unet_plusplus'")
    check_choice("topology", name, TOPOLOGIES)
    whole = TOPOLOGIES[name](depth)
    if deep_supervision and len(whole.heads) == 1:
        nested = [other for other, build in TOPOLOGIES.items() if len(build(depth).heads) > 1]
        raise ValueError(
            f"deep supervision needs several heads, {name} has {whole.heads[0]} only: "
            f"pass deep_supervision False or a topology with more ({', '.join(nested)})"
        )
    return whole


def check_guide(class_guide: bool, *, deep_supervision: bool) -> None:
    """Refuse a class guide without deep supervision."""
    if class_guide and not deep_supervision:
        raise ValueError(
            "class_guide needs the heads of deep supervision, got deep_supervision False: "
            "pass deep_supervision True, or class_guide False"
        )


def check_encoder(encoder: Any, *, weights: Any) -> None:
    """Refuse an encoder of unknown name, and pretrained weights for one of our own."""
    if not isinstance(encoder, str):
        raise TypeError(f"encoder must be text, got {encoder!r}: pass for instance 'plain'")
    timm = encoder.startswith(PREFIX)
    if encoder not in ("plain", "residual") and not timm:
        raise ValueError(
            f"encoder must be one of plain, residual, {PREFIX}<name>, got {encoder!r}: choose one"
        )
    if weights is not None and not timm:
        raise ValueError(
            f"encoder_weights need an encoder of timm, got encoder {encoder!r}: pass encoder "
            f"'{PREFIX}<name>', or encoder_weights None"
        )


def check_padding(padding: str, *, topology: str, encoder: str) -> None:
    """Refuse unpadded convolutions in anything but the original U-Net."""
    if padding == "valid" and (topology, encoder) != ("unet", "plain"):
        raise ValueError(
            f"padding 'valid' needs the set-up of the original U-Net, got topology {topology!r} "
            f"and encoder {encoder!r}: pass topology 'unet' and encoder 'plain', or padding 'same'"
        )


def choose_pyramid(encoder: str, *, depth: int, axes: int) -> Pyramid | None:
    """The maps of a timm encoder; None for the encoders of our own."""
    if not encoder.startswith(PREFIX):
        return None
    if axes != 2:
        raise ValueError(
            f"the encoders of timm need 2D images, got spatial_dims {axes} with {encoder!r}: pass "
            "spatial_dims 2, or encoder 'residual'"
        )
    pyramid = find_pyramid(encoder.removeprefix(PREFIX))
    pyramid.check(depth)
    return pyramid


def choose_steps(steps: Sequence[PerAxis], *, pyramid: Pyramid | None) -> tuple[PerAxis, ...]:
    """The strides; those of a timm encoder where they are left at 2 everywhere."""
    if pyramid is None:
        return tuple(steps)
    own = tuple((step, step) for step in pyramid.list_steps(len(steps)))
    if tuple(steps) not in (own, ((2, 2),) * len(steps)):
        raise ValueError(
            f"strides must be those of the encoder, {pyramid.name} has {own}, got {tuple(steps)}: "
            "leave strides out"
        )
    return own
