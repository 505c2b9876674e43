"""Tests of medseg.inference.tiles.memory_planner: what is refused, and what is named instead."""

from math import floor

import pytest
import torch
from monai.networks.nets import BasicUNetPlusPlus

from medseg.inference import OverlapTileInferer, Predictor
from medseg.inference.tiles.memory_plan import MemoryLimitError, format_bytes
from medseg.networks import NestedUNet

MIB = 2**20

pytestmark = pytest.mark.usefixtures("windows_alone")


class NeverRun(NestedUNet):
    def forward(self, image):
        if image.device.type != "meta":
            raise AssertionError("a window was computed")
        return super().forward(image)


def test_a_plan_that_does_not_fit_is_refused_before_the_first_window():
    network = NeverRun(3, 1, 3, channels=(8, 16, 32)).eval()
    image = torch.zeros(1, 1, 96, 96, 96)
    inferer = OverlapTileInferer(96, halo=8, memory_limit="50 MiB", output="labels")
    with pytest.raises(MemoryLimitError, match=r"needs \d+ MiB of memory .*the limit is 50 MiB"):
        inferer(image, network)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["crop", "blend"])
def test_the_setting_that_is_named_fits(network, mode):
    image = torch.zeros(1, 1, 64, 64, 64)
    limit = 20 * MIB
    options = {"halo": 8, "memory_limit": limit, "output": "labels", "mode": mode}
    with pytest.raises(MemoryLimitError) as refusal:
        OverlapTileInferer(64, **options)(image, network)
    size = [int(n) for n in str(refusal.value).partition("roi_size [")[2].split("]")[0].split(",")]
    assert OverlapTileInferer(size, **options).plan(image, network).needed_bytes <= limit
    assert OverlapTileInferer(size, **options)(image, network).shape == image.shape


def test_the_setting_that_is_named_is_no_larger_than_the_image(network):
    image = torch.zeros(1, 1, 64, 30, 61)
    inferer = OverlapTileInferer(1024, mode="blend", memory_limit=20 * MIB, output="labels")
    with pytest.raises(MemoryLimitError, match=r"roi_size \[\d+, 32, \d+\], which may") as refusal:
        inferer.plan(image, network)
    size = [int(n) for n in str(refusal.value).partition("roi_size [")[2].split("]")[0].split(",")]
    assert max(size) <= 64


@pytest.mark.parametrize(
    ("norm", "effect"),
    [
        ("batch", ", which may change the label map: less is seen around a voxel"),
        ("instance", ", which changes the label map: the network normalises over its window"),
    ],
)
def test_the_setting_that_is_named_has_no_entry_for_the_axis_of_the_slices(norm, effect):
    network = NestedUNet(2, 1, 3, channels=(8, 16, 32), norm=norm).eval()
    image = torch.zeros(1, 1, 256, 9, 256)
    options = {"halo": 8, "slices": 1, "memory_limit": 3 * MIB, "output": "labels"}
    with pytest.raises(MemoryLimitError, match=rf"pass roi_size \[\d+, \d+\]{effect}$") as refusal:
        OverlapTileInferer(256, **options).plan(image, network)
    size = [int(n) for n in str(refusal.value).partition("roi_size [")[2].split("]")[0].split(",")]
    assert OverlapTileInferer(size, **options).plan(image, network).needed_bytes <= 3 * MIB


def test_nothing_is_said_of_smaller_windows_that_give_the_same_answer(network):
    image = torch.zeros(1, 1, 256, 64, 64)
    needed = OverlapTileInferer(64, output="labels").plan(image, network).needed_bytes
    inferer = OverlapTileInferer(128, memory_limit=needed, output="labels")
    with pytest.raises(MemoryLimitError, match=r"pass roi_size \[\d+, \d+, \d+\]$"):
        inferer.plan(image, network)


def test_a_network_that_normalises_over_its_window_is_given_none_but_that_of_training():
    network = NestedUNet(3, 1, 3, channels=(8, 16, 32), norm="instance").eval()
    image = torch.zeros(1, 1, 64, 64, 64)
    options = {"halo": 8, "output": "labels", "patch_size": (32, 40, 30)}
    least = OverlapTileInferer((32, 40, 32), **options).plan(image, network).needed_bytes
    with pytest.raises(MemoryLimitError, match=r"pass roi_size \[32, 40, 32\], as in training$"):
        OverlapTileInferer(64, memory_limit=least, **options).plan(image, network)
    with pytest.raises(
        MemoryLimitError, match=f"with windows as in training, is {format_bytes(least)}: raise"
    ):
        OverlapTileInferer(64, memory_limit=least - 1, **options).plan(image, network)


def test_a_patch_with_nothing_between_the_halos_is_not_named():
    network = NestedUNet(3, 1, 2, channels=(8, 16, 32), norm="instance").eval()
    image = torch.zeros(1, 1, 96, 96, 96)
    options = {"halo": 16, "output": "labels", "patch_size": (32, 32, 32)}
    least = OverlapTileInferer(48, **options).plan(image, network).needed_bytes
    with pytest.raises(MemoryLimitError, match=r"pass roi_size \[\d+, .* changes the label map"):
        OverlapTileInferer(96, memory_limit=least, **options).plan(image, network)


