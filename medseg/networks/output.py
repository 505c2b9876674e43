"""Output: what a network gives for an image, and whether it depends on all of the window."""

from typing import Any

from torch import Tensor, nn

from medseg.networks.class_guide import ClassGuide

_WINDOW_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def require_one_tensor(output: Any) -> Tensor:
    """The output of a network, if it is one tensor.

    Raises:
        TypeError: it is a list of heads, or anything else.
    """
    if isinstance(output, Tensor):
        return output
    raise TypeError(
        f"a network must give one tensor for an image, got {type(output).__name__}: call eval(), "
        "or, if it is in eval, wrap it so that it returns one tensor"
    )


def takes_window_statistics(network: nn.Module) -> bool:
    """Whether the output for a voxel depends on the whole window, whatever the halo.

    Instance norm, group norm and the class guide make it so. Batch norm does not: outside training
    it uses the statistics that it has stored.

    Example:
        >>> takes_window_statistics(nn.Sequential(nn.Conv2d(1, 4, 3), nn.InstanceNorm2d(4)))
        True
    """
    guided = any(isinstance(module, ClassGuide) for module in network.modules())
    return guided or any(map(is_window_norm, network.modules()))


def is_window_norm(module: nn.Module) -> bool:
    """Whether a layer normalises with statistics of the window outside training.

    These are instance norm, group norm, and a batch norm that stores no statistics.
    """
    stores_none = isinstance(module, _BATCH_NORMS) and module.running_mean is None
    return stores_none or isinstance(module, _WINDOW_NORMS)
