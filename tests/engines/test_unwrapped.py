"""Tests of medseg.engines.distributed; `test_best` has a network in DistributedDataParallel."""

import torch
from torch.nn.parallel import DataParallel

from medseg.engines import unwrapped


def test_a_wrapper_gives_what_it_holds():
    network = torch.nn.Linear(1, 1)
    assert unwrapped(DataParallel(network)) is network


def test_anything_else_is_returned_as_it_is():
    network, state = torch.nn.Linear(1, 1), object()
    assert unwrapped(network) is network
    assert unwrapped(state) is state
