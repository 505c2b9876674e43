"""Export: write a NestedUNet as ONNX, torch.export program or TorchScript, and check the file."""

from __future__ import annotations

import copy
import importlib.util
import io
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule

from medseg.base.files import whole
from medseg.networks.nested import NestedUNet
from medseg.networks.script_archive import rewrite_archive

INPUT, OUTPUT = "image", "pred"
"""Names of the one input and the one output, as in the metadata of a bundle."""

AXES = ("height", "width", "depth")
"""Names of the spatial axes in an ONNX file, in the order of the tensor; the first is "batch"."""

OPSET = 18
"""Operator set of the ONNX files."""

TOLERANCE = 1e-4
"""Largest difference between file and network, absolute, and relative for logits above 1."""

ONNX_BYTES = 2**31 - 1
"""Largest ONNX file: protobuf refuses more."""

ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")

Program = Callable[[Tensor], Tensor]


class Format(NamedTuple):
    """How a kind of file is written from a network, and read as what maps images to logits."""

    write: Callable[[NestedUNet, Path], None]
    read: Callable[[Path], Program]


def export(
    network: NestedUNet,
    path: str | os.PathLike[str],
    *,
    configs: Mapping[str, str] | None = None,
) -> Path:
    """Write a network, whole or pruned, into a file that runs without medseg.

    The suffix chooses the format: ".onnx" for ONNX (operator set 18), ".pt2" for a program of
    `torch.export`, ".ts" for TorchScript. The file maps one float32 image (B, in_channels,
    *spatial) to one tensor of logits (B, out_channels, *spatial), as the network does in eval: the
    mean of the heads, or the one head that `prune` left. It takes any batch from 1 and any spatial
    size that the network takes: multiples of its total stride, with `pad_input` all sizes, and with
    unpadded convolutions those of `NestedUNet`. Only in a ".pt2", with "same" padding, an axis is
    longer than one total stride, since torch.export treats a length of 1 as a constant. There is no
    upper limit. In ONNX the tensors are called "image" and "pred", their axes "batch", "height",
    "width" and "depth".

    The file is read again and compared with the network, at a size and a batch that it was not
    written at; one that disagrees is not kept, and what `path` held before is still there.

    Args:
        network: on any device, in either mode and any floating type; left as it is. A copy on the
            CPU, in eval and float32, is what is written.
        path: the file to write; its folder is made if absent.
        configs: texts by file name, such as "inference.json", that a ".ts" file carries in its
            folder `extra/`, where MONAI and MONAI Deploy look for them.

    Returns:
        The file that was written.

    Raises:
        ValueError: another suffix, configs for a file that cannot carry them, a package that ONNX
            needs is not installed, weights beyond the 2 GiB of an ONNX file, or weights that are
            not finite.
        RuntimeError: the file gives other logits than the network.

    Example:
        >>> network = NestedUNet(2, 1, 2, channels=(8, 16, 32), deep_supervision=True)
        >>> export(network.prune(1), "fast.onnx")  # doctest: +SKIP
        PosixPath('fast.onnx')

    Source: ONNX operator set 18; torch.export's "Dynamic shapes" for the length of 1.
    """
    target = Path(path)
    if target.suffix not in FORMATS:
        raise ValueError(
            f"the name of an export must end in one of {', '.join(FORMATS)}, got {target.name!r}: "
            "choose one of them"
        )
    if configs and target.suffix != ".ts":
        raise ValueError(f"only a .ts file carries configs, not {target.name}: leave them out")
    model = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    _check_finite(model)
    format_ = FORMATS[target.suffix]
    with whole(target) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on torch's own deprecations; its errors pass
        format_.write(model, partial)
        if target.suffix == ".ts":
            rewrite_archive(partial, configs or {}, root=target.stem)
        _check_parity(model, format_.read(partial), name=target.name)
    return target


def _make_program(model: NestedUNet) -> ExportedProgram:
    """The network as a graph whose batch and spatial axes are free.

    Its nodes do not say in which files of this machine they were written.
    """
    spatial = range(2, 2 + len(model.total_stride))
    axes = {0: Dim("batch", min=1)} | dict.fromkeys(spatial, Dim.DYNAMIC)
    image = _make_image(model, batch=2, blocks=(2, 3, 4))
    program = torch.export.export(model, (image,), dynamic_shapes=(axes,))
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, GraphModule) else ():
            node.meta.pop("stack_trace", None)
    return program


