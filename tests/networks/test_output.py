"""Tests of medseg.networks.output."""

import pytest
import torch

from medseg.networks import NestedUNet
from medseg.networks.output import require_one_tensor, takes_window_statistics


def test_heads_are_refused_with_what_to_do():
    logits = torch.zeros(1)
    assert require_one_tensor(logits) is logits
    with pytest.raises(
        TypeError, match=r"must give one tensor for an image, got list: call eval\(\)"
    ):
        require_one_tensor([logits, logits])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"norm": "instance"}, True),
        ({"norm": ("group", {"num_groups": 1})}, True),
        ({"norm": "batch"}, False),
        ({"norm": None}, False),
        ({"norm": None, "class_guide": True, "deep_supervision": True}, True),
        ({"norm": ("batch", {"track_running_stats": False})}, True),
    ],
)
def test_norms_of_the_window_are_known(options, expected):
    network = NestedUNet(2, 1, 1, channels=(2, 2, 2), **options)
    assert takes_window_statistics(network) is expected
