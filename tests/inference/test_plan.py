"""Tests of medseg.inference.plan."""

import pytest
import torch

from medseg.inference import OverlapTileInferer, Predictor
from medseg.inference.plan import MemoryLimitError, network_bytes, parse_bytes
from medseg.networks import NestedUNet
from medseg.networks.footprint import footprint

MIB = 2**20


@pytest.fixture(scope="module")
def network():
    return NestedUNet(3, 1, 3, channels=(8, 16, 32), norm="batch").eval()


class NeverRun(NestedUNet):
    def forward(self, image):
        if image.device.type != "meta":
            raise AssertionError("a window was computed")
        return super().forward(image)


def test_labels_take_a_byte_a_voxel_and_logits_four_a_class(network):
    image = torch.zeros(1, 1, 64, 32, 32)
    labels = OverlapTileInferer(32, halo=4, output="labels").plan(image, network)
    logits = OverlapTileInferer(32, halo=4).plan(image, network)
    assert labels.answer_bytes == 64 * 32 * 32
    assert logits.answer_bytes == 64 * 32 * 32 * 4 * 3
    assert labels.image_bytes == 64 * 32 * 32 * 4


def test_blending_takes_a_slab_whatever_the_length(network):
    inferer = OverlapTileInferer(16, mode="blend", output="labels")
    short, long = (
        inferer.plan(torch.zeros(1, 1, n, 32, 32), network).answer_bytes - n * 32 * 32
        for n in (64, 640)
    )
    assert short == long == 2 * 4 * (16 * 32 * 32) * (3 + 1)


def test_the_network_takes_its_tensors_and_their_workspace(network):
    image = torch.zeros(1, 1, 64, 32, 32)
    plan = OverlapTileInferer((32, 32, 32), halo=0, batch_size=2).plan(image, network)
    tensors = footprint(network, (2, 1, 32, 32, 32)).peak_bytes
    assert plan.network_bytes == pytest.approx(2.2 * tensors, rel=1e-6)


def test_bfloat16_takes_less(network):
    shape = (1, 1, 32, 32, 32)
    full = network_bytes(Predictor(network, "cpu", backend="openvino", precision="float32"), shape)
    half = network_bytes(Predictor(network, "cpu", backend="openvino", precision="bfloat16"), shape)
    assert full == (pytest.approx(2 * half[0], rel=0.01), 3)


def test_a_level_is_planned_as_the_pruned_network():
    network = NestedUNet(3, 1, 3, channels=(8, 16, 32), deep_supervision=True).eval()
    image = torch.zeros(1, 1, 32, 32, 32)
    plan = OverlapTileInferer(32, halo=0, level=1).plan(image, network)
    assert plan.network_bytes == network_bytes(network.prune(1), (1, 1, 32, 32, 32))[0]
    assert plan.network_bytes < network_bytes(network, (1, 1, 32, 32, 32))[0]


def test_slices_are_planned_as_slices():
    network = NestedUNet(2, 1, 3, channels=(8, 16, 32)).eval()
    image = torch.zeros(1, 1, 64, 32, 50)
    plan = OverlapTileInferer((64, 32), halo=0, slices=2, batch_size=4).plan(image, network)
    assert plan.layout.count == 50
    assert plan.layout.size == (64, 32, 1)
    assert plan.network_bytes == network_bytes(network, (4, 1, 64, 32))[0]


def test_the_plan_can_be_read(network):
    plan = OverlapTileInferer(32, halo=4).plan(torch.zeros(1, 1, 64, 64, 40), network)
    assert str(plan).startswith("18 windows of 32x32x28, 1 at a time; memory: image 0.6 MiB, netw")


def test_a_plan_that_does_not_fit_is_refused_before_the_first_window():
    network = NeverRun(3, 1, 3, channels=(8, 16, 32)).eval()
    image = torch.zeros(1, 1, 96, 96, 96)
    inferer = OverlapTileInferer(96, halo=8, memory_limit="50 MiB", output="labels")
    with pytest.raises(MemoryLimitError, match=r"needs .* GiB of memory .*there is 50\.0 MiB"):
        inferer(image, network)


@pytest.mark.parametrize("mode", ["crop", "blend"])
def test_the_setting_that_is_named_fits(network, mode):
    image = torch.zeros(1, 1, 96, 96, 96)
    limit = 50 * MIB
    options = {"halo": 8, "memory_limit": limit, "output": "labels", "mode": mode}
    with pytest.raises(MemoryLimitError) as refusal:
        OverlapTileInferer(96, **options)(image, network)
    size = [int(n) for n in str(refusal.value).partition("roi_size [")[2].split("]")[0].split(",")]
    assert OverlapTileInferer(size, **options).plan(image, network).needed_bytes <= limit
    assert OverlapTileInferer(size, **options)(image, network).shape == image.shape


