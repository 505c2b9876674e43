"""Tests of medseg.inference.tiles.forward: slices, flips, and what is refused of a network's
answer."""

import pytest
import torch
from torch import Tensor, nn

from medseg.inference.tiles.forward import Forward


def test_a_2d_network_is_shown_slices_without_the_axis_of_the_slices():
    shapes = []

    def network(image: Tensor) -> Tensor:
        shapes.append(tuple(image.shape))
        return image

    windows = torch.rand(3, 1, 4, 1, 5)
    assert torch.equal(Forward(network, slices=1)(windows), windows)
    assert shapes == [(3, 1, 4, 5)]


def test_flips_are_the_mean_over_all_combinations_of_them():
    ramp = torch.arange(6.0).reshape(1, 1, 2, 3)
    answer = Forward(lambda image: image * ramp, flips=(0, -1))(torch.ones(1, 1, 2, 3))
    assert torch.equal(answer, torch.full((1, 1, 2, 3), 2.5))


def test_flips_leave_the_windows_as_they_are():
    windows = torch.arange(12.0).reshape(1, 2, 2, 3)
    given = windows.clone()
    answer = Forward(lambda x: x, flips=(0, 1))(windows)  # its answer is in the windows' own place
    assert torch.equal(windows, given)
    assert torch.equal(answer, given)


def test_flips_are_added_up_in_float32():
    """In bfloat16, 256 + 1 is 256."""
    values = iter((256.0, 1.0))
    network = lambda image: torch.full_like(image, next(values), dtype=torch.bfloat16)  # noqa: E731
    answer = Forward(network, flips=(0,))(torch.ones(1, 1, 2))
    assert answer.tolist() == [[[128.5, 128.5]]]


@pytest.mark.parametrize(
    ("network", "options", "error", "match"),
    [
        (
            nn.Identity(),
            {"flips": (2,)},
            ValueError,
            "flips must be axes of the image, 0 to 1, got 2",
        ),
        (nn.Identity(), {"channels": 2}, ValueError, "need 2 channels, the network gives 1"),
        (nn.MaxPool2d(2), {}, ValueError, "logits of the size of its input"),
        (lambda image: [image], {}, TypeError, r"one tensor .* got list: call eval\(\)"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(network, options, error, match):
    with pytest.raises(error, match=match):
        Forward(network, **options)(torch.ones(1, 1, 4, 4))
