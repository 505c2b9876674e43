"""Fixtures of the tests of scripts."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn


@pytest.fixture(scope="session")
def script(repository: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Loads a script by its name; it finds those beside it, as where it is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(repository / "scripts")
        yield importlib.import_module


@pytest.fixture
def torn() -> Callable[[nn.Module, Tensor], nn.Module]:
    """Shifts the last bias of a network, so that of an image it calls one half each of 2 classes.

    Label maps of random weights are empty otherwise, and all empty maps agree.
    """

    def shift(network: nn.Module, image: Tensor) -> nn.Module:
        with torch.no_grad():
            logits = network.eval()(image).transpose(0, 1).flatten(1)
            bias = next(v for k, v in network.named_parameters() if k.endswith("head.bias"))
            bias -= logits.median(1).values  # around 0, where bfloat16 is finest
        return network

    return shift
