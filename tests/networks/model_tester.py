"""Model tester: what every network of the family promises, whatever its options."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from medseg.losses import HybridLoss
from medseg.networks import NestedUNet, load_weights
from medseg.networks.padding import crop


def head_logits(network: NestedUNet, image: Tensor) -> dict[int, Tensor]:
    """Logits of each head in eval mode, by column, caught on the way; cropped to the image."""
    caught: dict[int, Tensor] = {}
    size = list(image.shape[2:])
    hooks = [
        network.nodes[head.key].head.register_forward_hook(
            lambda _, __, logits, column=head.column: caught.update({column: crop(logits, size)})
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
    assert len(heads) == len(network.topology.heads)
    with torch.no_grad():
        mean = sum(heads.values()) / len(heads)
        torch.testing.assert_close(network.eval()(image), mean)
        for level in network.topology.levels:
            assert torch.equal(network.prune(level).eval()(image), heads[level])


def assert_levels(network: NestedUNet, build: Callable[[int], NestedUNet], image: Tensor) -> None:
    """`level` builds what `prune` leaves, and takes the weights of the whole and of the part."""
    for level in network.topology.levels:
        pruned, built = network.prune(level).eval(), build(level).eval()
        assert list(built.state_dict()) == list(pruned.state_dict())
        assert built.topology == pruned.topology
        assert built.level == pruned.level == level
        assert built.total_stride == pruned.total_stride
        assert not built.deep_supervision
        with torch.no_grad():
            expected = pruned(image)
            assert torch.equal(load_weights(built, network.state_dict())(image), expected)
        load_weights(built, pruned.state_dict())


def assert_programs(network: NestedUNet, image: Tensor, other: Tensor) -> None:
    """TorchScript, by script and by trace, gives the same logits, at another size too."""
    network.eval()
    for program in (torch.jit.script(network), torch.jit.trace(network, image)):
        with torch.no_grad():
            assert torch.equal(program(other), network(other))


def assert_export(network: NestedUNet, image: Tensor, other: Tensor) -> None:
    """A program of torch.export with free spatial axes gives the same logits at another size."""
    network.eval()
    axes = dict.fromkeys(range(2, image.ndim), torch.export.Dim.DYNAMIC)
    program = torch.export.export(network, (image,), dynamic_shapes=(axes,))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(other), network(other))


def assert_compiles(network: NestedUNet, image: Tensor) -> None:
    """torch.compile finds no graph break, in training nor in eval."""
    for training in (True, False):
        network.train(training)
        torch.compiler.reset()
        compiled = torch.compile(network, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(image), network(image))


def assert_learns(network: NestedUNet, image: Tensor, label: Tensor) -> None:
    """A few steps of deep supervision bring the loss of every head down by a third of its room."""
    loss = HybridLoss(activation="sigmoid")
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)

    def losses() -> list[Tensor]:
        outputs = network.train()(image)
        heads = outputs if isinstance(outputs, list) else [outputs]
        return [loss(logits, label) for logits in heads]

    before = losses()
    for _ in range(30):
        optimizer.zero_grad()
        torch.stack(losses()).sum().backward()
        optimizer.step()
    for first, last in zip(before, losses(), strict=True):
        assert last - loss.minimum < 2 / 3 * (first - loss.minimum)
