"""Tests of medseg.networks.weights.transfer: what fits is taken, and computes what it did."""

import pytest
import torch

from medseg.networks import NestedUNet, transfer_weights

CHANNELS = (4, 8, 16)


def make(dims=2, inputs=1, outputs=2, *, seed=0, **options):
    torch.manual_seed(seed)
    options = {"channels": CHANNELS, "norm": None, **options}
    return NestedUNet(dims, inputs, outputs, **options).eval()


def test_the_same_network_takes_everything():
    source, target = make(seed=1), make(seed=2)
    found = transfer_weights(target, source.state_dict())
    assert (found.new, found.resized, found.unused) == ((), {}, ())
    image = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(target(image), source(image))


def test_other_classes_leave_all_but_the_heads():
    found = transfer_weights(make(outputs=5, seed=2), make(seed=1).state_dict())
    assert found.new
    assert all(".head." in key for key in found.new)
    assert not found.resized


def test_a_3d_network_gives_for_slices_that_are_alike_what_the_2d_one_gave():
    source, target = make(seed=1), make(3, seed=2)
    found = transfer_weights(target, source.state_dict())
    heads = {key: value[..., None] for key, value in source.state_dict().items() if ".head." in key}
    heads = {k: v if v.ndim == 5 else v[..., 0] for k, v in heads.items()}
    target.load_state_dict({**target.state_dict(), **heads})
    assert set(found.resized.values()) == {"2D to 3D"}
    image = torch.rand(1, 1, 16, 16)
    volume = image[..., None].expand(1, 1, 16, 16, 40).contiguous()
    with torch.no_grad():
        torch.testing.assert_close(target(volume)[..., 20], source(image), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("channels", [3, 4])
def test_the_same_image_in_each_of_other_input_channels_gives_what_it_gave(channels):
    source, target = make(seed=1), make(inputs=channels, seed=2)
    found = transfer_weights(target, source.state_dict())
    assert list(found.resized.values()) == [f"1 to {channels} input channels"]
    image = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(
        target(image.expand(1, channels, 16, 16)), source(image), atol=1e-5, rtol=1e-4
    )


def test_colour_becomes_grey():
    source, target = make(inputs=3, seed=1), make(seed=2)
    transfer_weights(target, source.state_dict())
    image = torch.rand(1, 1, 16, 16)
    mean = {
        key: value.mean(dim=1, keepdim=True).expand_as(value) if value.shape[1:2] == (3,) else value
        for key, value in source.state_dict().items()
    }
    source.load_state_dict(mean)
    torch.testing.assert_close(
        target(image), source(image.expand(1, 3, 16, 16)), atol=1e-5, rtol=1e-4
    )


def test_a_flat_kernel_lies_in_the_middle_of_a_thick_one():
    flat = [[3, 3, 1]] * 3
    source, target = make(3, kernel_size=flat, seed=1), make(3, seed=2)
    found = transfer_weights(target, source.state_dict())
    assert "kernel 1 to 3" in found.resized.values()
    volume = torch.rand(1, 1, 16, 16, 16)
    heads = {key: value for key, value in source.state_dict().items() if ".head." in key}
    target.load_state_dict({**target.state_dict(), **heads})
    torch.testing.assert_close(target(volume), source(volume), atol=1e-5, rtol=1e-4)


def test_a_deeper_network_keeps_what_the_other_has():
    found = transfer_weights(make(channels=(4, 8, 16, 32), seed=2), make(seed=1).state_dict())
    assert found.new
    assert all("x3_" in key or "_1" in key or "_2" in key or "_3" in key for key in found.new)
    assert len(found.kept) > 10


@pytest.mark.parametrize("topology", ["unet", "unet_plusplus", "unet_3plus"])
@pytest.mark.parametrize("norm", [None, ("instance", {"affine": True}), "batch"])
def test_a_wider_network_gives_what_the_narrower_one_gave(topology, norm):
    options = {"topology": topology, "norm": norm}
    source, target = make(seed=1, **options), make(channels=(8, 20, 32), seed=2, **options)
    found = transfer_weights(target, source.state_dict())
    assert not found.new
    assert "more channels" in found.resized.values()
    image = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(target(image), source(image), atol=1e-5, rtol=1e-4)


def test_new_channels_of_a_wider_network_learn():
    target = make(channels=(8, 16, 32), seed=2).train()
    transfer_weights(target, make(seed=1).state_dict())
    target(torch.rand(1, 1, 16, 16)).square().mean().backward()
    head = next(p.grad for key, p in target.named_parameters() if key.endswith("head.weight"))
    assert (head[:, 4:].abs().sum(dim=(1, 2, 3)) > 0).all()


def test_a_wider_3d_network_gives_for_slices_that_are_alike_what_a_narrower_2d_one_gave():
    source, target = make(seed=1), make(3, channels=(8, 16, 32), seed=2)
    found = transfer_weights(target, source.state_dict())
    assert "2D to 3D and more channels" in found.resized.values()
    assert all(".head." in key for key in found.new)


def test_what_is_not_in_the_network_is_named():
    found = transfer_weights(make(seed=2), make(channels=(4, 8, 16, 32), seed=1).state_dict())
    assert any("x3_0" in key for key in found.unused)


def test_weights_of_which_nothing_fits_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing of these weights fits this network"):
        transfer_weights(make(), make(channels=(5, 7, 9)).state_dict())
    torch.save(make(channels=(5, 7, 9)).state_dict(), tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"nothing of .*w\.pt fits this network"):
        transfer_weights(make(), tmp_path / "w.pt")


def test_other_channels_are_named_where_nothing_fits():
    other = NestedUNet(2, 1, 2, channels=(6, 8, 8))
    with pytest.raises(ValueError, match=r"\(it begins with 6 channels, and this one with 4\): st"):
        transfer_weights(NestedUNet(2, 1, 2, channels=(4, 16, 16)), other.state_dict())


def test_it_is_described_in_one_line():
    line = transfer_weights(make(3, outputs=3, seed=2), make(seed=1).state_dict()).describe()
    assert "kept" in line
    assert "resized (2D to 3D)" in line
    assert "head" in line
    assert "\n" not in line
