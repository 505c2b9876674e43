"""Predictor: a network and a device in, a fast function from images to logits out."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from monai.inferers import Inferer
from torch import Tensor, nn

from medseg.base.arguments import check_choice, require_bool
from medseg.inference.predictor.backends import (
    BACKENDS,
    NEEDS,
    PRECISIONS,
    Run,
    is_installed,
    list_precisions,
)
from medseg.inference.predictor.precision import find_fastest_precision
from medseg.networks.device import require_device

logger = logging.getLogger(__name__)

AUTO = "auto"

Made = TypeVar("Made")


class Predictor:
    """Maps images (B, C, *spatial) to logits as a network in eval does, and faster.

    Batch norm is fused into the convolutions, the type is bfloat16 where the device multiplies it,
    or float16 on a GPU with that alone, and the backend is OpenVINO on a CPU where it is installed
    (`pip install 'medseg[fast]'`), else PyTorch. The weights are those at the time of making; what
    takes long, to convert and to compile them, is done at the first images.

    Args:
        network: in any mode; left as it is.
        device: where it runs.
        backend: "eager" (PyTorch), "compile" (`torch.compile`, on a GPU with CUDA graphs),
            "openvino", "onnxruntime", or "auto" for the fastest that is there.
        precision: "float32", "bfloat16", "float16" (GPU), or "auto".

    Attributes:
        origin: the network that it was made from.
        backend: the one that was chosen.
        precision: the type that it computes in.

    Raises:
        ValueError: a device that is not there, or that no backend runs on; an unknown backend or
            precision, one that the device does not have, or whose packages are not installed; in
            `__call__`, an image that the network does not take.
        TypeError: anything but a network.

    Example:
        >>> network = NestedUNet(2, 1, 2, channels=(8, 16, 32))
        >>> Predictor(network, "cpu", backend="eager")(torch.zeros(1, 1, 64, 64)).shape
        torch.Size([1, 2, 64, 64])
    """

    def __init__(
        self,
        network: nn.Module,
        device: str | torch.device,
        *,
        backend: str = AUTO,
        precision: str = AUTO,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise TypeError(
                f"a Predictor must be made of a network, got {type(network).__name__}: pass an "
                "nn.Module"
            )
        self.origin = network
        self.device = require_device(device)
        self.backend = _choose_backend(backend, self.device)
        self.precision = _choose_precision(precision, self.backend, self.device)
        self._run: Run = BACKENDS[self.backend](network, self.device, self.precision)

    def __call__(self, images: Tensor) -> Tensor:
        """Logits (B, out_channels, *spatial), in the type of the precision or float32."""
        check = getattr(self.origin, "check_image", None)
        if check is not None:
            check(images)
        return self._run(images)

    def holds(self, shape: Sequence[int]) -> bool:
        """Whether the memory for images of this shape is in use already, but for their logits.

        So it is for OpenVINO, which keeps its own for the shape that it was compiled for.
        """
        return tuple(shape) == getattr(self._run, "shape", None)

    def __repr__(self) -> str:
        kind = str(self.precision).removeprefix("torch.")
        return f"Predictor({type(self.origin).__name__}, {self.device}, {self.backend}, {kind})"


class PredictorInferer(Inferer):
    """Runs another inferer with a `Predictor` in place of the network.

    The predictor is made at the first image, and again when the weights have changed since.

    Args:
        inferer: the inferer that is run. Its `level` is None: what was made fast cannot be pruned,
            so prune the network before.
        device: of the network.
        backend: see `Predictor`.
        enabled: False computes in float32; True in what `Predictor` chooses.

    Example:
        >>> PredictorInferer(OverlapTileInferer(512, halo=96), "cpu")(image, network)
    """

    def __init__(
        self,
        inferer: Inferer,
        device: str | torch.device,
        *,
        backend: str = AUTO,
        enabled: bool = True,
    ) -> None:
        super().__init__()
        self.inferer = inferer
        self.device = require_device(device)
        self.backend = _choose_backend(backend, self.device)
        self.precision = AUTO if require_bool(enabled, "mixed_precision") else "float32"
        self._predictors = CachedPerWeights(self._make)

    def __call__(self, inputs: Tensor, network: nn.Module, *args: Any, **kwargs: Any) -> Any:
        return self.inferer(inputs, self.make_predictor(network), *args, **kwargs)

    def plan(self, inputs: Tensor, network: nn.Module) -> Any:
        """What the inner inferer would compute and need, see `OverlapTileInferer.plan`.

        None for one that makes no plan.
        """
        plan = getattr(self.inferer, "plan", None)
        return None if plan is None else plan(inputs, self.make_predictor(network))

    def make_predictor(self, network: nn.Module) -> Predictor:
        """The predictor of a network with the weights that it has now."""
        return self._predictors(network)

    @property
    def last(self) -> Predictor | None:
        """The predictor that computed last; None before the first image."""
        return self._predictors.last

    def _make(self, network: nn.Module) -> Predictor:
        made = Predictor(network, self.device, backend=self.backend, precision=self.precision)
        kind = str(made.precision).removeprefix("torch.")
        logger.info("the network runs on %s by %s in %s", made.device, made.backend, kind)
        return made


class CachedPerWeights(Generic[Made]):
    """What is made of a network, and made again only when the network or its weights have changed.

    A change is noticed by the version of each tensor, which every change in place increases.
    Changes through `.data`, and of tensors that were made in `torch.inference_mode`, do not
    increase it and are not noticed. Kept are the last network and what was made of it.

    Args:
        make: what is made of a network.

    Example:
        >>> cached = CachedPerWeights(lambda network: object())
        >>> network = nn.Linear(1, 1)
        >>> cached(network) is cached(network)
        True
    """

    def __init__(self, make: Callable[[nn.Module], Made]) -> None:
        self.make = make
        self._last: tuple[nn.Module, tuple[tuple[int, int], ...], Made] | None = None

    @property
    def last(self) -> Made | None:
        """What was made last; None where nothing was."""
        return None if self._last is None else self._last[2]

    def __call__(self, network: nn.Module) -> Made:
        """What was made for these weights, or is made now."""
        tensors = network.state_dict(keep_vars=True).values()
        state = tuple((t.data_ptr(), 0 if t.is_inference() else t._version) for t in tensors)
        if self._last is None or self._last[0] is not network or self._last[1] != state:
            self._last = (network, state, self.make(network))
        return self._last[2]


def find_layers(network: Callable[..., Tensor]) -> nn.Module | None:
    """The module whose layers a network has; of a `Predictor`, the one it was made from.

    None where there is none, as for a plain function.
    """
    origin = network.origin if isinstance(network, Predictor) else network
    return origin if isinstance(origin, nn.Module) else None


def _choose_backend(name: str, device: torch.device) -> str:
    offered = [backend for backend in BACKENDS if (backend, device.type) in PRECISIONS]
    if not offered:
        kinds = dict.fromkeys(kind for _, kind in PRECISIONS)
        raise ValueError(
            f"no backend runs on device {str(device)!r}: pass a device of {' or '.join(kinds)}"
        )
    if name == AUTO:
        return _choose_fastest(offered)
    check_choice("backend", name, (AUTO, *BACKENDS))
    if name not in offered:
        raise ValueError(
            f"backend {name!r} does not run on device {str(device)!r}: "
            f"choose one of {', '.join([AUTO, *offered])}"
        )
    if not is_installed(name, device.type):
        raise ValueError(f"backend {name!r} needs {NEEDS[name]}")
    return name


def _choose_fastest(offered: Sequence[str]) -> str:
    return "openvino" if "openvino" in offered and is_installed("openvino") else "eager"


def _choose_precision(name: str, backend: str, device: torch.device) -> torch.dtype:
    offered = list_precisions(backend, device)
    if name == AUTO:
        fastest = find_fastest_precision(device)
        return fastest if fastest in offered else torch.float32
    names = {str(kind).removeprefix("torch."): kind for kind in offered}
    if name not in names:
        raise ValueError(
            f"precision of backend {backend!r} on this machine's {device.type} must be one of "
            f"{', '.join([AUTO, *names])}, got {name!r}: choose one"
        )
    return names[name]
