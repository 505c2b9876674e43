"""Backends: the ways to run a network, each a function from images to logits.

Each is made from a network in any mode, of which it takes a copy, a device and a type to compute
in, and maps (B, C, *spatial) to logits on the images' device. What takes long is done at the first
images, not at making.
"""

import copy
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from functools import cache
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from medseg.base.scratch import make_scratch_folder
from medseg.inference.predictor.fuse_norms import fuse_batch_norm
from medseg.inference.predictor.openvino import convert
from medseg.networks import to_device
from medseg.networks.device import gains_by_bfloat16
from medseg.networks.export import export
from medseg.networks.nested import NestedUNet

Run = Callable[[Tensor], Tensor]


def prepare_eager(network: nn.Module, device: torch.device, precision: torch.dtype) -> Run:
    """PyTorch as it comes: batch norm fused, autocast, laid out as `to_device` does."""
    return _use_autocast(to_device(fuse_batch_norm(network), device), device, precision)


def compile_network(network: nn.Module, device: torch.device, precision: torch.dtype) -> Run:
    """`torch.compile`, on a GPU with CUDA graphs.

    It compiles for each shape of images, which takes seconds on a CPU, in 3D some twenty, and for
    eight of them in a process (`torch._dynamo.config.recompile_limit`): others run as they do in
    PyTorch, after a warning.
    """
    mode = "reduce-overhead" if device.type == "cuda" else None
    fast = torch.compile(to_device(fuse_batch_norm(network), device), mode=mode, dynamic=False)
    run = _use_autocast(fast, device, precision)
    if device.type != "cuda":
        return run
    return lambda images: run(images).clone()  # a CUDA graph writes its next answer to that place


class OpenVino:
    """OpenVINO on the CPU: converted once, compiled for the shape of images that comes.

    It is compiled anew for each other shape, which takes tenths of a second; one at a time is kept,
    since each has memory of its own. A smaller batch after a larger one, as the last of an image
    is, is filled up instead.

    Args:
        network: in any mode.
        device: the CPU.
        precision: float32 or bfloat16.
    """

    def __init__(self, network: nn.Module, device: torch.device, precision: torch.dtype) -> None:
        self._model: Any = fuse_batch_norm(network).cpu().float()  # until it is converted
        self.settings = {
            "INFERENCE_PRECISION_HINT": {torch.float32: "f32", torch.bfloat16: "bf16"}[precision],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
        }
        self.shape: tuple[int, ...] = ()
        self._request: Any = None
        self._filled = False

    def __call__(self, images: Tensor) -> Tensor:
        given = images.detach().float().cpu().contiguous().numpy()
        part = given.shape[1:] == self.shape[1:] and len(given) < self.shape[0]
        if given.shape != self.shape and (self._filled or not part):
            self._compile(given.shape)
        self._filled = given.shape != self.shape
        if self._filled:
            given = np.concatenate([given, np.zeros_like(given, shape=self._find_rest(given))])
        answer = self._request.infer({0: given}, share_inputs=True, share_outputs=True)
        logits = torch.from_numpy(answer[0])[: len(images)]
        return logits.clone().to(images.device)  # the next answer is written to that place

    def _find_rest(self, given: np.ndarray) -> tuple[int, ...]:
        return (self.shape[0] - len(given), *self.shape[1:])

    def _compile(self, shape: tuple[int, ...]) -> None:
        if isinstance(self._model, nn.Module):
            self._model = convert(self._model, shape)
        self._request = None  # its memory goes first
        model = self._model.clone()
        model.reshape(list(shape))
        compiled_model = _get_core().compile_model(model, "CPU", self.settings)
        self._request, self.shape = compiled_model.create_infer_request(), tuple(shape)


class OnnxRuntime:
    """ONNX Runtime on the CPU, in float32, from the file that `medseg.networks.export` writes.

    Args:
        network: a `NestedUNet`.
        device: the CPU.
        precision: float32.

    Raises:
        ValueError: another kind of network; in `__call__`, what `export` refuses.
    """

    def __init__(self, network: nn.Module, device: torch.device, precision: torch.dtype) -> None:
        if not isinstance(network, NestedUNet):
            raise ValueError(
                f"the backend onnxruntime needs a NestedUNet, got {type(network).__name__}: "
                "choose another backend"
            )
        self._session: Any = copy.deepcopy(network).cpu()  # until it is exported

    def __call__(self, images: Tensor) -> Tensor:
        if isinstance(self._session, nn.Module):
            self._session = _open_session(cast(NestedUNet, self._session))
        given = images.detach().float().cpu().contiguous().numpy()
        return torch.from_numpy(self._session.run(None, {"image": given})[0]).to(images.device)


BACKENDS: dict[str, Callable[[nn.Module, torch.device, torch.dtype], Run]] = {
    "eager": prepare_eager,
    "compile": compile_network,
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


NEEDS = {
    "compile": "a C++ compiler: install g++ (clang++ on macOS), or name yours in CXX",
    "openvino": "its packages: pip install 'medseg[fast]'",
    "onnxruntime": "its packages: pip install 'medseg[export]'",
}
"""What a backend needs that PyTorch does not bring, and how to get it."""


def list_packages(backend: str) -> tuple[str, ...]:
    """The packages by which a backend computes, beside PyTorch."""
    return {"openvino": ("openvino",), "onnxruntime": ("onnxruntime",)}.get(backend, ())


def list_precisions(backend: str, device: torch.device) -> tuple[torch.dtype, ...]:
    """What a backend computes in on this machine's device; nothing where it does not run there.

    OpenVINO takes bfloat16 for a hint: a CPU without it in hardware would compute in float32.

    Example:
        >>> list_precisions("onnxruntime", torch.device("cpu"))
        (torch.float32,)
    """
    offered = PRECISIONS.get((backend, device.type), ())
    if backend == "openvino" and not gains_by_bfloat16(device):
        return tuple(kind for kind in offered if kind != torch.bfloat16)
    return offered


def is_installed(backend: str, kind: str = "cpu") -> bool:
    """Whether what a backend needs on a kind of device is there: packages, or a C++ compiler."""
    if backend == "compile" and kind == "cpu":
        usual = "clang++" if sys.platform == "darwin" else "g++"
        return shutil.which(os.environ.get("CXX", usual)) is not None
    needed = {"openvino": ("openvino",), "onnxruntime": ("onnx", "onnxscript", "onnxruntime")}
    return all(importlib.util.find_spec(name) for name in needed.get(backend, ()))


@cache
def _get_core() -> Any:
    """OpenVINO's core, one for the process: its libraries are unloaded with the last core."""
    import openvino

    return openvino.Core()


def _use_autocast(network: Run, device: torch.device, precision: torch.dtype) -> Run:
    """Run a network in the precision on the device, and return logits on the images' device."""

    def run(images: Tensor) -> Tensor:
        reduced = precision != torch.float32
        with torch.no_grad(), torch.autocast(device.type, precision, enabled=reduced):
            return network(images.to(device)).to(images.device)

    return run


def _open_session(network: NestedUNet) -> Any:
    """ONNX Runtime's session of a network."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # earlier versions know no variable for it
    with make_scratch_folder() as folder:
        file = export(network, folder / "network.onnx").read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
