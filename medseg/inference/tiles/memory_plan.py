"""Plan: what an inference will compute and need, worked out before its first window."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import torch
from torch import Tensor, nn

from medseg.base.memory import find_available_bytes
from medseg.base.text import count_noun
from medseg.inference.predictor.predictor import Predictor, find_layers
from medseg.inference.tiles.windows import Layout
from medseg.networks.analysis.footprint import measure_footprint
from medseg.networks.ensemble import Ensemble
from medseg.networks.nested import NestedUNet

GIB = 2**30

WORKSPACE = {
    ("eager", torch.float32): 2.2,
    ("eager", torch.bfloat16): 1.4,
    ("openvino", torch.float32): 0.9,
    ("openvino", torch.bfloat16): 0.9,
}
"""The largest measured memory of a pass, without a reserve, divided by that of its tensors. The
rest is workspace of convolutions, copies in another layout, and pages that the allocator keeps.
OpenVINO is below 1 since it never holds the maps that a node concatenates. Measured on a CPU with
`NestedUNet` (`tests/integration/test_peak.py`); all else, GPUs too, is assumed `WORKSPACE_ELSE`."""

WORKSPACE_ELSE = 2.2

RESERVE_BYTES = {"openvino": 96 * 2**20}
"""Measured memory that a first pass takes in addition, whatever the window: code, caches, and the
steps in which an allocator that keeps its pages grows. `RESERVE_ELSE` for other backends."""

LOGITS = {"openvino": 3, "onnxruntime": 1, "eager": 1}
"""Float32 copies of the logits that a pass takes in addition: OpenVINO's own, the result, and those
of the pass before, which a busy machine may free late. They matter with many classes."""

RESERVE_ELSE = 352 * 2**20

_UNITS = {"": 1, "KIB": 2**10, "MIB": 2**20, "GIB": GIB, "KB": 10**3, "MB": 10**6, "GB": 10**9}


class MemoryLimitError(ValueError):
    """An inference would need more memory than it may have.

    Attributes:
        finding: the message without its remedy.
    """

    def __init__(self, finding: str, remedy: str = "") -> None:
        super().__init__(f"{finding}: {remedy}" if remedy else finding)
        self.finding = finding


@dataclass(frozen=True)
class Plan:
    """What an inference will compute and need.

    Attributes:
        layout: the windows.
        batch_size: windows that go through the network together.
        network_bytes: of a pass of the network, None where its layers are not known.
        image_bytes: of the image that the network sees, which is in memory already.
        answer_bytes: of labels or logits, and of the slab that windows are blended in.
        file_bytes: of the file of probabilities on the disk, 0 for none.
    """

    layout: Layout
    batch_size: int
    network_bytes: int | None
    image_bytes: int
    answer_bytes: int
    file_bytes: int = 0

    @property
    def needed_bytes(self) -> int:
        """Memory needed in addition to the image and the weights, which are in memory already."""
        return (self.network_bytes or 0) + self.answer_bytes

    def describe(self) -> dict[str, Any]:
        """The plan in plain values: windows, their size and halo in voxels, and bytes."""
        return {
            "windows": self.layout.count,
            "window_size": list(self.layout.size),
            "halo": None if self.layout.halo is None else list(self.layout.halo),
            "windows_per_batch": self.batch_size,
            "needed_bytes": self.needed_bytes,
            "network_bytes": self.network_bytes,
            "answer_bytes": self.answer_bytes,
            "image_bytes": self.image_bytes,
            "file_bytes": self.file_bytes,
        }

    def __str__(self) -> str:
        halo = "" if self.layout.halo is None else f", halo {_format_sizes(self.layout.halo)}"
        network = "unknown" if self.network_bytes is None else format_bytes(self.network_bytes)
        file = f"; {format_bytes(self.file_bytes)} on the disk" if self.file_bytes else ""
        needed = f"at most {format_bytes(self.needed_bytes)} (network {network}"
        return (
            f"{count_noun(self.layout.count, 'window')} of {_format_sizes(self.layout.size)}"
            f"{halo}, {self.batch_size} at a time; memory: {needed}, result "
            f"{format_bytes(self.answer_bytes)}); the image takes another "
            f"{format_bytes(self.image_bytes)}{file}"
        )


def _format_sizes(numbers: Sequence[int]) -> str:
    return "x".join(map(str, numbers))


def estimate_network_bytes(
    network: Callable[..., Tensor], shape: Sequence[int]
) -> tuple[int | None, int | None]:
    """Memory of a pass over windows (B, C, *spatial), and the channels of the logits.

    Both are None where the network's layers are not known (a plain function), or cannot be run
    without memory (TorchScript).
    """
    module = find_layers(network)
    if module is None or isinstance(module, torch.jit.ScriptModule):
        return None, None
    backend, dtype = find_backend_and_dtype(network)
    tensors = measure_footprint(module, shape, dtype=dtype)
    known = WORKSPACE if isinstance(module, NestedUNet | Ensemble) else {}
    factor = known.get((backend, dtype), WORKSPACE_ELSE)
    reserve = RESERVE_BYTES.get(backend, RESERVE_ELSE)
    reserve += LOGITS.get(backend, 0) * count_float32_bytes(shape, tensors.out_channels)
    return ceil(tensors.peak_bytes * factor) + reserve, tensors.out_channels


def count_float32_bytes(shape: Sequence[int], channels: int) -> int:
    """Bytes of windows (B, C, *spatial) with this number of channels in float32."""
    return 4 * shape[0] * channels * prod(shape[2:])


def find_backend_and_dtype(network: Callable[..., Tensor]) -> tuple[str, torch.dtype]:
    """The backend and the type that a network is computed in."""
    if isinstance(network, Predictor):
        return network.backend, network.precision
    weight = _find_first_weight(network)
    return "eager", torch.float32 if weight is None else weight.dtype


def find_device(network: Callable[..., Tensor]) -> torch.device | None:
    """Where a network is computed; None where that is unknown."""
    if isinstance(network, Predictor):
        return network.device
    weight = _find_first_weight(network)
    return None if weight is None else weight.device


def _find_first_weight(network: Callable[..., Tensor]) -> Tensor | None:
    return next(network.parameters(), None) if isinstance(network, nn.Module) else None


def free_bytes(device: torch.device) -> int | None:
    """Memory that a device still has; None where the system does not tell."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + unused)
    return find_available_bytes()


def parse_bytes(text: int | str) -> int:
    """Read a number of bytes: a number, or a text with a unit.

    Raises:
        ValueError: it is neither.

    Example:
        >>> parse_bytes("6 GiB"), parse_bytes("1.5GB")
        (6442450944, 1500000000)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(text))
    if match is None or match[2].upper() not in _UNITS:
        raise ValueError(
            f"{text!r} is not an amount of memory: write bytes, or a number with its unit, "
            "such as 6GiB"
        )
    return int(float(match[1]) * _UNITS[match[2].upper()])


def format_bytes(size: int, rounded: Callable[[float], int] = ceil) -> str:
    """A number of bytes as text, in KiB, MiB or GiB.

    Round up what is needed, and down what is free: the two texts then differ if more is needed.

    Example:
        >>> format_bytes(3_000_000), format_bytes(3_000_000, int), format_bytes(6_000_000_000)
        ('3 MiB', '2 MiB', '5.59 GiB')
    """
    for unit, name in ((2**10, "KiB"), (2**20, "MiB")):
        if size < 2**10 * unit:
            return f"{rounded(size / unit)} {name}"
    return f"{rounded(size / GIB * 100) / 100:.2f} GiB"
