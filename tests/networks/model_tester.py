"""Model tester: what every network of the family promises, whatever its options."""

from __future__ import annotations

import torch
from torch import Tensor

from medseg.networks import NestedUNet


def head_logits(network: NestedUNet, image: Tensor) -> dict[int, Tensor]:
    """Logits of each head in eval mode, by level, caught on the way."""
    caught: dict[int, Tensor] = {}
    hooks = [
        network.nodes[head.key].head.register_forward_hook(
            lambda _, __, logits, level=head.column: caught.update({level: logits})
        )
        for head in network.topology.heads
    ]
    with torch.no_grad():
        network.eval()(image)
    for hook in hooks:
        hook.remove()
    return caught


def assert_shapes(network: NestedUNet, image: Tensor, *, out_channels: int) -> None:
    expected = (image.shape[0], out_channels, *image.shape[2:])
    logits = network.eval()(image)
    assert isinstance(logits, Tensor)
    assert logits.shape == expected
    assert logits.isfinite().all()
    outputs = network.train()(image)
    if network.deep_supervision:
        assert [head.shape for head in outputs] == [expected] * len(network.topology.heads)
    else:
        assert outputs.shape == expected


def assert_gradients(network: NestedUNet, image: Tensor) -> None:
    outputs = network.train()(image)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    network.zero_grad()
    sum(head.square().mean() for head in outputs).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def assert_modes(network: NestedUNet, image: Tensor) -> None:
    """Accurate mode is the mean of the heads; fast mode is one head, bit for bit."""
    heads = head_logits(network, image)
    with torch.no_grad():
        mean = sum(heads.values()) / len(heads)
        torch.testing.assert_close(network.eval()(image), mean)
        for level, logits in heads.items():
            assert torch.equal(network.prune(level).eval()(image), logits)
