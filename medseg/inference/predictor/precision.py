"""Precision: bfloat16 or float16 where a device gains by it."""

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer

from medseg.base.arguments import require_bool
from medseg.networks.device import gains_by_bfloat16 as gains_by_bfloat16

TENSOR_CORES = (7, 0)
"""Compute capability from which on a GPU multiplies float16 much faster than float32 (Volta)."""


class MixedPrecisionInferer(Inferer):
    """Runs another inferer under bfloat16 autocast, where the device gains by it.

    For training as for inference, on CPU and GPU alike: bfloat16 has the range of float32, so that
    no loss scaling is needed. Weights stay float32. The network's output may be bfloat16: take a
    loss that computes in float32 all the same, as `HybridLoss` does.

    Args:
        inferer: the inferer that is run.
        device: device of the network.
        enabled: False always runs in the type of the weights; so does a device that gains nothing
            (`gains_by_bfloat16`).

    Example:
        >>> MixedPrecisionInferer(SimpleInferer(), device="cpu")(image, network)
    """

    def __init__(
        self, inferer: Inferer, device: str | torch.device, *, enabled: bool = True
    ) -> None:
        super().__init__()
        self.inferer = inferer
        self.device = torch.device(device)
        self.enabled = require_bool(enabled, "mixed_precision") and gains_by_bfloat16(self.device)

    def __call__(
        self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.enabled):
            return self.inferer(inputs, network, *args, **kwargs)


def find_fastest_precision(device: str | torch.device) -> torch.dtype:
    """What to infer in: bfloat16 or else float16 where the device gains by it, or else float32.

    Not for training: gradients in float16 need their loss scaled, see `MixedPrecisionInferer`.

    Example:
        >>> find_fastest_precision("meta")
        torch.float32
    """
    if gains_by_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if _gains_by_float16(torch.device(device)) else torch.float32


def _gains_by_float16(device: torch.device) -> bool:
    if device.type != "cuda" or not torch.cuda.is_available():
        return False
    return torch.cuda.get_device_capability(device) >= TENSOR_CORES
