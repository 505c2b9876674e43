"""Weights load where they fit; where they do not, the error says why in one line."""

import itertools
import re
import sys

import pytest
import torch

from medseg.networks import TOPOLOGIES, NestedUNet, load_weights


def make(**options):
    return NestedUNet(2, 1, 2, **({"channels": (2, 3, 4)} | options))


def test_a_file_loads_back(tmp_path):
    source, path = make(), tmp_path / "model.pt"
    torch.save(source.state_dict(), path)
    loaded = load_weights(make(), path)
    assert all(torch.equal(v, loaded.state_dict()[k]) for k, v in source.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_become_the_network_s_own_type(dtype):
    half = {key: value.to(dtype) for key, value in make().state_dict().items()}
    state = load_weights(make(), half).state_dict()
    assert {value.dtype for value in state.values()} == {torch.float32}
    assert all(torch.equal(value, half[key].float()) for key, value in state.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"channels": (2, 3, 5)},
            r"fit a unet_plusplus with channels \(2, 3, 5\) and 1 head for 2 output channels, this "
            r"network is a unet_plusplus with channels \(2, 3, 4\) and 1 head for 2 output channels"
            r": nodes\.x2_0\.first\.conv\.weight is \(5, 3, 3, 3\) there and \(4, 3, 3, 3\) here, "
            r"0 keys are missing, 0 unexpected",
        ),
        (
            {"topology": "unet"},
            r"the weights fit a unet with channels \(2, 3, 4\) and 1 head for 2 output channels, ",
        ),
        (
            {"deep_supervision": True},
            r"2 heads for 2 output channels, .* nodes\.x0_1\.head\.weight .* absent here, 0 .* 2 ",
        ),
        ({"norm": None}, "absent there and .* 24 keys are missing, 0 unexpected"),  # 6 nodes
    ],
)
def test_weights_of_another_network_are_refused(options, message):
    network = make()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=message) as caught:
        load_weights(network, make(**options).state_dict())
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("kept", [0, 1, 100, 5000, -1])
def test_a_file_cut_short_is_refused_by_name(tmp_path, kept):
    path = tmp_path / "model.pt"
    torch.save(make().state_dict(), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"model\.pt cannot be read .* cut short"):
        load_weights(make(), path)


@pytest.mark.parametrize("content", [[1, 2], {"shadow": [torch.ones(1)]}])
def test_anything_but_a_flat_state_dict_is_refused(tmp_path, content):
    path = tmp_path / "model.pt"
    torch.save(content, path)
    with pytest.raises(ValueError, match=r"model\.pt must be a flat state dict"):
        load_weights(make(), path)


def test_a_file_cannot_run_code(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"weight": print}, path)
    with pytest.raises(ValueError, match=r"cannot be read \(UnpicklingError\)"):
        load_weights(make(), path)


def test_weights_of_another_kind_are_refused():
    with pytest.raises(ValueError, match=r"network of another kind with channels \(\) and 0 heads"):
        load_weights(make(), {"conv.weight": torch.ones(1)})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        load_weights(make(), tmp_path / "absent.pt")


FAMILY = {
    name: {
        "topology": name,
        "deep_supervision": name != "unet",
        "channels": (2, 3, 4, 3),
        "skip_channels": 2,
    }
    for name in TOPOLOGIES
}


@pytest.mark.parametrize(("name", "other"), list(itertools.permutations(TOPOLOGIES, 2)))
def test_weights_of_another_topology_are_refused(name, other):
    """With one exception: UNet^e pruned to its last level is the U-Net, to the last weight."""
    network, state = make(**FAMILY[name]), make(**FAMILY[other]).state_dict()
    parts = [network.prune(level) for level in network.topology.levels]
    unet = (name, other) == ("unet_e", "unet")
    for part in [network, *(parts[:-1] if unet else parts)]:
        with pytest.raises(ValueError, match=rf"fit a {other} with .* is a {name} with"):
            load_weights(part, state)
    if unet:
        assert list(load_weights(parts[-1], state).state_dict()) == list(state)


