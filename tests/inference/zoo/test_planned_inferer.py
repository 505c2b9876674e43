"""Tests of medseg.inference.zoo.planned_inferer: MONAI's windows are counted before they run."""

import pytest
import torch
from monai.inferers import (
    SaliencyInferer,
    SimpleInferer,
    SliceInferer,
    SlidingWindowInferer,
)

from medseg.inference import PlannedInferer
from medseg.inference.tiles.memory_plan import MemoryLimitError

IMAGE = torch.zeros(1, 1, 30, 24, 20)


class Counted(torch.nn.Conv3d):
    def __init__(self):
        super().__init__(1, 2, 1)
        self.windows = 0

    def forward(self, image):
        self.windows += len(image)
        return super().forward(image)


@pytest.mark.parametrize(
    "inferer",
    [
        SimpleInferer(),
        SlidingWindowInferer(16, sw_batch_size=3, overlap=0.5),
        SlidingWindowInferer((16, 16, -1), overlap=0.25, mode="gaussian"),
        SlidingWindowInferer((40, 8, 8), overlap=0.0),
    ],
    ids=lambda inferer: type(inferer).__name__,
)
def test_the_planned_windows_are_those_that_are_computed(inferer):
    network = Counted().eval()
    planned = PlannedInferer(inferer)
    count = planned.plan(IMAGE, network).layout.count
    network.windows = 0
    expected = inferer(IMAGE, network)
    assert network.windows == count
    assert torch.equal(planned(IMAGE, network), expected)


def test_slices_are_windows_of_one_voxel():
    plan = PlannedInferer(SliceInferer(spatial_dim=2, roi_size=(16, 16))).plan(
        IMAGE, torch.nn.Conv2d(1, 2, 1).eval()
    )
    assert plan.layout.size == (16, 16, 1)
    assert plan.layout.count % 20 == 0


def test_an_inferer_of_unknown_windows_has_no_plan():
    inferer = SaliencyInferer("CAM", "conv")
    assert PlannedInferer(inferer).plan(IMAGE, Counted()) is None


def test_too_little_memory_is_refused_with_what_the_config_has():
    inferer = PlannedInferer(SlidingWindowInferer(16), memory_limit="1 MiB")
    with pytest.raises(MemoryLimitError, match=r"needs .*the limit is.*--inferer#sw_batch_size"):
        inferer.plan(IMAGE, Counted().eval())
