"""A small network, and plans without the reserve that would outweigh it."""

import pytest

from medseg.inference.tiles import memory_plan
from medseg.networks import NestedUNet


@pytest.fixture(scope="module")
def network():
    return NestedUNet(3, 1, 3, channels=(8, 16, 32), norm="batch").eval()


@pytest.fixture
def windows_alone(monkeypatch):
    """The reserve is more than all these small networks take."""
    monkeypatch.setattr(memory_plan, "RESERVE_ELSE", 0)
    monkeypatch.setattr(memory_plan, "RESERVE_BYTES", {})
