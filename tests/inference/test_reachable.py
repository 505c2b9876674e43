"""Tests of medseg.inference.reachable."""

import pytest
import torch

from medseg.inference.reachable import reachable


def test_a_device_that_is_there_is_given_back():
    assert reachable("cpu") == reachable(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("device", ["cuda:99", "gpu"])
def test_a_device_that_is_not_there_is_refused_in_one_line(device):
    with pytest.raises(ValueError, match=rf"device '{device}' cannot be used .* has cpu") as error:
        reachable(device)
    assert "\n" not in str(error.value)
