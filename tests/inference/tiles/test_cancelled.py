"""Tests of medseg.inference.tiles.cancelled: one error, wherever it is imported from."""

import pytest
import torch

from medseg.base.errors import is_documented
from medseg.inference import OverlapTileInferer
from medseg.inference.tiles import inferer as overlap_tile
from medseg.inference.tiles.cancelled import CancelledError


def test_the_inferer_raises_the_error_that_a_run_of_cases_ends_with():
    assert overlap_tile.CancelledError is CancelledError
    inferer = OverlapTileInferer(4, halo=0, cancelled=lambda: True)
    with pytest.raises(CancelledError, match="stopped after 0 of 1 windows") as error:
        inferer(torch.zeros(1, 1, 4, 4), torch.nn.Identity())
    assert is_documented(error.value)
