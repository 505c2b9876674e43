"""MONAI's federated clients run the bundles as they are, from any folder."""

import json
import shutil
import sys

import pytest
from integration import commands

from medseg.datasets import phantom

SMALL = {"image_size": [64, 64], "channels": [4, 8, 16], "folds": 3, "num_workers": 0}

TRAIN = """
import sys
from monai.fl.client import MonaiAlgo
from monai.fl.utils.exchange_object import ExchangeObject

client = MonaiAlgo(bundle_root=sys.argv[1], local_epochs=1)
client.initialize()
state = client.trainer.network.state_dict()
given = ExchangeObject(weights={key: value.clone() for key, value in state.items()})
for _ in range(2):
    client.train(given)
    back = client.get_weights()
    assert back.weights.keys() == given.weights.keys()
    assert any(abs(difference).sum() > 0 for difference in back.weights.values())
    print("metrics", client.evaluate(given).metrics)
"""

STATISTICS = """
import sys
from monai.fl.client import MonaiAlgoStats
from monai.fl.utils.constants import FlStatistics

client = MonaiAlgoStats(bundle_root=sys.argv[1])
client.initialize()
asked = {FlStatistics.HIST_BINS: [10], FlStatistics.HIST_RANGE: [[-1000, 1000]]}
found = client.get_data_stats(extra=asked).statistics
print("sections", sorted(found))
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory, repository):
    """A copy of the liver bundle as a federated application holds it, with a phantom."""
    root = tmp_path_factory.mktemp("federated")
    phantom.write("ct", root / "data", cases=6, seed=0, size=64, slices=12)
    app = root / "app" / "model"
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(repository / "bundles" / "liver", app, symlinks=True, ignore=ignore)
    for workflow in ("train", "evaluate"):
        file = app / "configs" / f"{workflow}.json"
        config = json.loads(file.read_text())
        changed = {key: value for key, value in SMALL.items() if key in config}
        file.write_text(json.dumps({**config, **changed, "dataset_dir": str(root / "data")}))
    return app


@pytest.mark.long
def test_a_client_trains_and_evaluates_round_by_round(app, tmp_path):
    done = commands.run([sys.executable, "-c", TRAIN, str(app)], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    rounds = [line for line in done.stdout.splitlines() if line.startswith("metrics")]
    assert len(rounds) == 2
    assert rounds[0] == rounds[1]  # the same weights were given: nothing of round 1 is left
    assert "'mean_dice'" in rounds[0]
    (run,) = (tmp_path / "runs" / "liver").glob("*/run.json")
    told = json.loads(run.read_text())
    assert (told["epochs"], told["resumed"]) == (2, [])


@pytest.mark.long
def test_a_client_gives_statistics_of_training_and_evaluation_cases(app, tmp_path):
    done = commands.run([sys.executable, "-c", STATISTICS, str(app)], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("sections")]
    assert "'eval'" in line
    assert "'train'" in line
