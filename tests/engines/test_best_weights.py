"""Tests of medseg.engines.best_weights: which weights are kept, and when a run ends."""

import math
import os

import pytest
import torch
from engines.tiny_run import BATCH, CASES, cases, tiny_evaluator, tiny_network
from ignite.engine import Engine, Events
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedTrainer
from monai.handlers import ValidationHandler
from torch.nn.parallel import DataParallel, DistributedDataParallel

from medseg.engines import BestWeights

STEPS = CASES // BATCH


class CountingNetwork(torch.nn.Module):
    """A network whose only weight is the number of batches that it was trained on."""

    def __init__(self):
        super().__init__()
        self.steps = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x + 0 * self.steps


class Count:
    """Stands for an optimiser."""

    def __init__(self, network):
        self.network = network

    def zero_grad(self, **_):
        pass

    def step(self):
        with torch.no_grad():
            self.network.steps += 1


class Scored:
    """A trainer whose validations score what the test says, one after the other."""

    def __init__(self, path, scores, *, val_interval=1, max_epochs=None, first=False, **kwargs):
        self.network = CountingNetwork()
        self.evaluator = tiny_evaluator(self.network)
        self.best = BestWeights(self.network, path, evaluator=self.evaluator, **kwargs)
        validation = ValidationHandler(val_interval, self.evaluator)
        given = iter(scores)

        def score(engine):
            engine.state.metrics["val_dice"] = next(given)

        self.evaluator.add_event_handler(Events.EPOCH_COMPLETED, score)
        self.trainer = SupervisedTrainer(
            device="cpu",
            max_epochs=max_epochs or len(scores) * val_interval,
            train_data_loader=DataLoader(Dataset(cases()), batch_size=BATCH),
            network=self.network,
            optimizer=Count(self.network),
            loss_function=torch.nn.BCEWithLogitsLoss(),
            train_handlers=[self.best, validation] if first else [validation, self.best],
        )

    def run(self):
        self.trainer.run()
        return self


def epoch_of(path):
    """The epoch at whose end the weights were saved."""
    return int(torch.load(path, weights_only=True)["steps"]) // STEPS


@pytest.fixture
def path(tmp_path):
    return tmp_path / "models" / "model.pt"


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([0.5], 1),
        ([0.5, 0.4, 0.3], 1),
        ([0.1, 0.2, 0.3], 3),
        ([0.1, 0.3, 0.2], 2),
        ([0.3, 0.3], 1),  # as good is no better
        ([0.0, 0.0], 1),
        ([math.nan, 0.2, math.nan], 2),
        ([-5.0, -4.0, -4.5], 2),
    ],
)
def test_the_weights_of_the_best_validation_are_kept(path, scores, best):
    run = Scored(path, scores).run()
    assert epoch_of(path) == best
    assert run.best.score == scores[best - 1]
    assert run.best.epoch == best


@pytest.mark.parametrize(
    ("scores", "patience", "end"),
    [
        ([0.5, 0.4, 0.3, 0.9], 2, 3),
        ([0.5, 0.4, 0.6, 0.5, 0.5, 0.9], 2, 5),  # an improvement starts the count anew
        ([0.5, 0.4, 0.3, 0.2], None, 4),
        ([0.5, math.nan, math.nan, 0.9], 2, 3),
        ([0.5, 0.4, 0.9], 1, 2),
    ],
)
def test_a_run_ends_after_patience_validations_in_a_row_without_improvement(
    path, scores, patience, end
):
    assert Scored(path, scores, patience=patience).run().trainer.state.epoch == end


def test_patience_counts_validations_and_not_epochs(path):
    run = Scored(path, [0.5, 0.4, 0.3, 0.9], patience=2, val_interval=3).run()
    assert run.trainer.state.epoch == 9
    assert epoch_of(path) == 3


def test_the_order_of_the_handlers_does_not_matter(path):
    run = Scored(path, [0.1, 0.3, 0.2], first=True).run()
    assert epoch_of(path) == 2
    assert run.best.misses == 1


def test_the_saved_file_is_the_flat_state_dict_of_the_network(path):
    network = tiny_network()
    evaluator = tiny_evaluator(network)
    BestWeights(network, path, evaluator=evaluator).attach(Engine(lambda *_: None))
    evaluator.run()
    saved = torch.load(path, weights_only=True)
    assert list(saved) == list(network.state_dict())
    assert all(torch.equal(saved[name], value) for name, value in network.state_dict().items())


