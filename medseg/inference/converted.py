"""Converted: a network as a model of OpenVINO's."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from medseg.networks.folding import fold_batch_norm


def converted(network: nn.Module, shape: Sequence[int]) -> Any:
    """OpenVINO's model of a network in eval on the CPU, whose batch and spatial axes are free.

    It is traced at the smallest size that has two voxels at the deepest level, since one there has
    no variance, and instance norm refuses it. Its convolutions of concatenated maps are parted, see
    `part_concatenations`.

    Args:
        network: takes images (B, C, *spatial).
        shape: of such images; only the channels and the number of axes count.
    """
    import openvino

    stride = getattr(network, "total_stride", [32] * len(shape[2:]))
    example = torch.zeros(1, shape[1], *(2 * int(step) for step in stride))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of checks on the size, which the trace passes once
        trace = torch.jit.trace(fold_batch_norm(network), example, check_trace=False, strict=False)
        model = openvino.convert_model(trace, example_input=example)
    model.reshape([-1, shape[1], *[-1] * len(stride)])  # OpenVINO leaves all axes free
    part_concatenations(model)
    return model


def part_concatenations(model: Any) -> int:
    """Make each convolution of a concatenation the sum of its parts' own convolutions.

    Convolution is linear, so the answer is the same, and the concatenation, in UNet++ the largest
    map of all, is never held: OpenVINO adds each part to the sum as it computes it.

    Returns:
        How many convolutions were parted.
    """
    import openvino

    nodes = [node for node in model.get_ordered_ops() if _joins(node)]
    for node in nodes:
        openvino.utils.replace_node(node, _sum_of_parts(node))
    model.validate_nodes_and_infer_types()
    return len(nodes)


def _joins(node: Any) -> bool:
    """Whether a node is a convolution, with weights that are there, of maps concatenated."""
    if node.get_type_name() != "Convolution":
        return False
    joined, weights = (node.input_value(place).get_node() for place in (0, 1))
    return (
        joined.get_type_name() == "Concat"
        and joined.get_attributes()["axis"] == 1
        and weights.get_type_name() == "Constant"
    )


def _sum_of_parts(node: Any) -> Any:
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
