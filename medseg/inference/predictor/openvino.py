"""OpenVINO: convert a network to a model of OpenVINO."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from medseg.base.arguments import repeat_per_axis
from medseg.networks.output import require_one_tensor


def convert(network: nn.Module, shape: Sequence[int]) -> Any:
    """OpenVINO's model of a network, whose batch and spatial axes are free.

    It is traced at the smallest size that has two voxels at the deepest level, since one there has
    no variance, and instance norm refuses it. Its convolutions of concatenated maps are split, see
    `split_concatenations`.

    Args:
        network: in eval, on the CPU, with weights in float32; takes images (B, C, *spatial).
        shape: of such images; only the channels and the number of axes count.

    Raises:
        TypeError: the network gives anything but one tensor.
    """
    import openvino

    stride = repeat_per_axis(getattr(network, "total_stride", 32), len(shape[2:]), "total_stride")
    example = torch.zeros(1, shape[1], *(2 * int(step) for step in stride))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of checks on the size, which the trace passes once
        require_one_tensor(network(example))
        trace = torch.jit.trace(network, example, check_trace=False, strict=False)
        model = openvino.convert_model(trace, example_input=example)
    model.reshape([-1, shape[1], *[-1] * len(stride)])  # OpenVINO leaves all axes free
    split_concatenations(model)
    return model


def split_concatenations(model: Any) -> int:
    """Replace convolutions of concatenated maps by the sum of the convolutions of each map.

    Convolution is linear, so the answer is the same within rounding, and the concatenation, in
    UNet++ the largest map of all, is never held: OpenVINO adds each part to the sum as it computes
    it. Where something else reads a concatenation, it is held all the same, and stays.

    Returns:
        How many convolutions were split.
    """
    split = 0
    while count := _split(model):  # maps that were joined twice are split one by one
        split += count
    model.validate_nodes_and_infer_types()
    return split


def _split(model: Any) -> int:
    """Split the convolutions of concatenations that there are now, and count them.

    On return nothing here refers to what was replaced, or it would count as a reader still.
    """
    import openvino

    nodes = [node for node in model.get_ordered_ops() if _is_splittable(node)]
    for node in nodes:
        openvino.utils.replace_node(node, _make_sum_of_parts(node))
    return len(nodes)


def _is_splittable(node: Any) -> bool:
    """Whether a node is a convolution of channels joined for nothing but such convolutions."""
    if not _has_weights(node):
        return False
    joined = node.input_value(0).get_node()
    if joined.get_type_name() != "Concat":
        return False
    shapes = [part.get_partial_shape() for part in joined.input_values()]
    if any(shape.rank.is_dynamic or shape[1].is_dynamic for shape in shapes):
        return False
    if joined.get_attributes()["axis"] not in (1, 1 - shapes[0].rank.get_length()):
        return False
    readers = [reader.get_node() for reader in joined.output(0).get_target_inputs()]
    return all(_has_weights(reader) for reader in readers)


def _has_weights(node: Any) -> bool:
    """Whether a node is a plain convolution whose weights are constants."""
    kind = node.get_type_name()
    return kind == "Convolution" and node.input_value(1).get_node().get_type_name() == "Constant"


def _make_sum_of_parts(node: Any) -> Any:
    from openvino import opset13 as ops

    joined, weights = (node.input_value(place).get_node() for place in (0, 1))
    keys = ("strides", "pads_begin", "pads_end", "dilations", "auto_pad")
    settings = {key: value for key, value in node.get_attributes().items() if key in keys}
    total, first = None, 0
    for part in joined.input_values():
        stop = first + part.get_partial_shape()[1].get_length()
        own = ops.constant(weights.data[:, first:stop].copy())
        answer = ops.convolution(part, own, **settings)
        total = answer if total is None else ops.add(total, answer)
        first = stop
    return total