class Distributed(DistributedDataParallel):
    """The wrapper without a process group, which would have to outlive every forked worker."""

    def __init__(self, module):
        torch.nn.Module.__init__(self)
        self.module = module

    def forward(self, x):
        return self.module(x)


@pytest.mark.parametrize("wrapper", [Distributed, DataParallel])
def test_a_distributed_wrapper_is_taken_off(path, wrapper):
    network = tiny_network()
    wrapped = wrapper(network)
    assert next(iter(wrapped.state_dict())).startswith("module.")
    evaluator = tiny_evaluator(wrapped)
    BestWeights(wrapped, path, evaluator=evaluator).attach(Engine(lambda *_: None))
    evaluator.run()
    assert list(torch.load(path, weights_only=True)) == list(network.state_dict())


def test_a_part_of_the_network_that_is_named_module_stays(path):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = torch.nn.Conv2d(1, 1, 1)

        def forward(self, x):
            return self.module(x)

    network = Net()
    evaluator = tiny_evaluator(network)
    BestWeights(network, path, evaluator=evaluator).attach(Engine(lambda *_: None))
    evaluator.run()
    assert list(torch.load(path, weights_only=True)) == ["module.weight", "module.bias"]


def test_the_file_of_an_earlier_run_is_moved_and_not_lost(path, tmp_path):
    path.parent.mkdir()
    for n in range(3):  # the same time of change: the names must still differ
        path.write_bytes(f"earlier {n}".encode())
        os.utime(path, (1_000_000_000, 1_000_000_000))
        Scored(path, [0.5, 0.6], replaced_dir=tmp_path / "old").run()
        assert epoch_of(path) == 2
    kept = sorted((tmp_path / "old").iterdir())
    assert {p.read_bytes() for p in kept} == {b"earlier 0", b"earlier 1", b"earlier 2"}
    assert all(p.name.startswith("model-2001") and p.suffix == ".pt" for p in kept)


def test_the_file_of_an_earlier_run_stays_until_there_is_a_better_one(path):
    path.parent.mkdir()
    path.write_bytes(b"earlier")
    with pytest.raises(ValueError, match="no validation of this run had a score"):
        Scored(path, [math.nan, math.nan]).run()
    assert path.read_bytes() == b"earlier"


def test_a_save_that_fails_leaves_the_file_before_it(path, monkeypatch):
    def full(state, target):
        target.write_bytes(b"half")
        raise OSError("no space left on device")

    run = Scored(path, [0.1, 0.2])
    run.trainer.add_event_handler(
        Events.EPOCH_STARTED(once=2), lambda _: monkeypatch.setattr(torch, "save", full)
    )
    with pytest.raises(OSError, match="no space left"):
        run.run()
    assert epoch_of(path) == 1
    assert sorted(p.name for p in path.parent.iterdir()) == [".model.pt.lock", "model.pt"]


def test_a_save_that_fails_leaves_the_file_of_an_earlier_run_in_its_place(path, monkeypatch):
    path.parent.mkdir()
    path.write_bytes(b"earlier")

    def full(state, target):
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="no space left"):
        Scored(path, [0.1]).run()
    assert path.read_bytes() == b"earlier"
    assert not (path.parent.parent / "replaced").exists()


def test_a_run_killed_before_it_noted_its_weights_takes_them_for_its_own(path):
    Scored(path, [0.5]).run()
    again = Scored(path, [0.5])  # resumed: the same epoch, so the same weights, bit for bit
    again.run()
    assert not (path.parent.parent / "replaced").exists()


def test_a_run_that_goes_on_elsewhere_says_where_no_weights_are(path, tmp_path, caplog):
    first = Scored(path, [0.5]).run()
    moved = Scored(tmp_path / "elsewhere.pt", [0.4])
    moved.best.load_state_dict(first.best.state_dict())
    moved.run()
    assert "no weights in" in caplog.text
    assert "elsewhere.pt: the best, of epoch 1, were written elsewhere" in caplog.text


def test_a_resumed_run_keeps_score_and_misses(path):
    first = Scored(path, [0.5, 0.4], patience=2).run()
    second = Scored(path, [0.45, 0.9], patience=2)
    second.best.load_state_dict(first.best.state_dict())
    second.run()
    assert second.trainer.state.epoch == 1
    state = second.best.state_dict()
    assert (state["score"], state["epoch"], state["misses"]) == (0.5, 1, 2)
    assert epoch_of(path) == 1


