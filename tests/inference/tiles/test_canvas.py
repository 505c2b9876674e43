"""Tests of medseg.inference.tiles.canvas: what is kept of the logits, and where it is written."""

import errno
import os
from collections import namedtuple

import numpy as np
import pytest
import torch

from medseg.inference import OverlapTileInferer
from medseg.inference.tiles.canvas import (
    LabelCanvas,
    LogitsCanvas,
    fill_background,
    open_probability_file,
    to_probabilities,
)
from medseg.networks.class_guide import ABSENT

CPU = torch.device("cpu")


def labels(size=(4,), *, batch=1, regions=False):
    return LabelCanvas((batch, *size), regions=regions, device=CPU)


def test_logits_come_back_from_their_boxes_in_their_type():
    canvas = LogitsCanvas((2, 4), regions=False, device=CPU)
    logits = torch.randn(2, 3, 2, 4).to(torch.bfloat16)
    for box in ((slice(0, 2), slice(2, 4)), (slice(0, 2), slice(0, 2))):
        canvas.put(box, logits[(..., *box)])
    assert canvas.get_result().dtype == torch.bfloat16
    assert torch.equal(canvas.get_result(), logits)


def test_logits_without_a_box_have_no_number_of_classes():
    with pytest.raises(ValueError, match="skip excluded every window"):
        LogitsCanvas((4,), regions=False, device=CPU).get_result()


@pytest.mark.parametrize("regions", [True, False])
def test_labels_are_kept_alone(regions):
    canvas = labels(batch=2, regions=regions)
    logits = torch.tensor([[[1.0, -1], [-1, 2]], [[3, -2], [1, -1]]])  # image, class, voxel
    canvas.put((slice(1, 3),), logits)
    # of regions the last above 0 wins, of classes the largest
    expected = [[[0, 1, 2, 0]], [[0, 2, 0, 0]]] if regions else [[[0, 0, 1, 0]], [[0, 0, 1, 0]]]
    assert canvas.get_result().tolist() == expected
    assert canvas.get_result().dtype == torch.uint8


def test_a_logit_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="2 of 4 logits are not a number"):
        labels((2,)).put((slice(0, 2),), torch.tensor([[[torch.nan, 0], [0, torch.nan]]]))


@pytest.mark.parametrize(
    ("channels", "regions", "expected"),
    [(1, False, [ABSENT]), (3, False, [0, ABSENT, ABSENT]), (2, True, [ABSENT, ABSENT])],
)
def test_the_background_has_probability_one_or_every_region_none(channels, regions, expected):
    logits = fill_background(torch.randn(1, channels, 1), regions=regions)
    assert logits.flatten().tolist() == expected
    found = to_probabilities(logits[0], regions=regions).flatten().tolist()
    assert found == [float(logit == 0) for logit in expected]


def test_probabilities_are_those_of_the_definitions():
    two = torch.log(torch.tensor([[1.0], [3.0]]))
    assert to_probabilities(two, regions=False).flatten().tolist() == pytest.approx([1 / 4, 3 / 4])
    assert to_probabilities(two, regions=True).flatten().tolist() == pytest.approx([1 / 2, 3 / 4])
    assert to_probabilities(two[1:], regions=False).item() == pytest.approx(3 / 4)
    assert to_probabilities(two.to(torch.bfloat16), regions=False).dtype == torch.float32


@pytest.mark.parametrize(
    ("channels", "regions", "outside"), [(1, False, [0]), (3, False, [1, 0, 0]), (2, True, [0, 0])]
)
def test_a_file_has_the_probabilities_and_background_elsewhere(
    tmp_path, channels, regions, outside
):
    path = tmp_path / "a" / "p.npy"
    canvas = labels((3, 2), regions=regions)
    logits = torch.randn(1, channels, 2, 2)
    with open_probability_file(path, canvas, size=(3, 2), regions=regions) as file:
        file.put((slice(1, 3), slice(0, 2)), logits)
        assert torch.equal(file.get_result(), canvas.get_result())
    written = np.load(path)
    assert written.dtype == np.float16
    assert written.shape == (channels, 3, 2)
    assert written[:, 0, 0].tolist() == outside
    expected = to_probabilities(logits[0], regions=regions).to(torch.float16).numpy()
    assert np.array_equal(written[:, 1:], expected)


@pytest.mark.parametrize(("axis", "fortran"), [(0, False), (1, False), (2, True)])
def test_a_file_is_ordered_as_its_boxes_come(tmp_path, axis, fortran):
    path, size = tmp_path / "p.npy", (2, 3, 4)
    logits = torch.randn(1, 2, *size)
    with open_probability_file(path, labels(size), size=size, regions=False, axis=axis) as file:
        for plane in range(size[axis]):
            box = [slice(0, n) for n in size]
            box[axis] = slice(plane, plane + 1)
            file.put(tuple(box), logits[(slice(None), slice(None), *box)])
        file.get_result()
    written = np.load(path, mmap_mode="r")
    assert written.flags.f_contiguous == fortran
    assert np.array_equal(written, logits[0].softmax(0).to(torch.float16).numpy())


def test_a_file_is_of_one_image(tmp_path):
    with (
        pytest.raises(ValueError, match="one image at a time, got 2: pass them one by one"),
        open_probability_file(
            tmp_path / "p.npy", labels(batch=2), size=(4,), regions=False
        ) as file,
    ):
        file.put((slice(0, 4),), torch.zeros(2, 1, 4))
    assert list(tmp_path.iterdir()) == []


Usage = namedtuple("Usage", "free")


@pytest.fixture
def full_disk(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)


def test_a_disk_without_room_is_told_in_one_line_at_the_first_window(tmp_path, full_disk):
    earlier = tmp_path / "a.npy"
    np.save(earlier, np.ones(3))
    asked = []

    def network(windows):
        asked.append(windows)
        return windows

    inferer = OverlapTileInferer(4, halo=0, probabilities=lambda _: earlier)
    with pytest.raises(OSError, match=r"a\.npy cannot be written \(No space left.*make room") as e:
        inferer(torch.zeros(1, 1, 40), network)
    assert "\n" not in str(e.value)
    assert e.value.errno == errno.ENOSPC
    assert len(asked) == 1
    assert list(tmp_path.iterdir()) == [earlier]  # no part of the new one, and the old one stays
    assert np.load(earlier).tolist() == [1, 1, 1]


@pytest.mark.parametrize(("free", "fits"), [(0, False), (2**40, True)])
def test_where_a_system_reserves_nothing_the_free_room_is_asked_for(
    tmp_path, monkeypatch, free, fits
):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr("medseg.inference.tiles.canvas.disk_usage", lambda _: Usage(free))
    path = tmp_path / "p.npy"

    def write():
        with open_probability_file(path, labels(), size=(4,), regions=False) as file:
            file.put((slice(0, 4),), torch.zeros(1, 1, 4))

    if fits:
        write()
        assert np.load(path).tolist() == [[0.5] * 4]
        return
    with pytest.raises(OSError, match="make room on that disk"):
        write()
    assert not path.exists()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system has no posix_fallocate")
def test_the_whole_file_is_on_the_disk_from_the_first_box_on(tmp_path):
    size = (256, 1024)
    with open_probability_file(tmp_path / "p.npy", labels(size), size=size, regions=False) as file:
        file.put((slice(0, 1), slice(0, 1)), torch.zeros(1, 1, 1, 1))
        (partial,) = tmp_path.glob("*/p.npy")
        assert partial.stat().st_blocks * 512 >= 2 * 256 * 1024
