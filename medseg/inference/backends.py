"""Backends: the ways to run a network, each a function from images to logits.

Each is made from a network in any mode, of which it takes a copy, a device and a type to compute
in, and maps (B, C, *spatial) to logits on the images' device.
"""

import copy
import importlib.util
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medseg.networks.export import export
from medseg.networks.folding import fold_batch_norm
from medseg.networks.nested import NestedUNet

SHAPES_KEPT = 4
"""Shapes of windows for which OpenVINO keeps a network compiled, each with its own memory."""

Run = Callable[[Tensor], Tensor]


def eager(network: nn.Module, device: torch.device, precision: torch.dtype) -> Run:
    """PyTorch as it comes: batch norm folded, autocast, on a GPU channels last."""
    return _autocast(_laid_out(network, device), device, precision)


def compiled(network: nn.Module, device: torch.device, precision: torch.dtype) -> Run:
    """`torch.compile`, on a GPU with CUDA graphs; the first window of a shape takes long."""
    mode = "reduce-overhead" if device.type == "cuda" else None
    fast = torch.compile(_laid_out(network, device), mode=mode, dynamic=False)
    run = _autocast(fast, device, precision)
    return lambda images: run(images).clone()  # a CUDA graph writes its next answer to that place


class OpenVino:
    """OpenVINO on the CPU: converted once, compiled for each shape of images that comes.

    Args:
        network: in any mode.
        device: the CPU.
        precision: float32 or bfloat16.
    """

    def __init__(self, network: nn.Module, device: torch.device, precision: torch.dtype) -> None:
        self.network = copy.deepcopy(network).cpu().eval()
        self.settings = {
            "INFERENCE_PRECISION_HINT": {torch.float32: "f32", torch.bfloat16: "bf16"}[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
        }
        self._model: Any = None
        self._requests: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def __call__(self, images: Tensor) -> Tensor:
        request = self._request(tuple(images.shape))
        given = images.detach().float().cpu().contiguous().numpy()
        answer = request.infer({0: given}, share_inputs=True, share_outputs=True)
        logits = torch.from_numpy(answer[0]).clone()  # the next answer is written to that place
        return logits.to(images.device)

    def _request(self, shape: tuple[int, ...]) -> Any:
        """What computes images of a shape; that of the shape least recently used is let go."""
        if shape in self._requests:
            self._requests.move_to_end(shape)
            return self._requests[shape]
        if self._model is None:
            self._model = _converted(self.network, shape)
        while len(self._requests) >= SHAPES_KEPT:
            self._requests.popitem(last=False)
        model = self._model.clone()
        model.reshape(list(shape))
        compiled_model = _core().compile_model(model, "CPU", self.settings)
        self._requests[shape] = compiled_model.create_infer_request()
        return self._requests[shape]


class OnnxRuntime:
    """ONNX Runtime on the CPU, in float32, from the file that `medseg.networks.export` writes.

    Args:
        network: a `NestedUNet`.
        device: the CPU.
        precision: float32.

    Raises:
        ValueError: another kind of network, or a package that the file needs is not installed.
    """

    def __init__(self, network: nn.Module, device: torch.device, precision: torch.dtype) -> None:
        if not isinstance(network, NestedUNet):
            raise ValueError(
                f"the backend onnxruntime runs a NestedUNet, got {type(network).__name__}: "
                "choose another backend"
            )
        with tempfile.TemporaryDirectory() as folder:
            file = export(network, Path(folder) / "network.onnx").read_bytes()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(file, options, providers=providers)

    def __call__(self, images: Tensor) -> Tensor:
        given = images.detach().float().cpu().contiguous().numpy()
        return torch.from_numpy(self._session.run(None, {"image": given})[0]).to(images.device)


BACKENDS: dict[str, Callable[[nn.Module, torch.device, torch.dtype], Run]] = {
    "eager": eager,
    "compile": compiled,
    "openvino": OpenVino,
    "onnxruntime": OnnxRuntime,
}

PRECISIONS = {
    ("eager", "cpu"): (torch.float32, torch.bfloat16),
    ("compile", "cpu"): (torch.float32, torch.bfloat16),
    ("openvino", "cpu"): (torch.float32, torch.bfloat16),
    ("onnxruntime", "cpu"): (torch.float32,),
    ("eager", "cuda"): (torch.float32, torch.bfloat16, torch.float16),
    ("compile", "cuda"): (torch.float32, torch.bfloat16, torch.float16),
}
"""What each backend computes in on each kind of device; a pair that is not here is not offered."""


def installed(backend: str) -> bool:
    """Whether the packages of a backend are there."""
    needed = {"openvino": ("openvino",), "onnxruntime": ("onnx", "onnxscript", "onnxruntime")}
    return all(importlib.util.find_spec(name) for name in needed.get(backend, ()))


@cache
def _core() -> Any:
    """OpenVINO's core, one for the process: its libraries are unloaded with the last one."""
    import openvino

    return openvino.Core()


def _laid_out(network: nn.Module, device: torch.device) -> nn.Module:
    """A copy with its batch norm folded, on a GPU in the layout that its convolutions are for."""
    folded = fold_batch_norm(network).to(device)
    if device.type == "cuda":
        for module in folded.modules():
            weight = getattr(module, "weight", None)
            if isinstance(weight, nn.Parameter) and weight.ndim in (4, 5):
                weight.data = weight.data.contiguous(memory_format=_channels_last(weight.ndim))
    return folded


def _autocast(network: Run, device: torch.device, precision: torch.dtype) -> Run:
    """Run a network in the precision, on the device; the answer is where the images were."""

    def run(images: Tensor) -> Tensor:
        given = images.to(device)
        if device.type == "cuda":
            given = given.contiguous(memory_format=_channels_last(given.ndim))
        reduced = precision != torch.float32
        with torch.no_grad(), torch.autocast(device.type, precision, enabled=reduced):
            return network(given).to(images.device)

    return run


def _channels_last(ndim: int) -> torch.memory_format:
    return torch.channels_last if ndim == 4 else torch.channels_last_3d


def _converted(network: nn.Module, shape: Sequence[int]) -> Any:
    """OpenVINO's model of a network, whose batch and spatial axes are free.

    It is traced at the smallest size that has two voxels at the deepest level, since one there has
    no variance, and instance norm refuses it.
    """
    import openvino

    stride = getattr(network, "total_stride", [32] * len(shape[2:]))
    example = torch.zeros(1, shape[1], *(2 * int(step) for step in stride))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of checks on the size, which the trace passes once
        return openvino.convert_model(network, example_input=example)
