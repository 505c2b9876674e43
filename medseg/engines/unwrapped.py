"""Unwrapped: the network itself, without the wrapper that spreads it over processes or devices."""

from typing import Any

from torch.nn.parallel import DataParallel, DistributedDataParallel


def unwrapped(network: Any) -> Any:
    """The network inside `DistributedDataParallel` or `DataParallel`; anything else as it is.

    What is saved of it has the same keys whatever the number of processes.

    Example:
        >>> unwrapped(torch.nn.DataParallel(torch.nn.Identity()))
        Identity()
    """
    if isinstance(network, (DataParallel, DistributedDataParallel)):
        return network.module
    return network
