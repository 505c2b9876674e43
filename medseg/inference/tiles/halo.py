"""Halo: how many voxels around a window the network sees, and whose predictions are dropped.

In crop mode a voxel gets the same value as from the whole image if the halo is as wide as the
network's receptive field reaches. That is the halo "auto".
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from torch import nn

from medseg.networks.analysis.receptive_field import measure_receptive_field

_fields_by_stride: WeakKeyDictionary[nn.Module, dict[tuple[int, ...], tuple[int, ...]]] = (
    WeakKeyDictionary()
)
"""Receptive fields that were worked out, by network and stride; they do not depend on weights."""


def find_halo(
    halo: int | Sequence[int] | str,
    network: nn.Module | None,
    *,
    in_channels: int,
    stride: tuple[int, ...],
) -> int | Sequence[int]:
    """The halo in voxels: as given, or for "auto" the reach of the receptive field.

    Args:
        halo: voxels, one number or one per axis, or "auto".
        network: for "auto"; None where nothing is known of its layers.
        in_channels: of the image.
        stride: of the network along each axis that its windows have.

    Raises:
        ValueError: "auto" without a network.
    """
    if not isinstance(halo, str):
        return halo
    if network is None:
        raise ValueError("halo 'auto' needs the layers of a network: pass the halo in voxels")
    known = _fields_by_stride.setdefault(network, {})
    if stride not in known:
        known[stride] = measure_receptive_field(network, in_channels, stride=stride)
    return known[stride]