def test_a_patch_of_other_axes_than_the_windows_is_not_named():
    network = NestedUNet(2, 1, 3, channels=(8, 16, 32), norm="instance").eval()
    options = {"halo": 8, "output": "labels", "patch_size": (32, 32, 1), "memory_limit": 3 * MIB}
    with pytest.raises(MemoryLimitError, match="which changes the label map"):
        OverlapTileInferer(256, **options).plan(torch.zeros(1, 1, 256, 256), network)


def test_what_is_needed_is_never_told_as_what_there_is():
    for size in (1, 900, 2**20, 5 * MIB, 1000 * MIB, 2**30, 2**30 + 1, 6 * 2**30):
        assert format_bytes(size + 1) != format_bytes(size, floor)
        assert format_bytes(size) != format_bytes(size - 1, floor)


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
    with pytest.raises(MemoryLimitError, match=r"pass roi_size \[.*\] and batch_size 1 "):
        OverlapTileInferer(48, batch_size=4, memory_limit=one - 1, **options).plan(image, network)


def test_a_plan_is_refused_as_the_inference_is(network):
    inferer = OverlapTileInferer(96, halo=8, memory_limit=50 * MIB, output="labels")
    with pytest.raises(MemoryLimitError, match=r"the limit is 50 MiB: pass roi_size"):
        inferer.plan(torch.zeros(1, 1, 96, 96, 96), network)


def test_labels_are_named_where_logits_do_not_fit_and_these_do(network):
    image = torch.zeros(1, 1, 96, 96, 96)
    labels = OverlapTileInferer(32, halo=8, output="labels").plan(image, network).needed_bytes
    with pytest.raises(MemoryLimitError, match=r"pass output='labels' \(.*\), or roi_size \["):
        OverlapTileInferer(32, halo=8, memory_limit=labels)(image, network)
    with pytest.raises(MemoryLimitError, match=r"pass output='labels' \(.*\) and roi_size \["):
        OverlapTileInferer(32, halo=8, memory_limit=9 * MIB)(image, network)  # logits: 10.1 MiB


def test_a_slab_that_does_not_fit_takes_smaller_windows(network):
    image = torch.zeros(1, 1, 300, 256, 256)
    blend = {"mode": "blend", "output": "labels"}
    small = OverlapTileInferer(16, **blend).plan(image, network).needed_bytes
    assert small < OverlapTileInferer(64, **blend).plan(image, network).answer_bytes
    with pytest.raises(MemoryLimitError, match="pass roi_size"):
        OverlapTileInferer(64, memory_limit=small, **blend).plan(image, network)


def test_where_nothing_fits_the_least_is_told(network):
    image = torch.zeros(1, 1, 96, 96, 96)
    with pytest.raises(
        MemoryLimitError, match=r"the least that works is \d+ MiB: raise the limit$"
    ) as e:
        OverlapTileInferer(96, halo=40, memory_limit=3 * MIB, output="labels")(image, network)
    least = OverlapTileInferer(84, halo=40, output="labels").plan(image, network)
    assert f"that works is {format_bytes(least.needed_bytes)}" in str(e.value)


def test_windows_too_small_for_the_network_are_not_named():
    network = NestedUNet(3, 1, 2, channels=(4, 8, 16), norm="instance").eval()
    image = torch.zeros(1, 1, 16, 16, 16)  # windows of 4 have one voxel at the deepest level
    with pytest.raises(MemoryLimitError, match="the least that works is"):
        OverlapTileInferer(16, halo=0, memory_limit=4100, output="labels").plan(image, network)


def test_each_way_to_run_a_network_has_a_plan_of_its_own(network):
    image = torch.zeros(1, 1, 32, 32, 32)
    inferer = OverlapTileInferer(32, halo=0, output="labels")
    half, full = (
        inferer.plan(image, Predictor(network, "cpu", backend="eager", precision=kind))
        for kind in ("bfloat16", "float32")
    )
    assert full.network_bytes > 2 * half.network_bytes


def test_without_a_limit_it_is_what_is_free(network, monkeypatch):
    monkeypatch.setattr("medseg.inference.tiles.memory_plan.find_available_bytes", lambda: 5 * MIB)
    with pytest.raises(MemoryLimitError, match="there is 5 MiB"):
        OverlapTileInferer(32, halo=8)(torch.zeros(1, 1, 64, 64, 64), network)


def test_what_the_allocator_keeps_is_handed_back_before_a_refusal(network, monkeypatch):
    free = [5 * MIB]
    monkeypatch.setattr("medseg.inference.tiles.memory_planner.free_bytes", lambda device: free[0])
    monkeypatch.setattr(
        "medseg.inference.tiles.memory_planner.release_freed_memory",
        lambda: free.__setitem__(0, 500 * MIB),
    )
    image = torch.zeros(1, 1, 64, 64, 64)
    assert OverlapTileInferer(32, halo=8).plan(image, network).needed_bytes < 500 * MIB
    assert free == [500 * MIB]


