"""Block: one node of a topology as a layer, which rescales its inputs and convolves them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Block(nn.Module):
    """One node: rescales its inputs to its level, concatenates and convolves them.

    Args:
        sources: keys of the maps that it reads.
        rescale: what brings each of them to the node's level.
        convolutions: one or two, applied to the concatenation in turn.
        dropout: applied last; None for none.
        head: what maps its features to logits, None for none; called by the network.
        guide: what tells the classes present from its features, likewise.

    Attributes:
        last_reads: keys of the maps that no later node reads; they are let go once gathered.
        is_read: whether any later node reads this one.
        checkpointing: in training, keep none of the maps inside the node, and compute them once
            more for the gradient.
    """

    last_reads: list[str]

    def __init__(
        self,
        sources: Sequence[str],
        rescale: Sequence[nn.Module],
        *,
        convolutions: Sequence[nn.Module],
        dropout: nn.Module | None = None,
        head: nn.Module | None = None,
        guide: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.sources = tuple(sources)
        self.rescale = nn.ModuleList(rescale)
        self.first = convolutions[0]
        self.second = convolutions[1] if len(convolutions) > 1 else nn.Identity()
        self.dropout = nn.Identity() if dropout is None else dropout
        self.head = head
        self.guide = guide
        self.last_reads = []
        self.is_read = True
        self.checkpointing = False

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """Compute the node's map, and release the maps in `features` that it reads last."""
        # torch documents is_scripting but does not list it; TorchScript allows no comment there
        if not torch.jit.is_scripting() and self._does_recompute():  # type: ignore[attr-defined]
            maps = [features[source] for source in self.sources]
            self._release(features)
            return recompute(self, self._compute, maps)
        return self._convolve(self._gather(features))

    def _does_recompute(self) -> bool:
        return self.checkpointing and self.training and not torch.compiler.is_compiling()

    def _gather(self, features: dict[str, Tensor]) -> Tensor:
        """Concatenate the inputs, and release those that no later node reads."""
        parts = [rescale(features[self.sources[k]]) for k, rescale in enumerate(self.rescale)]
        self._release(features)
        return torch.cat(parts, 1)

    def _release(self, features: dict[str, Tensor]) -> None:
        for source in self.last_reads:
            del features[source]

    def _convolve(self, joined: Tensor) -> Tensor:
        return self.dropout(self.second(self.first(joined)))

    def _compute(self, *maps: Tensor) -> Tensor:
        parts = [rescale(each) for rescale, each in zip(self.rescale, maps, strict=True)]
        return self._convolve(torch.cat(parts, 1))


class Tap(nn.Module):
    """A node whose map the network's encoder has computed: passes it on under the node's own key.

    Arguments and attributes are those of `Block`.
    """

    last_reads: list[str]

    def __init__(
        self,
        source: str,
        *,
        dropout: nn.Module | None = None,
        head: nn.Module | None = None,
        guide: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.source = source
        self.dropout = nn.Identity() if dropout is None else dropout
        self.head = head
        self.guide = guide
        self.last_reads = []
        self.is_read = True
        self.checkpointing = False

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """Give the map of the encoder, and release the maps that are read last here."""
        for source in self.last_reads:
            del features[source]
        return self.dropout(features[self.source])


def recompute(module: nn.Module, function: Callable, inputs: Sequence[Tensor]) -> Tensor:
    """Call a function of a module, which the backward pass calls again where it needs the result.

    The second call draws the same dropout, and works on copies of the module's buffers, so that
    running statistics move once a step.

    Args:
        module: whose buffers the function may change.
        function: maps tensors to a tensor or to a list of them.
        inputs: its arguments, kept until the backward pass.

    Source: Chen, Xu, Zhang and Guestrin 2016, "Training Deep Nets with Sublinear Memory Cost".
    """
    return checkpoint(
        function,
        *inputs,
        use_reentrant=False,
        context_fn=lambda: (contextlib.nullcontext(), _use_copied_buffers(module)),
    )


@contextlib.contextmanager
def _use_copied_buffers(module: nn.Module) -> Iterator[None]:
    owners = [(child, dict(child._buffers)) for child in module.modules() if child._buffers]
    for child, buffers in owners:
        child._buffers = {k: b if b is None else b.clone() for k, b in buffers.items()}
    try:
        yield
    finally:
        for child, buffers in owners:
            child._buffers = buffers