def test_a_run_that_was_stopped_stays_stopped_unless_patience_grows(path):
    stopped = Scored(path, [0.5, 0.4, 0.3], patience=2).run()
    for patience, steps in ((2, 0), (3, STEPS)):
        again = Scored(path, [0.4], patience=patience)
        again.best.load_state_dict(stopped.best.state_dict())
        again.run()
        assert again.network.steps == steps


def test_a_resumed_run_does_not_move_its_own_weights_away(path, tmp_path):
    first = Scored(path, [0.5]).run()
    second = Scored(path, [0.6], replaced_dir=tmp_path / "old")
    second.best.load_state_dict(first.best.state_dict())
    second.run()
    assert second.best.score == 0.6
    assert not (tmp_path / "old").exists()


@pytest.mark.parametrize("interval", [1, 2])
def test_a_run_that_leaves_no_weights_does_not_end_well(path, interval):
    with pytest.raises(ValueError, match=r"no weights in .*model\.pt: no validation"):
        Scored(path, [math.nan], val_interval=interval, max_epochs=1).run()
    assert not path.exists()


def test_the_last_weights_are_kept_where_the_score_says_nothing(path):
    run = Scored(path, [0.5, 0.9, 0.7, math.nan], takes_last=True)
    run.run()
    assert torch.load(path, weights_only=True)["steps"] == 3 * STEPS
    assert (run.best.score, run.best.epoch) == (0.7, 3)


def test_a_run_that_is_stopped_before_its_first_validation_has_weights(path):
    run = Scored(path, [0.5], val_interval=5, max_epochs=9)

    def stop(engine):
        raise KeyboardInterrupt

    run.trainer.add_event_handler(Events.EPOCH_STARTED(once=3), stop)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert torch.load(path, weights_only=True)["steps"] == 2 * STEPS
    assert run.best.score == -math.inf


def test_a_run_that_is_too_short_for_its_first_validation_is_validated_at_its_end(path):
    run = Scored(path, [0.5], val_interval=5, max_epochs=2)
    run.run()
    assert (run.best.score, run.best.epoch) == (0.5, 2)
    assert torch.load(path, weights_only=True)["steps"] == 2 * STEPS


def test_the_last_epoch_is_validated_whatever_the_interval(path):
    run = Scored(path, [0.5, 0.9], val_interval=2, max_epochs=3)
    run.run()
    assert (run.best.score, run.best.epoch) == (0.9, 3)
    assert torch.load(path, weights_only=True)["steps"] == 3 * STEPS


def test_a_last_epoch_that_was_validated_is_not_validated_again(path):
    run = Scored(path, [0.5, 0.4], val_interval=2, max_epochs=4)
    run.run()
    assert run.best.misses == 1
    again = Scored(path, [], val_interval=2, max_epochs=4)
    again.best.load_state_dict(run.best.state_dict())
    again.trainer.state.epoch, again.trainer.state.iteration = 4, 4 * STEPS
    again.best.validate_last(again.trainer)  # with no score left, a validation would fail


@pytest.mark.parametrize("patience", [0, -1])
def test_patience_below_one_is_refused(path, patience):
    with pytest.raises(ValueError, match=f"at least 1 validation, got {patience}"):
        Scored(path, [0.5], patience=patience)


def test_an_evaluator_without_key_metric_is_refused(path):
    with pytest.raises(ValueError, match="need an evaluator with a key metric"):
        BestWeights(tiny_network(), path, evaluator=Engine(lambda *_: None))


def test_a_resumed_run_replaces_its_own_weights_and_sets_those_of_another_run_aside(path):
    first = Scored(path, [0.5]).run()
    own = Scored(path, [0.6])
    own.best.load_state_dict(first.best.state_dict())
    own.run()
    assert not list(path.parent.parent.rglob("model-*.pt"))
    torch.save({"weight": torch.ones(3)}, path)  # another run, with the same path
    later = Scored(path, [0.7])
    later.best.load_state_dict(own.best.state_dict())
    later.run()
    [kept] = path.parent.parent.rglob("model-*.pt")
    assert torch.equal(torch.load(kept, weights_only=True)["weight"], torch.ones(3))
