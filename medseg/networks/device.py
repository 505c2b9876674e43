"""Device: moves a network to a device that is there."""

import torch
from torch import nn


def place(network: nn.Module, device: str | torch.device) -> nn.Module:
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