@pytest.mark.parametrize("options", [{}, {"upsample": "interp", "norm": None}])
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_the_message_names_the_topology_of_the_weights(name, options):
    with pytest.raises(ValueError, match=rf"fit a {name} with channels \(2, 3, 4, 3\) and"):
        load_weights(make(), make(**(FAMILY[name] | options)).state_dict())


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_message_names_the_topology_of_pruned_weights(level):
    pruned = make(**FAMILY["unet_3plus"]).prune(level)
    with pytest.raises(ValueError, match=r"fit a unet_3plus with channels \(2, 3, 4, 3\) and 1 he"):
        load_weights(make(), pruned.state_dict())


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_part_takes_the_weights_of_the_whole(name):
    options = FAMILY[name] | {"class_guide": name != "unet"}
    whole = make(**options)
    state = whole.state_dict()
    for level in whole.topology.levels:
        for part in (make(**options).prune(level), make(**options, level=level)):
            loaded = load_weights(part, state).state_dict()
            assert loaded.keys() <= state.keys()
            assert all(torch.equal(value, state[key]) for key, value in loaded.items())


def change(state, **changes):
    return {key: value for key, value in (state | changes).items() if value is not None}


@pytest.mark.parametrize(
    "changes",
    [
        {"nodes.x0_2.first.conv.weight": None},  # a key short, of a node that the part lacks
        {"nodes.x0_2.first.conv.bias": torch.ones(3)},  # another shape there
        {"nodes.x0_3.first.conv.bias": torch.ones(2)},  # a node that no topology of depth 2 has
        {"decoder.weight": torch.ones(1)},
        {"nodes.x0_0.first.conv.bias": None},  # a key short that the part needs
    ],
)
def test_weights_that_are_not_those_of_the_whole_do_not_fit_a_part(changes):
    network = make(deep_supervision=True)
    with pytest.raises(ValueError, match=r"this network is a unet_plusplus with channels \(2, 3\)"):
        load_weights(network.prune(1), change(network.state_dict(), **changes))


def test_the_whole_does_not_take_the_weights_of_a_part():
    network = make(deep_supervision=True)
    with pytest.raises(ValueError, match=r"keys are missing, 0 unexpected"):
        load_weights(network, network.prune(1).state_dict())


def test_weights_of_another_level_are_refused():
    network = make(deep_supervision=True, channels=(2, 3, 4, 5))
    with pytest.raises(ValueError, match=r"nodes\.x0_1\.head\.weight is absent there"):
        load_weights(network.prune(1), network.prune(3).state_dict())


def test_weights_of_other_classes_are_told_by_the_classes_alone(tmp_path):
    torch.save(make(deep_supervision=True).state_dict(), tmp_path / "model.pt")
    network = NestedUNet(2, 1, 3, channels=(2, 3, 4), deep_supervision=True)
    told = r"give 2 output channels, this network has 3: pass the classes, or out_channels, that it"
    with pytest.raises(ValueError, match=told):
        load_weights(network, tmp_path / "model.pt")


@pytest.mark.parametrize(("there", "here"), [(2, 3), (3, 2)])
def test_weights_of_another_number_of_axes_are_refused_in_few_words(there, here):
    state = NestedUNet(there, 1, 2, channels=(2, 3, 4)).state_dict()
    message = f"weights are those of a {there}D network, this one is {here}D: pass the weights that"
    with pytest.raises(ValueError, match=message):
        load_weights(NestedUNet(here, 1, 2, channels=(2, 3, 4)), state)


# ---- wrapped


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {f"module.{k}": v for k, v in s.items()},
        lambda s: {f"_orig_mod.{k}": v for k, v in s.items()},
        lambda s: {f"module._orig_mod.{k}": v for k, v in s.items()},
        lambda s: {f"_orig_mod.module.{k}": v for k, v in s.items()},
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s, "optimizer": {"lr": 1.0}},
        lambda s: {"state_dict": {f"model.{k}": v for k, v in s.items()}, "epoch": 3},
        lambda s: {"state_dict": {f"network.module.{k}": v for k, v in s.items()}},
    ],
)
def test_weights_of_a_wrapped_network_are_loaded_and_logged(wrap, tmp_path, caplog):
    source, path = make(deep_supervision=True), tmp_path / "model.pt"
    torch.save(wrap(source.state_dict()), path)
    loaded = load_weights(make(deep_supervision=True), path).state_dict()
    assert all(torch.equal(v, loaded[k]) for k, v in source.state_dict().items())
    assert "model.pt: " in caplog.text
    assert re.search("was removed from every key|was taken", caplog.text)


def test_weights_that_data_parallel_itself_wrapped_are_loaded():
    source = make()
    loaded = load_weights(make(), torch.nn.DataParallel(source).state_dict()).state_dict()
    assert all(torch.equal(v, loaded[k]) for k, v in source.state_dict().items())


