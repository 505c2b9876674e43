"""Tests of medseg.inference.tiles.sweep: what is passed over, what is shown, and stopping."""

import weakref

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from medseg.inference import OverlapTileInferer
from medseg.inference.tiles import sweep
from medseg.inference.tiles.sweep import CancelledError, _weigh_as_nnunet
from medseg.networks.class_guide import ABSENT


class Shown:
    """A progress bar that keeps what it was told."""

    def __init__(self, *, total, disable, **rest):
        self.total, self.disable, self.n, self.steps = total, disable, 0, []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def update(self, count):
        self.n += count
        self.steps.append(self.n)


@pytest.fixture
def bars(monkeypatch):
    made = []
    monkeypatch.setattr(sweep, "tqdm", lambda **given: made.append(Shown(**given)) or made[-1])
    return made


def two_classes(windows):
    return torch.cat([-windows, windows], 1)


@pytest.mark.parametrize("progress", [True, False])
def test_the_bar_counts_windows_that_are_passed_over_as_they_come(bars, progress):
    image = torch.zeros(1, 1, 24)
    image[..., 12:16] = 1  # in the fourth of six windows
    inferer = OverlapTileInferer(
        4, halo=0, output="labels", skip=lambda w: not w.any(), progress=progress
    )
    inferer(image, two_classes)
    (bar,) = bars
    on_terminals_alone = None  # as tqdm calls it
    shown = on_terminals_alone if progress else True
    assert (bar.total, bar.disable, bar.steps) == (6, shown, [4, 6])


@pytest.mark.parametrize("mode", ["crop", "blend"])
@pytest.mark.parametrize("output", ["logits", "labels"])
def test_where_all_is_passed_over_all_is_background_with_probabilities_too(tmp_path, mode, output):
    image = -torch.ones(1, 1, 10)
    path = tmp_path / "p.npy"
    inferer = OverlapTileInferer(
        4, halo=0, mode=mode, output=output, skip=lambda w: True, probabilities=lambda _: path
    )
    answer = inferer(image, lambda windows: torch.cat([windows, -windows], 1))  # 1 everywhere
    expected = [[0] * 10, [ABSENT] * 10] if output == "logits" else [[0] * 10]
    assert answer[0].tolist() == expected
    assert np.load(path).tolist() == [[1] * 10, [0] * 10]


def test_zeros_around_a_small_image_are_no_content():
    computed = []
    network = lambda windows: computed.append(windows) or two_classes(windows)  # noqa: E731
    inferer = OverlapTileInferer(8, mode="blend", output="labels", skip=-1.0)
    assert not inferer(torch.full((1, 1, 5), -2.0), network).any()
    assert computed == []
    assert inferer(torch.full((1, 1, 5), -0.5), network).shape == (1, 1, 5)
    assert len(computed) == 1


def test_the_halo_is_content():
    image = torch.zeros(1, 1, 8)
    image[..., 4] = 1
    computed = []
    network = lambda windows: computed.append(windows) or two_classes(windows)  # noqa: E731
    inferer = OverlapTileInferer(6, halo=2, output="labels", edge="network", skip=lambda w: False)
    inferer(image, network)
    assert [tuple(each.shape[2:]) for each in computed] == [(6,), (6,)]  # 0 to 6, and 2 to 8
    computed.clear()
    OverlapTileInferer(6, halo=2, output="labels", edge="network", skip=0)(image, network)
    assert [each.flatten().tolist() for each in computed] == [[0, 0, 1, 0, 0]]  # 4, and its halo


def test_stopping_leaves_no_file(tmp_path):
    asked = iter([False, False, True])
    inferer = OverlapTileInferer(
        4,
        halo=0,
        probabilities=lambda _: tmp_path / "p.npy",
        cancelled=lambda: next(asked),
    )
    with pytest.raises(CancelledError, match="stopped after 2 of 4 windows"):
        inferer(torch.rand(1, 1, 16), two_classes)
    assert list(tmp_path.iterdir()) == []


def test_no_batch_is_held_while_the_next_is_computed():
    alive = []

    def network(windows):
        alive.append(sum(each() is not None for each in seen))
        logits = two_classes(windows)
        seen.append(weakref.ref(logits))
        return logits

    seen = []
    OverlapTileInferer(4, halo=0, output="labels")(torch.rand(1, 1, 16), network)
    assert alive == [0] * 4


def test_it_can_be_stopped_where_all_is_passed_over():
    inferer = OverlapTileInferer(4, halo=0, skip=lambda w: True, cancelled=lambda: True)
    with pytest.raises(CancelledError, match="stopped after 0 of 4 windows"):
        inferer(torch.rand(1, 1, 16), two_classes)


@pytest.mark.parametrize("size", [(12, 14), (5, 7), (8, 24, 20)])
def test_the_weights_of_nnunet_are_a_gaussian_in_float16_without_a_0(size):
    middle = np.zeros(size)
    middle[tuple(n // 2 for n in size)] = 1
    expected = gaussian_filter(middle, [n / 8 for n in size], mode="constant")
    expected = torch.from_numpy(10 * expected / expected.max()).half().float()
    expected[expected == 0] = expected[expected > 0].min()
    assert torch.equal(_weigh_as_nnunet(size), expected)
