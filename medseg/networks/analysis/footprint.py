"""Footprint: the memory that a pass of a network needs, worked out without computing it."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

from medseg.networks.output import require_one_tensor


class Footprint(NamedTuple):
    """What one forward pass needs.

    Attributes:
        peak_bytes: most bytes that the tensors of the pass take at a time, the image included.
            Weights are left out, and so is the workspace of single layers, which depends on the
            library that computes them.
        out_channels: of the logits.
    """

    peak_bytes: int
    out_channels: int


def measure_footprint(
    network: nn.Module, shape: Sequence[int], *, dtype: torch.dtype = torch.float32
) -> Footprint:
    """The footprint of a network in eval, which is run on the meta device, where tensors are empty.

    Args:
        network: in any mode and on any device; left as it is.
        shape: of the image, (B, C, *spatial).
        dtype: of the tensors.

    Raises:
        TypeError: it gives anything but one tensor.

    Example:
        >>> measure_footprint(nn.Conv2d(1, 2, 3, padding=1), (1, 1, 10, 10))  # 3 x 400 bytes
        Footprint(peak_bytes=1200, out_channels=2)
    """
    ghost = copy.deepcopy(network).to(device="meta", dtype=dtype).eval()
    image = torch.empty(tuple(shape), dtype=dtype, device="meta")
    with torch.no_grad(), _Watch(ghost, image) as watch:
        logits = require_one_tensor(ghost(image))
    return Footprint(watch.most, logits.shape[1])


class _Watch(TorchDispatchMode):
    """Adds up the storages that are alive after each operation."""

    def __init__(self, network: nn.Module, image: Tensor) -> None:
        super().__init__()
        self._weights = {_identify_storage(t) for t in (*network.parameters(), *network.buffers())}
        self._alive: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self.most = 0
        self._count_storage(image)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        answer = func(*args, **(kwargs or {}))
        for tensor in answer if isinstance(answer, tuple | list) else (answer,):
            if isinstance(tensor, Tensor):
                self._count_storage(tensor)
        return answer

    def _count_storage(self, tensor: Tensor) -> None:
        self._alive[tensor] = _identify_storage(tensor)
        sizes = dict(kept for kept in self._alive.values() if kept not in self._weights)
        self.most = max(self.most, sum(sizes.values()))


def _identify_storage(tensor: Tensor) -> tuple[int, int]:
    """An object that identifies the memory of a tensor, and its bytes."""
    storage = tensor.untyped_storage()
    return storage._cdata, storage.nbytes()
