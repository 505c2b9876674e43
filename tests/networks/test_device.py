"""Tests of medseg.networks.device."""

import pytest
import torch

from medseg.networks import NestedUNet, to_device
from medseg.networks import device as devices
from medseg.networks.device import (
    find_device_name,
    gains_by_bfloat16,
    list_cpu_features,
    require_device,
)
from medseg.networks.export import export


def test_a_network_is_moved_to_the_device():
    network = torch.nn.Linear(1, 1)
    assert to_device(network, "cpu") is network
    assert network.weight.device.type == "cpu"


def test_a_cpu_has_its_makers_name_and_its_features(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_CPU_INFO", tmp_path / "cpuinfo")
    text = "model name\t: AMD EPYC\nflags\t\t: fpu avx2\nmodel name\t: AMD EPYC\n"
    (tmp_path / "cpuinfo").write_text(text)
    assert find_device_name(torch.device("cpu")) == "AMD EPYC"
    assert {"fpu", "avx2"} <= list_cpu_features()


def test_a_system_that_tells_nothing_of_its_cpu_is_not_guessed(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_CPU_INFO", tmp_path / "absent")
    assert list_cpu_features() == set()
    assert find_device_name(torch.device("cpu"))


@pytest.mark.parametrize(
    ("flags", "gains"),
    [("fpu avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx512_bf16x", False), (None, False)],
)
def test_a_cpu_gains_by_bfloat16_if_it_says_so_in_a_whole_word(flags, gains, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_CPU_INFO", tmp_path / "cpuinfo")
    if flags:
        (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\n")
    assert gains_by_bfloat16("cpu") is gains


@pytest.mark.parametrize("device", ["meta", "cuda"])
def test_a_device_that_is_not_there_or_not_known_gains_nothing(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not gains_by_bfloat16(device)


def test_a_device_that_is_there_is_given_back():
    assert require_device("cpu") == require_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize(
    ("device", "reason"), [("cuda:99", ".*"), ("gpu", "torch knows none of that name")]
)
def test_a_device_that_is_not_there_is_refused_in_one_line_with_what_is(device, reason):
    match = rf"device '{device}' cannot be used \({reason}\): this machine has cpu"
    with pytest.raises(ValueError, match=match) as error:
        to_device(torch.nn.Linear(1, 1), device)
    assert "\n" not in str(error.value)


GROUP = ("group", {"num_groups": 2})


@pytest.mark.parametrize(
    ("norm", "dims", "bfloat16", "last"),
    [
        *((norm, dims, True, True) for norm in ("batch", None, "instance") for dims in (2, 3)),
        *((GROUP, dims, True, False) for dims in (2, 3)),
        ("instance", 2, False, True),
        ("instance", 3, False, False),
        ("batch", 3, False, True),
    ],
)
def test_maps_have_their_channels_last_on_a_cpu_where_that_is_faster(
    norm, dims, bfloat16, last, monkeypatch
):
    monkeypatch.setattr(devices, "gains_by_bfloat16", lambda _: bfloat16)
    torch.manual_seed(0)
    network = NestedUNet(dims, 1, 2, channels=(4, 8, 8), norm=norm).eval()
    image = torch.randn(2, 1, *[16] * dims)
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    layout = torch.channels_last if dims == 2 else torch.channels_last_3d
    with torch.no_grad():
        before = network(image)
        after = to_device(network, "cpu")(image)
        with torch.autocast("cpu", torch.bfloat16):
            assert network(image).is_contiguous(memory_format=layout) is last
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, weights[key], rtol=0, atol=0)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_network_that_was_placed_learns_and_is_stored_as_another(norm):
    image = torch.randn(2, 1, 16, 16)
    losses, states = [], []
    for placed in (False, True):
        torch.manual_seed(0)
        network = NestedUNet(2, 1, 2, channels=(4, 8, 8), norm=norm)
        network = to_device(network, "cpu") if placed else network
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        for _ in range(3):
            optimiser.zero_grad()
            loss = network(image).square().mean()
            loss.backward()
            optimiser.step()
        losses.append(loss.item())
        states.append(network.state_dict())
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    again = NestedUNet(2, 1, 2, channels=(4, 8, 8), norm=norm)
    again.load_state_dict(states[1])
    for key, value in again.state_dict().items():
        assert torch.equal(value, states[1][key])


@pytest.mark.long
@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("name", ["network.onnx", "network.pt2", "network.ts"])
def test_a_network_that_was_placed_is_exported(name, norm, tmp_path):
    network = to_device(NestedUNet(2, 1, 2, channels=(4, 8, 8), norm=norm).eval(), "cpu")
    assert export(network, tmp_path / name).is_file()


def test_weights_that_are_tied_stay_tied():
    first, second = torch.nn.Conv2d(2, 2, 3), torch.nn.Conv2d(2, 2, 3)
    second.weight = first.weight
    placed = to_device(torch.nn.Sequential(first, second), "cpu")
    assert placed[0].weight is placed[1].weight
