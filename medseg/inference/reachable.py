"""Reachable: a device by its name, refused in one line where it is not there."""

import torch
from torch import nn

from medseg.networks import place


def reachable(device: str | torch.device) -> torch.device:
    """The device, on which a tensor was put to see that it is there.

    Raises:
        ValueError: torch does not know the device, or this machine does not have it.

    Example:
        >>> reachable("cpu")
        device(type='cpu')
    """
    place(nn.ParameterList([torch.zeros(1)]), device)
    return torch.device(device)
