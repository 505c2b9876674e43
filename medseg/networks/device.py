"""Device: check that it can be used, name it, and move a network to it in a suitable layout."""

import platform
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from medseg.networks.instance_norm import speed_up_instance_norms
from medseg.networks.output import is_window_norm

Network = TypeVar("Network", bound=nn.Module)

_CPU_INFO = Path("/proc/cpuinfo")

_LAYOUTS = {4: torch.channels_last, 5: torch.channels_last_3d}

# CPU features in whose presence bfloat16 convolutions are faster than float32 ones (oneDNN)
_CPU_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


def require_device(device: str | torch.device) -> torch.device:
    """The device as torch knows it, after a tensor was put on it to see that it can be used.

    Raises:
        ValueError: torch does not know the device, or this machine does not have it.

    Example:
        >>> require_device("cpu")
        device(type='cpu')
    """
    try:
        return torch.zeros(1).to(torch.device(device)).device
    except (RuntimeError, AssertionError) as error:
        gpus = torch.cuda.device_count()
        have = ", ".join(["cpu", *(f"cuda:{i}" for i in range(gpus))])
        reason = str(error).splitlines()[0]
        if "device type at start" in reason:  # and all the types that there are
            reason = "torch knows none of that name"
        raise ValueError(
            f"device {str(device)!r} cannot be used ({reason}): this machine has {have}, "
            "pass --device with one of them"
        ) from error


def find_device_name(device: torch.device) -> str:
    """The product name of a GPU or of the CPU, as far as the system tells."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    names = [line.split(":")[1] for line in _read_cpu_info().splitlines() if "model name" in line]
    return names[0].strip() if names else platform.processor() or platform.machine()


def list_cpu_features() -> set[str]:
    """Words that describe the CPU, with its features, such as "avx512_bf16"; empty if not known.

    Source: proc(5), cpuinfo. psutil knows neither the features nor the name of a CPU.
    """
    return set(_read_cpu_info().split())


def _read_cpu_info() -> str:
    try:
        return _CPU_INFO.read_text()
    except OSError:  # only Linux has it
        return ""


def gains_by_bfloat16(device: str | torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; False where that is unknown."""
    kind = torch.device(device).type
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    return kind == "cpu" and bool(_CPU_BFLOAT16_FLAGS & list_cpu_features())


def to_device(network: Network, device: str | torch.device) -> Network:
    """Move the network to the device, in the layout of weights and maps that is fastest there.

    Channels last, as was measured: on a GPU if no norm takes statistics of the window, on a CPU
    also with instance norms, which then are those of `medseg.networks.instance_norm` (in 3D if the
    CPU multiplies bfloat16: in float32 such networks are slower). Values, keys and shapes of the
    weights are the same in each layout; those that are channels last are not contiguous, which the
    safetensors format asks for.

    Raises:
        ValueError: as `require_device`.

    Example:
        >>> to_device(nn.Identity(), "cpu")
        Identity()
    """
    place = require_device(device)
    network = network.to(place)
    if _gains_by_channels_last(network, place):
        speed_up_instance_norms(network)
        for weight in network.parameters():
            if weight.ndim in _LAYOUTS:
                weight.data = weight.data.contiguous(memory_format=_LAYOUTS[weight.ndim])
    return network


def _gains_by_channels_last(network: nn.Module, device: torch.device) -> bool:
    norms = list(filter(is_window_norm, network.modules()))
    if device.type != "cpu":
        return not norms
    if gains_by_bfloat16(device):
        return all(isinstance(norm, nn.InstanceNorm2d | nn.InstanceNorm3d) for norm in norms)
    return all(isinstance(norm, nn.InstanceNorm2d) for norm in norms)
