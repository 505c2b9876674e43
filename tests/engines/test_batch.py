"""Tests of medseg.engines.batch: the smallest batch of an epoch is tried before the first epoch."""

import json

import pytest
import torch
from monai.data import DataLoader, Dataset

from medseg.engines import check_batch, check_image_size, warn_of_padding
from medseg.engines.batch import find_smallest_batch
from medseg.networks import NestedUNet


def loader(items, size, **kwargs):
    return DataLoader(Dataset([{}] * items), batch_size=size, **kwargs)


def network(norm, dims=2, **kwargs):
    return NestedUNet(dims, 1, 1, channels=(2, 4, 6), norm=norm, **kwargs)


@pytest.mark.parametrize(
    ("items", "size", "expected"), [(8, 4, 4), (9, 4, 1), (3, 4, 3), (7, 1, 1), (10, 4, 2)]
)
def test_the_last_batch_is_the_smallest(items, size, expected):
    assert find_smallest_batch(loader(items, size)) == expected


def test_a_last_batch_that_is_dropped_does_not_count():
    assert find_smallest_batch(loader(9, 4, drop_last=True)) == 4


def check(net, items, size, image_size, **kwargs):
    check_batch(net, loader(items, size), in_channels=1, image_size=image_size, **kwargs)


def test_batch_norm_at_one_voxel_needs_two_images_in_every_batch():
    check(network("batch"), 8, 2, [4, 4])
    for items, size in ((9, 2), (4, 1)):
        with pytest.raises(
            ValueError,
            match=r"image_size of \[4, 4\] the deepest level has one voxel .* 1 image, but",
        ):
            check(network("batch"), items, size, [4, 4])
    check(network("batch"), 4, 1, [8, 8])  # four voxels
    check(network("batch"), 4, 1, [4, 4], patches=2)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    ("items", "size", "patches", "said"),
    [(4, 1, 1, "every batch"), (9, 2, 1, "the last batch"), (8, 2, 1, ""), (4, 1, 2, "")],
)
def test_batch_norm_over_one_image_is_warned_of(items, size, patches, said, dims, caplog):
    check(network("batch", dims), items, size, [8] * dims, patches=patches)
    warned = [f"{said} of an epoch holds 1 image, and batch norm"] if said else []
    assert [record.getMessage().partition(" takes")[0] for record in caplog.records] == warned


@pytest.mark.parametrize("norm", [None, "instance", ("group", {"num_groups": 2})])
def test_other_norms_are_not_warned_of(norm, caplog):
    check(network(norm), 4, 1, [8, 8])
    assert not caplog.records


@pytest.mark.parametrize("norm", ["instance", ["instance", {"affine": True}]])
def test_instance_norm_needs_more_than_one_voxel_whatever_the_batch(norm):
    with pytest.raises(
        ValueError, match=r"image_size of \[4, 4, 4\] the deepest level has one voxel"
    ):
        check(network(norm, 3), 8, 4, [4, 4, 4])
    with pytest.raises(ValueError, match=r"one voxel, but the norm needs .* a larger image_size"):
        check_image_size(network(norm, 3), in_channels=1, image_size=[4, 4, 4])
    check(network(norm, 3), 8, 4, [8, 4, 4])


def test_a_size_that_the_network_does_not_take_is_refused_by_its_own_words():
    with pytest.raises(
        ValueError, match=r"image_size \[6, 6\] does not fit .*must divide by the total"
    ):
        check(network(None), 8, 2, [6, 6])


def test_a_size_is_refused_without_a_loader_too():
    check_image_size(network("batch"), in_channels=1, image_size=[16, 16])
    with pytest.raises(ValueError, match=r"image_size \[6, 6\] does not fit .*must divide by"):
        check_image_size(network("batch"), in_channels=1, image_size=[6, 6])


def test_every_training_looks_at_the_size_before_its_cases(repository):
    for file in (repository / "bundles").glob("*/configs/train.json"):
        lines = json.loads(file.read_text())["training"]
        (size,) = (i for i, line in enumerate(lines) if "check_image_size(" in line)
        assert not any("dataset" in line or "record" in line for line in lines[:size])


def test_the_network_itself_stays_as_it_was():
    net = network("batch", deep_supervision=True).eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    check(net, 8, 2, [16, 16])
    assert not net.training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())


def test_a_batch_that_needs_more_than_the_free_memory_is_refused_before_it_is_read(monkeypatch):
    """One convolution of 3 maps of 64 x 64 and a head of 1: 2 * 4 * 64 * 64 bytes an image."""
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 1), torch.nn.Conv2d(3, 1, 1))
    monkeypatch.setattr("medseg.engines.batch.find_available_bytes", lambda: 100 * 2 * 4 * 64 * 64)
    check(net, 100, 1000, [64, 64])
    check(net, 101, 100, [64, 64])
    with pytest.raises(
        ValueError, match=r"^a batch of 101 images of \[64, 64\] needs more .*lower"
    ):
        check(net, 101, 1000, [64, 64])
    with pytest.raises(ValueError, match=r"^a batch of 102 images"):
        check(net, 51, 51, [64, 64], patches=2)


def test_a_network_that_computes_again_what_it_did_not_keep_is_not_refused(monkeypatch):
    monkeypatch.setattr("medseg.engines.batch.find_available_bytes", lambda: 1)
    with pytest.raises(ValueError, match="needs more than"):
        check(network(None), 4, 4, [8, 8])
    check(network(None, checkpointing=True), 4, 4, [8, 8])


def test_memory_that_is_not_known_is_not_compared(monkeypatch):
    monkeypatch.setattr("medseg.engines.batch.find_available_bytes", lambda: None)
    check(network(None), 4, 4, [8, 8])


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([(30, 40, 20), (32, 30, 20)], "32x40x20"),
        ([(30, 40, 20), (64, 64, 40)], None),  # one of them fills its patch for more than half
        ([(200, 200, 200)], None),
    ],
)
def test_patches_that_are_padding_for_the_most_part_are_said(shapes, said, caplog):
    warn_of_padding([{"image": torch.zeros(1, *shape)} for shape in shapes], image_size=[64] * 3)
    words = f"padding, for the first {len(shapes)} cases are no larger than {said}: pass a smaller"
    assert (words in caplog.text) if said else not caplog.text
