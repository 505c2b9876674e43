"""Tests of medseg.networks.analysis.cost: counts that can be done on paper, and orders that must
hold."""

import pytest
import torch
from monai.inferers import SimpleInferer
from torch import nn

from medseg.networks import NestedUNet
from medseg.networks.analysis.cost import count_multiply_adds, measure, measure_peak_bytes


class Enlarge(nn.Module):
    """Holds one large map for a while and gives a small one."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.factor = factor

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        large = image.repeat(1, self.factor, 1, 1) + self.weight
        return large.sum(1, keepdim=True)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv2d(1, 2, 3, padding=1), (1, 1, 10, 10), 10 * 10 * 2 * 9),
        (nn.Conv3d(2, 3, (1, 3, 3), padding=(0, 1, 1)), (1, 2, 4, 5, 6), 4 * 5 * 6 * 2 * 3 * 9),
        (nn.ConvTranspose2d(3, 2, 2, stride=2), (1, 3, 5, 5), 10 * 10 * 3 * 2),
        (nn.Conv2d(1, 2, 3, padding=1), (4, 1, 10, 10), 4 * 10 * 10 * 2 * 9),
    ],
)
def test_multiply_adds_are_those_of_the_convolution(layer, shape, expected):
    assert count_multiply_adds(layer, shape) == expected


def test_multiply_adds_are_counted_without_computing():
    huge = (1, 1, 4096, 4096, 4096)
    assert count_multiply_adds(nn.Conv3d(1, 1, 3, padding=1), huge) == 27 * 4096**3


@pytest.mark.long
def test_each_deeper_level_costs_more_parameters_and_multiply_adds():
    network = NestedUNet(2, 1, 1, channels=(2, 4, 8, 16), deep_supervision=True).eval()
    levels = {f"L{level}": network.prune(level) for level in (1, 2, 3)}
    costs = list(measure(levels, (1, 1, 16, 16), forward=SimpleInferer(), repeats=1).values())
    assert [c.parameters for c in costs] == sorted({c.parameters for c in costs})
    assert [c.multiply_adds for c in costs] == sorted({c.multiply_adds for c in costs})
    assert all(cost.seconds > 0 for cost in costs)


def test_the_peak_is_what_a_pass_holds_at_once():
    mib = 2**20
    peak = measure_peak_bytes(Enlarge(64), (1, 1, 512, 512), forward=SimpleInferer())
    assert 1.9 * 64 * mib < peak < 2.2 * 64 * mib  # 64 maps of 1 MiB, repeated, then added to


def test_neither_weights_nor_kernels_count_in_the_peak():
    network = NestedUNet(2, 1, 1, channels=(16, 32, 512), norm="batch").eval()
    weights = sum(p.numel() * 4 for p in network.parameters())
    assert weights > 9 * 2**20
    assert measure_peak_bytes(network, (1, 1, 16, 16), forward=SimpleInferer()) < weights / 4


def test_networks_are_timed_in_turns_and_the_first_turn_does_not_count():
    order = []

    def forward(image, network):
        order.append(network.name)
        return network(image)

    def named(name):
        network = nn.Conv2d(1, 1, 1)
        network.name = name
        return network

    from medseg.networks.analysis.cost import measure_seconds

    seconds = measure_seconds(
        {"a": named("a"), "b": named("b")}, (1, 1, 4, 4), forward=forward, repeats=2
    )
    assert order == ["a", "b"] * 3
    assert seconds.keys() == {"a", "b"}
    assert min(seconds.values()) > 0


def test_no_repeats_are_refused():
    with pytest.raises(ValueError, match="repeats must be 1 or more, got 0: pass"):
        measure({}, (1, 1, 4, 4), forward=SimpleInferer(), repeats=0)
