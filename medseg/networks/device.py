"""Device: moves a network to a device that is there."""

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def place(network: Network, device: str | torch.device) -> Network:
    """The network, moved to the device.

    Raises:
        ValueError: torch does not know the device, or this machine does not have it.

    Example:
        >>> place(nn.Identity(), "cpu")
        Identity()
    """
    try:
        return network.to(torch.device(device))
    except (RuntimeError, AssertionError) as error:
        gpus = torch.cuda.device_count()
        have = ", ".join(["cpu", *(f"cuda:{i}" for i in range(gpus))])
        raise ValueError(
            f"device {str(device)!r} cannot be used ({str(error).splitlines()[0]}): "
            f"this machine has {have}"
        ) from error
