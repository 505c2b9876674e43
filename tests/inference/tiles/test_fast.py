"""Fast windows give each voxel once, with context around it, in a fraction of the passes."""

import torch

from medseg.inference import make_inferer
from medseg.inference.tiles.fast import HALO
from medseg.networks import NestedUNet

ROI = [16, 32, 16]
AS_STATED = {"mode": "blend", "overlap": 0.5, "even": True, "weights": "nnunet", "flips": [0, 1, 2]}


class Counted(NestedUNet):
    """A network that counts the windows it is given."""

    passes = 0

    def forward(self, images):
        self.passes += len(images)
        return super().forward(images)


def count_passes(image, *, fast):
    network = Counted(3, 1, 2, channels=(4, 8, 8)).eval()
    answer = make_inferer(ROI, fast=fast, **AS_STATED)(image, network)
    assert answer.shape == (1, 2, *image.shape[2:])
    return network.passes


def test_fast_windows_need_a_fraction_of_the_passes():
    image = torch.rand(1, 1, 40, 64, 30, generator=torch.Generator().manual_seed(0))
    assert count_passes(image, fast=False) == 4 * 3 * 3 * 8
    assert count_passes(image, fast=True) == 3 * 3 * 3


def test_a_fast_window_has_an_eighth_of_its_size_around_each_voxel_inside_the_image():
    inferer = make_inferer(ROI, fast=True, **AS_STATED)
    layout = inferer.tiling.make_layout(
        torch.zeros(1, 1, 100, 100, 100), NestedUNet(3, 1, 2, channels=(4, 8, 8))
    )
    for axis, roi in zip(layout.axes, ROI, strict=True):
        for before, after in zip(axis.spans, axis.spans[1:], strict=False):
            assert before.stop == after.first
            assert after.first - after.start >= roi * HALO
            assert before.start + axis.size - before.stop >= roi * HALO


def test_without_fast_nothing_is_changed():
    made = make_inferer(ROI, **AS_STATED)
    assert made.tiling.mode == "blend"
    assert made.settings.flips == AS_STATED["flips"]