def _write_program(model: NestedUNet, path: Path) -> None:
    content = io.BytesIO()  # on a full disk torch's own writing to a file kills the process
    torch.export.save(_make_program(model), content)
    path.write_bytes(content.getbuffer())


def _read_program(path: Path) -> Program:
    return torch.export.load(path).module()


def _write_onnx(model: NestedUNet, path: Path) -> None:
    _check_onnx(model)
    names = {0: "batch"} | dict(enumerate(AXES[: len(model.total_stride)], 2))
    torch.onnx.export(
        _make_program(model),
        f=path,
        dynamo=True,
        opset_version=OPSET,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=(names,),
        custom_translation_table={torch.ops.aten.remainder.Scalar: _compute_remainder},
        external_data=False,
        verbose=False,
    )


def _compute_remainder(dividend: Any, divisor: Any) -> Any:
    """ONNX for a remainder of integers by a number that depends on the size: onnxscript has none.

    With `padding` "valid" and `pad_input`, the image is mirrored that way.
    """
    from onnxscript import opset18

    return opset18.Mod(dividend, divisor)


def _read_onnx(path: Path) -> Program:
    from onnxruntime import InferenceSession, disable_telemetry_events

    disable_telemetry_events()  # earlier versions know no variable for it
    session = InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run([OUTPUT], {INPUT: image.numpy()})[0])


def _write_script(model: NestedUNet, path: Path) -> None:
    content = io.BytesIO()  # see `_write_program`
    torch.jit.save(torch.jit.script(model), content)
    path.write_bytes(content.getbuffer())


def _read_script(path: Path) -> Program:
    return torch.jit.load(path)


def _check_onnx(model: nn.Module) -> None:
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"an ONNX export needs {', '.join(ONNX_PACKAGES)}, not installed: "
            f"{', '.join(missing)}; pip install 'medseg[export]', or export to .pt2"
        )
    size = sum(tensor.nbytes for tensor in model.state_dict().values())
    if size > ONNX_BYTES:
        raise ValueError(
            f"an ONNX file must be smaller than 2 GiB, the weights have {size:,} bytes: export to "
            ".pt2"
        )


def _check_finite(model: nn.Module) -> None:
    for name, tensor in model.state_dict().items():
        if not tensor.isfinite().all():
            raise ValueError(
                f"the weights of an export must be finite, {name} is not: export an earlier "
                "checkpoint"
            )


def _check_parity(model: NestedUNet, program: Program, *, name: str) -> None:
    """Compare with the network at an image that the file has not seen."""
    image = _make_image(model, batch=1, blocks=(3, 2, 2))
    with torch.inference_mode():
        expected, got = model(image), program(image)
    if expected.shape == got.shape and torch.allclose(
        got, expected, rtol=TOLERANCE, atol=TOLERANCE
    ):
        return
    difference = (
        f"{(got - expected).abs().max():.3g}"
        if expected.shape == got.shape
        else f"shape {tuple(got.shape)} for {tuple(expected.shape)}"
    )
    others = ", ".join(suffix for suffix in FORMATS if suffix != Path(name).suffix)
    raise RuntimeError(
        f"an export must agree with its network within {TOLERANCE:g}, {name} is off by "
        f"{difference} at an image of shape {tuple(image.shape)} and was not kept: export to "
        f"{others}"
    )


def _make_image(model: NestedUNet, *, batch: int, blocks: Sequence[int]) -> Tensor:
    """A random image of that many total strides along each axis, the last one cut if it pads.

    What unpadded convolutions lose comes on top, up to the next size that divides at every level.
    """
    axes = zip(model.total_stride, blocks, model.margin, model.contraction, strict=False)
    size = [
        stride * (count - 1) + 1
        if model.pad_input
        else stride * count + 2 * margin + 2 * (contraction - margin) % stride
        for stride, count, margin, contraction in axes
    ]
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, model.in_channels, *size, generator=generator)


FORMATS = {
    ".onnx": Format(_write_onnx, _read_onnx),
    ".pt2": Format(_write_program, _read_program),
    ".ts": Format(_write_script, _read_script),
}
