"""Device: moves a network to a device that is there, in the memory layout that suits both."""

from typing import TypeVar

import torch
from torch import nn

from medseg.networks.receptive_field import takes_window_statistics

Network = TypeVar("Network", bound=nn.Module)

_LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}


def place(network: Network, device: str | torch.device) -> Network:
    """The network, moved to the device, where convolutions have their weights channels last.

    The maps between them then have that layout, too, which is faster on a GPU, and on a CPU unless
    norms take statistics of the window, as instance norm does: those are slower in it. Values, keys
    and the shapes of all weights stay as they are.

    Raises:
        ValueError: torch does not know the device, or this machine does not have it.

    Example:
        >>> place(nn.Identity(), "cpu")
        Identity()
    """
    try:
        network = network.to(torch.device(device))
    except (RuntimeError, AssertionError) as error:
        gpus = torch.cuda.device_count()
        have = ", ".join(["cpu", *(f"cuda:{i}" for i in range(gpus))])
        raise ValueError(
            f"device {str(device)!r} cannot be used ({str(error).splitlines()[0]}): "
            f"this machine has {have}"
        ) from error
    if torch.device(device).type == "cuda" or not takes_window_statistics(network):
        for weight in network.parameters():
            if weight.ndim in _LAYOUTS:
                weight.data = weight.data.contiguous(memory_format=_LAYOUTS[weight.ndim])
    return network
