"""Tests of medseg.networks.ensemble: several networks give the mean of their probabilities."""

import copy

import pytest
import torch

from medseg.inference import OverlapTileInferer, PredictorInferer
from medseg.networks import Ensemble, NestedUNet, fit_to_weights, load_weights, transfer_weights
from medseg.networks.ensemble import average_logits, join_members, split_members


def make_network(seed, classes=3, **changes):
    torch.manual_seed(seed)
    made = NestedUNet(2, 1, classes, channels=(8, 16, 32), **changes)
    return made.eval()


@pytest.fixture(scope="module")
def members():
    return [make_network(seed, deep_supervision=True) for seed in range(3)]


@pytest.fixture(scope="module")
def ensemble(members):
    return Ensemble(members, activation="softmax").eval()


@pytest.fixture(scope="module")
def image():
    return torch.rand(1, 1, 40, 48, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def weights(members, tmp_path):
    torch.save(join_members([member.state_dict() for member in members]), tmp_path / "model.pt")
    return tmp_path / "model.pt"


def test_softmax_of_the_logits_is_the_mean_of_the_members(ensemble, members, image):
    with torch.no_grad():
        mean = torch.stack([member(image).softmax(1) for member in members]).mean(0)
        torch.testing.assert_close(ensemble(image).softmax(1), mean)


def test_sigmoid_of_the_logits_is_the_mean_of_the_members(members, image):
    with torch.no_grad():
        mean = torch.stack([member(image).sigmoid() for member in members]).mean(0)
        found = Ensemble(members, activation="sigmoid").eval()(image)
    torch.testing.assert_close(found.sigmoid(), mean)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_sure_members_give_finite_logits(activation):
    sure = torch.tensor([[-1e4, 1e4]])[..., None]
    found = average_logits([sure, sure.half(), -sure], activation)
    assert found.isfinite().all()
    assert found.dtype == torch.float32
    chance = found.softmax(1) if activation == "softmax" else found.sigmoid()
    torch.testing.assert_close(chance[0, 1, 0], torch.tensor(2 / 3))


def test_pruned_it_is_the_ensemble_of_its_pruned_members(ensemble, members, image):
    with torch.no_grad():
        pruned = [member.prune(1).eval()(image) for member in members]
        torch.testing.assert_close(
            ensemble.prune(1).eval()(image), average_logits(pruned, "softmax")
        )


def test_its_weights_come_back_from_a_file_of_half_the_size(ensemble, weights, image):
    fitted = fit_to_weights(make_network(9, deep_supervision=True), weights, activation="softmax")
    assert len(fitted.members) == 3
    with torch.no_grad():
        found = load_weights(fitted, weights).eval()(image)
        torch.testing.assert_close(found, ensemble(image), atol=0.01, rtol=0)
    full = sum(w.numel() * w.element_size() for w in ensemble.state_dict().values())
    assert weights.stat().st_size < 0.6 * full + 200_000


def test_a_file_of_one_network_leaves_the_network_as_it_is(members, tmp_path):
    torch.save(members[0].state_dict(), tmp_path / "model.pt")
    for file in ("model.pt", "absent.pt"):
        assert fit_to_weights(members[0], tmp_path / file, activation="softmax") is members[0]


def test_a_weight_that_float16_does_not_hold_keeps_its_type():
    state = {
        "large": torch.tensor([1e6, 1.0]),
        "small": torch.tensor([0.5]),
        "count": torch.tensor(3),
    }
    joined = join_members([state, state])
    assert joined["members.0.large"].dtype == torch.float32
    assert joined["members.1.small"].dtype == torch.float16
    assert joined["members.1.count"].dtype == torch.int64


def test_weights_of_as_many_networks_alone_are_loaded(ensemble, members, weights):
    with pytest.raises(ValueError, match="are those of 3 networks, and here is 1: pass those of"):
        load_weights(copy.deepcopy(members[0]), weights)
    with pytest.raises(ValueError, match="are those of 1 network, and here are 3"):
        load_weights(copy.deepcopy(ensemble), members[0].state_dict())


def test_weights_that_lack_a_member_are_refused(members):
    state = join_members([member.state_dict() for member in members])
    gap = {key: value for key, value in state.items() if not key.startswith("members.1.")}
    with pytest.raises(ValueError, match=r"the members \[0, 2\]: some are missing"):
        split_members(gap)
    with pytest.raises(ValueError, match="in part"):
        split_members({**state, "other": torch.zeros(1)})


def test_another_network_starts_from_the_first_of_an_ensemble(members, weights):
    network = make_network(9, deep_supervision=True)
    assert not transfer_weights(network, weights).new
    before = members[0].state_dict()
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, before[key], atol=1e-3, rtol=1e-3)


def test_members_of_two_designs_or_a_single_one_are_refused(members):
    other = NestedUNet(2, 1, 3, channels=(8, 16, 32), strides=(2, 1))
    with pytest.raises(ValueError, match="of one design"):
        Ensemble([members[0], other], activation="softmax")
    with pytest.raises(ValueError, match="2 networks or more, got 1"):
        Ensemble(members[:1], activation="softmax")


def test_it_is_not_trained(ensemble, image):
    with pytest.raises(ValueError, match="train its members"):
        copy.deepcopy(ensemble).train()(image)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inferer: inferer,
        lambda inferer: PredictorInferer(inferer, "cpu", backend="eager", enabled=False),
    ],
)
def test_overlap_tile_gives_what_the_whole_image_gives(members, image, wrap):
    with_batch_norm = [make_network(seed, norm="batch") for seed in range(2)]
    ensemble = Ensemble(with_batch_norm, activation="softmax").eval()
    with torch.no_grad():
        whole = ensemble(image)
        tiled = wrap(OverlapTileInferer(64, edge="network"))(image, ensemble)
        torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=1e-4)
        labels = wrap(
            OverlapTileInferer(64, edge="network", output="labels", classes={"a": [1], "b": [2]})
        )(image, ensemble)
    assert labels[:, 0].equal(whole.argmax(1).to(torch.uint8))


def test_the_mean_of_logits_is_taken_where_that_is_asked_for(members, image, weights):
    whole = fit_to_weights(make_network(7), weights, activation="softmax", average="logits")
    assert whole.activation == "none"
    logits = [torch.full((1, 2, 1), 3.0), torch.full((1, 2, 1), -1.0)]
    assert average_logits(logits, "none").flatten().tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="average must be one of probabilities, logits"):
        fit_to_weights(members[0], weights, activation="softmax", average="votes")
