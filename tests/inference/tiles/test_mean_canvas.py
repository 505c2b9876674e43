"""Tests of medseg.inference.tiles.mean_canvas: what is passed on is the mean of probabilities."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from medseg.inference import OverlapTileInferer
from medseg.inference.tiles.canvas import LogitsCanvas, to_probabilities
from medseg.inference.tiles.mean_canvas import Companion, MeanCanvas

SIZE = (4, 5, 6)
REGIONS = {"whole": [1, 2], "part": [2]}
APART = {"a": [1], "b": [2]}


def make(channels, *, share=0.5, regions=False, seed=0):
    """A mean canvas on one that keeps logits, the probabilities of the other, and own logits."""
    random = torch.Generator().manual_seed(seed)
    others = to_probabilities(torch.randn(channels, *SIZE, generator=random) * 3, regions=regions)
    kept = LogitsCanvas(SIZE, regions=regions, device=torch.device("cpu"))
    mean = MeanCanvas(kept, others.numpy(), share=share, regions=regions)
    return mean, others, torch.randn(1, channels, *SIZE, generator=random) * 3


@pytest.mark.parametrize(("channels", "regions"), [(1, False), (3, False), (2, True)])
@pytest.mark.parametrize("share", [0.25, 0.5])
def test_the_probabilities_are_the_mean_of_both_box_by_box(channels, regions, share):
    mean, others, logits = make(channels, share=share, regions=regions)
    for place in range(SIZE[2]):
        box = (slice(0, 4), slice(0, 5), slice(place, place + 1))
        mean.put(box, logits[..., place : place + 1])
    found = to_probabilities(mean.get_result()[0], regions=regions)
    own = to_probabilities(logits[0], regions=regions)
    torch.testing.assert_close(found, (1 - share) * own + share * others, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("channels", "regions"), [(1, False), (3, False), (2, True)])
def test_the_others_can_be_passed_on_alone(axis, channels, regions):
    mean, others, _ = make(channels, regions=regions)
    mean.put_others(axis)
    found = to_probabilities(mean.get_result()[0], regions=regions)
    torch.testing.assert_close(found, others, atol=1e-5, rtol=1e-4)


def test_certainty_of_either_side_gives_finite_logits():
    kept = LogitsCanvas((2,), regions=False, device=torch.device("cpu"))
    mean = MeanCanvas(kept, np.array([[1.0, 0.0], [0.0, 1.0]]), share=1, regions=False)
    mean.put_others(0)
    assert mean.get_result().isfinite().all()


def test_networks_for_other_classes_are_refused():
    mean, _, logits = make(3)
    with pytest.raises(ValueError, match="gives 2 channels and the other 3"):
        mean.put((slice(0, 4), slice(0, 5), slice(0, 6)), logits[:, :2])


class Pass(nn.Module):
    """Gives back the channels of its input as logits, and counts its calls."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, image):
        self.calls += 1
        return image


@pytest.mark.parametrize("classes", [APART, REGIONS])
@pytest.mark.parametrize("mode", ["crop", "blend"])
def test_an_inferer_averages_in_either_mode_and_in_its_file_of_probabilities(
    tmp_path, classes, mode
):
    channels = 3 if classes is APART else 2
    _, others, image = make(channels, regions=classes is REGIONS)
    path = tmp_path / "p.npy"
    inferer = OverlapTileInferer(
        4,
        mode=mode,
        halo=0,
        classes=classes,
        output="labels",
        probabilities=lambda images: path,
        companion=Companion(lambda images: nullcontext(others.numpy())),
    )
    label = inferer(image, Pass())
    expected = (to_probabilities(image[0], regions=classes is REGIONS) + others) / 2
    np.testing.assert_allclose(np.load(path), expected, atol=1e-3)
    if classes is APART:
        assert torch.equal(label[0, 0], expected.argmax(0).to(torch.uint8))


def test_with_the_whole_share_the_network_does_not_run():
    _, others, image = make(3)
    network = Pass()
    companion = Companion(lambda images: nullcontext(others.numpy()), share=1)
    inferer = OverlapTileInferer(
        4, halo=0, classes=APART, output="labels", companion=companion, stride=1
    )
    assert torch.equal(inferer(image, network)[0, 0], others.argmax(0).to(torch.uint8))
    assert network.calls == 0


def test_a_plan_says_what_the_companion_needs_too(caplog):
    _, others, image = make(3)
    companion = Companion(lambda images: nullcontext(others.numpy()), plan=lambda images: "2 MB")
    inferer = OverlapTileInferer(4, halo=0, classes=APART, companion=companion, stride=1)
    with caplog.at_level("INFO"):
        inferer.plan(image, Pass())
    assert "companion: 2 MB" in caplog.text


def test_several_images_at_once_are_refused():
    _, others, image = make(3)
    companion = Companion(lambda images: nullcontext(others.numpy()))
    inferer = OverlapTileInferer(4, halo=0, classes=APART, companion=companion)
    with pytest.raises(ValueError, match="averaged for one image at a time, got 2"):
        inferer(image.expand(2, -1, -1, -1, -1), Pass())