def test_weights_of_an_averaged_model_are_loaded():
    network = make()
    averaged = torch.optim.swa_utils.AveragedModel(network)
    averaged.update_parameters(network)
    state = load_weights(make(), averaged.state_dict()).state_dict()
    assert all(torch.equal(state[k], v) for k, v in network.state_dict().items())
    parallel = torch.optim.swa_utils.AveragedModel(torch.nn.DataParallel(network)).state_dict()
    state = load_weights(make(), {"state_dict": parallel}).state_dict()
    assert all(torch.equal(state[k], v) for k, v in network.state_dict().items())


def test_a_count_beside_weights_that_nothing_wrapped_is_refused():
    with pytest.raises(ValueError, match="n_averaged"):
        load_weights(make(), {**make().state_dict(), "n_averaged": torch.tensor(3)})


def test_wrapped_weights_of_the_whole_network_load_into_a_pruned_one():
    whole = make(deep_supervision=True)
    wrapped = {f"module.{k}": v for k, v in whole.state_dict().items()}
    part = load_weights(whole.prune(1), wrapped).state_dict()
    assert all(torch.equal(v, whole.state_dict()[k]) for k, v in part.items())


def test_plain_weights_are_loaded_without_a_word(caplog):
    load_weights(make(), make().state_dict())
    assert not caplog.text


def test_weights_wrapped_in_part_are_refused_and_nothing_is_loaded():
    network, state = make(), make().state_dict()
    first = next(iter(state))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    mixed = {(f"module.{k}" if k == first else k): v for k, v in state.items()}
    both = {**state, **{f"module.{k}": v for k, v in state.items()}}
    for given in (mixed, both):
        with pytest.raises(ValueError, match=r"wrapped in part: \d+ of \d+ keys begin with module"):
            load_weights(network, given)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_a_checkpoint_of_several_networks_is_refused():
    state = make().state_dict()
    with pytest.raises(ValueError, match=r"several state dicts \(state_dict, model\)"):
        load_weights(make(), {"state_dict": state, "model": state})


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"ema": state, "epoch": 3},
        lambda state: {"model_state": state},
        lambda state: {"state_dict": {"model": state}},
        lambda state: {"state_dict": state, "state_dict_ema": {k: v + 1 for k, v in state.items()}},
    ],
)
def test_the_state_dict_of_a_checkpoint_is_found_by_what_it_is(wrap):
    state = make().state_dict()
    loaded = load_weights(make(), wrap(state)).state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_of_several_under_names_of_their_own_none_is_guessed():
    state = make().state_dict()
    with pytest.raises(ValueError, match=r"several state dicts \(student, teacher\)"):
        load_weights(make(), {"student": state, "teacher": state})


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_file_of_safetensors_is_read_whatever_its_name(tmp_path, name, prefix):
    safetensors = pytest.importorskip("safetensors.torch")
    state = make().state_dict()
    safetensors.save_file({prefix + key: value for key, value in state.items()}, tmp_path / name)
    loaded = load_weights(make(), tmp_path / name).state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_a_file_of_safetensors_that_is_cut_short_is_refused(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(make().state_dict(), tmp_path / "model.safetensors")
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:-1])
    with pytest.raises(ValueError, match=r"model\.safetensors cannot be read .* cut short"):
        load_weights(make(), tmp_path / "model.safetensors")


def test_safetensors_that_is_not_installed_is_named(tmp_path, monkeypatch):
    (tmp_path / "model.pt").write_bytes((2).to_bytes(8, "little") + b"{}")
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ImportError, match="safetensors, which is not installed: pip install"):
        load_weights(make(), tmp_path / "model.pt")


@pytest.mark.parametrize("wrapper", ["ema_model.", "ema_model.module."])
def test_weights_of_a_running_mean_are_loaded(wrapper):
    network, given = make(), make().state_dict()
    load_weights(network, {f"{wrapper}{key}": value for key, value in given.items()})
    assert all(torch.equal(value, given[key]) for key, value in network.state_dict().items())


def test_a_running_mean_beside_its_network_is_refused():
    state = make().state_dict().items()
    both = {
        f"{word}{key}": value for word in ("online_model.", "ema_model.") for key, value in state
    }
    with pytest.raises(ValueError, match=r"wrapped in part: .* begin with ema_model\."):
        load_weights(make(), both)


def test_running_means_without_names_are_refused_with_the_remedy():
    saved = {"decay": 0.9, "num_updates": 3, "shadow_params": list(make().parameters())}
    with pytest.raises(ValueError, match=r"\(shadow_params, .*ema\.copy_to\(\) and save"):
        load_weights(make(), saved)