def test_a_limit_above_what_is_free_does_not_make_it_more(network, monkeypatch):
    monkeypatch.setattr("medseg.inference.tiles.memory_planner.free_bytes", lambda device: 5 * MIB)
    inferer = OverlapTileInferer(32, halo=8, memory_limit="1000 GiB")
    with pytest.raises(MemoryLimitError, match=r"there is 5 MiB: pass output='labels' .* and roi"):
        inferer(torch.zeros(1, 1, 64, 64, 64), network)


@pytest.mark.parametrize("held", [True, False])
def test_what_a_predictor_holds_for_its_windows_is_not_needed_again(network, monkeypatch, held):
    fast = Predictor(network, "cpu", backend="eager", precision="float32")
    monkeypatch.setattr(fast, "holds", lambda shape: held and shape == (2, 1, 32, 32, 32))
    image = torch.zeros(1, 1, 64, 64, 64)
    inferer = OverlapTileInferer(32, halo=0, batch_size=2, output="labels")
    needed = inferer.plan(image, fast)
    passing = 4 * (1 + 3) * 2 * 32**3  # image and logits of two windows
    free = needed.answer_bytes + passing if held else needed.needed_bytes
    monkeypatch.setattr("medseg.inference.tiles.memory_planner.free_bytes", lambda device: free)
    assert inferer.plan(image, fast) == needed
    monkeypatch.setattr("medseg.inference.tiles.memory_planner.free_bytes", lambda device: free - 1)
    with pytest.raises(MemoryLimitError, match=f"there is {format_bytes(free - 1, floor)}"):
        inferer.plan(image, fast)


def test_labels_of_more_classes_than_a_byte_counts_are_refused():
    image = torch.zeros(1, 1, 16, 16)
    network = NestedUNet(2, 1, 257, channels=(2, 4, 4)).eval()
    with pytest.raises(
        ValueError, match="labels must be 0 to 255, and the network gives 257 channels"
    ):
        OverlapTileInferer(16, halo=0, output="labels")(image, network)
    assert OverlapTileInferer(16, halo=0).plan(image, network).answer_bytes == 4 * 257 * 256


@pytest.mark.parametrize("halo", [0, "auto"])
def test_a_network_that_gives_a_list_is_refused(halo):
    network = BasicUNetPlusPlus(2, features=(2, 2, 2, 2, 2, 2)).eval()
    with pytest.raises(TypeError, match="must give one tensor for an image, got list: call eval"):
        OverlapTileInferer(32, halo=halo, stride=16)(torch.zeros(1, 1, 64, 64), network)


def test_where_the_system_does_not_tell_nothing_is_refused(network, monkeypatch):
    monkeypatch.setattr("medseg.inference.tiles.memory_plan.find_available_bytes", lambda: None)
    image = torch.zeros(1, 1, 16, 16, 16)
    assert OverlapTileInferer(16, halo=0)(image, network).shape == (1, 3, 16, 16, 16)


def test_flips_take_their_sum_and_what_is_flipped(network):
    image = torch.zeros(1, 1, 32, 32, 32)
    plain, flipped = (
        OverlapTileInferer(32, halo=0, flips=flips).plan(image, network).answer_bytes
        for flips in ((), (0,))
    )
    assert flipped - plain == 4 * 32**3 * (3 + 3 + 1)  # sum, logits and image, of 3 and 1 channels


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"]])
def test_classes_that_do_not_fit_the_network_are_refused(network, names):
    classes = {name: [n + 1] for n, name in enumerate(names)}
    inferer = OverlapTileInferer(32, halo=0, classes=classes)
    with pytest.raises(ValueError, match=f"need {len(names) + len(names) // 3} channels, .* 3: "):
        inferer.plan(torch.zeros(1, 1, 32, 32, 32), network)


class Elsewhere(NeverRun):
    """A network whose weights are on another device."""

    def parameters(self, recurse=True):
        return iter([torch.nn.Parameter(torch.zeros(1, device="meta"))])


@pytest.mark.parametrize(("device", "there"), [("meta", 1 * MIB), ("cpu", 2 * MIB)])
def test_windows_count_where_they_are_computed_and_the_answer_where_the_image_is(
    monkeypatch, device, there
):
    network = Elsewhere(3, 1, 3, channels=(8, 16, 32)).eval()
    free = {"meta": 2**40, "cpu": 2**40, device: there}
    monkeypatch.setattr(
        "medseg.inference.tiles.memory_planner.free_bytes", lambda at: free[at.type]
    )
    image = torch.zeros(1, 1, 64, 64, 64)
    inferer = OverlapTileInferer(64, halo=0)
    needed = inferer._planner._plan_unchecked(image, network)
    short = needed.network_bytes if device == "meta" else needed.answer_bytes
    expected = f"needs {format_bytes(short)} of memory .*there is {format_bytes(there, floor)}"
    with pytest.raises(MemoryLimitError, match=expected):
        inferer.plan(image, network)
