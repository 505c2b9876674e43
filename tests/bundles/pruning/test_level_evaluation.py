"""Tests of medseg.bundles.pruning.level_evaluation: what is scored is what was read."""

import pytest
import torch
from bundles.edited import SMALL

from medseg.bundles.pruning.level_evaluation import LevelEvaluation
from medseg.networks import load_weights


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_weights_that_change_right_after_they_were_read_are_noticed(bundle, monkeypatch, change):
    """A training that goes on may write better ones at any moment."""
    file = bundle / "models" / "model.pt"

    def read_and_lose(network, path):
        load_weights(network, path)
        if change == "removed":
            file.unlink()
        else:
            torch.save({k: v + 1 for k, v in network.state_dict().items()}, file)

    monkeypatch.setattr("medseg.bundles.pruning.level_evaluation.load_weights", read_and_lose)
    evaluation = LevelEvaluation(bundle, SMALL)
    evaluation.build_trained_network()
    with pytest.raises(
        ValueError,
        match=r"model.pt changed while its levels were scored: wait "
        "until .*",
    ):
        evaluation.describe()