def test_the_setting_that_is_named_has_no_entry_for_the_axis_of_the_slices():
    network = NestedUNet(2, 1, 3, channels=(8, 16, 32)).eval()
    image = torch.zeros(1, 1, 256, 9, 256)
    options = {"halo": 8, "slices": 1, "memory_limit": 3 * MIB, "output": "labels"}
    with pytest.raises(MemoryLimitError, match=r"pass roi_size \[\d+, \d+\]$") as refusal:
        OverlapTileInferer(256, **options).plan(image, network)
    size = [int(n) for n in str(refusal.value).partition("roi_size [")[2].split("]")[0].split(",")]
    assert OverlapTileInferer(size, **options).plan(image, network).needed_bytes <= 3 * MIB


def test_the_batch_is_made_smaller_before_the_windows(network):
    image = torch.zeros(1, 1, 64, 64, 96)
    options = {"halo": 8, "output": "labels"}
    one, two = (
        OverlapTileInferer(48, batch_size=n, **options).plan(image, network).needed_bytes
        for n in (1, 2)
    )
    with pytest.raises(MemoryLimitError, match="pass batch_size 2 "):
        OverlapTileInferer(48, batch_size=4, memory_limit=two, **options).plan(image, network)
    with pytest.raises(MemoryLimitError, match="pass batch_size 1 "):
        OverlapTileInferer(48, batch_size=4, memory_limit=two - 1, **options).plan(image, network)
    with pytest.raises(MemoryLimitError, match=r"pass roi_size \[.*\] and batch_size 1$"):
        OverlapTileInferer(48, batch_size=4, memory_limit=one - 1, **options).plan(image, network)


def test_a_plan_is_refused_as_the_inference_is(network):
    inferer = OverlapTileInferer(96, halo=8, memory_limit=50 * MIB, output="labels")
    with pytest.raises(MemoryLimitError, match=r"there is 50\.0 MiB: pass roi_size"):
        inferer.plan(torch.zeros(1, 1, 96, 96, 96), network)


def test_an_answer_that_does_not_fit_is_told_from_windows_that_do_not(network):
    image = torch.zeros(1, 1, 96, 96, 96)
    with pytest.raises(MemoryLimitError, match="pass output='labels'"):
        OverlapTileInferer(32, halo=8, memory_limit=6 * MIB)(image, network)
    with pytest.raises(MemoryLimitError, match="take a machine with more memory"):
        OverlapTileInferer(32, halo=8, memory_limit=1000, output="labels")(image, network)


def test_nothing_that_fits_is_said_so(network):
    image = torch.zeros(1, 1, 96, 96, 96)
    with pytest.raises(MemoryLimitError, match="a smaller halo"):
        OverlapTileInferer(96, halo=40, memory_limit=3 * MIB, output="labels")(image, network)


def test_without_a_limit_it_is_what_is_free(network, monkeypatch):
    monkeypatch.setattr("medseg.inference.plan.available_bytes", lambda: 5 * MIB)
    with pytest.raises(MemoryLimitError, match=r"there is 5\.0 MiB"):
        OverlapTileInferer(32, halo=8)(torch.zeros(1, 1, 64, 64, 64), network)


def test_where_the_system_does_not_tell_nothing_is_refused(network, monkeypatch):
    monkeypatch.setattr("medseg.inference.plan.available_bytes", lambda: None)
    image = torch.zeros(1, 1, 16, 16, 16)
    assert OverlapTileInferer(16, halo=0)(image, network).shape == (1, 3, 16, 16, 16)


def test_a_function_has_no_footprint():
    plan = OverlapTileInferer(8, halo=0).plan(torch.zeros(1, 1, 16), lambda x: x)
    assert plan.network_bytes is None
    assert "network unknown" in str(plan)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(1000, 1000), ("6 GiB", 6 * 2**30), ("1.5GB", 1_500_000_000), ("512 mib", 512 * MIB)],
)
def test_memory_is_read_with_its_unit(text, expected):
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "six", "6 apples", "-1", "1e9"])
def test_what_is_no_memory_is_refused(text):
    with pytest.raises(ValueError, match="memory is bytes, or a number and a unit"):
        OverlapTileInferer(8, memory_limit=text)
