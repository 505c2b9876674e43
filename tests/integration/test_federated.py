"""MONAI's federated clients run the bundles as they are, from any folder."""

import json
import shutil
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from integration import commands

from medseg.datasets import phantom
from medseg.datasets.prepare import prepare

SQUARE = {"image_size": [48, 48], "channels": [4, 8, 16]}
CUBE = {"image_size": [16, 16, 16], "channels": [4, 8, 16]}
RESAMPLED = {"spacing_mm": [8, 8, 5], "strides": 2, "kernel_size": 3}


@dataclass(frozen=True)
class Recipe:
    """The phantom of a bundle, what makes its network and patches small, and the cases it has.

    Of six cases in five folds two are in the first fold, with which a bundle is evaluated.
    """

    kind: str
    changes: dict[str, Any]
    training: int = 4
    evaluation: int = 2


RECIPES = {
    "hippocampus": Recipe("mr", CUBE, evaluation=1),  # one of the six is held out for the test
    "liver": Recipe("ct", SQUARE),
    "liver_3d": Recipe("ct", {**CUBE, **RESAMPLED}),
    "nuclei": Recipe("microscopy", SQUARE),
}
NAMES = [
    pytest.param(name, marks=() if name == "hippocampus" else pytest.mark.long) for name in RECIPES
]

TRAIN = """
import sys
from monai.fl.client import MonaiAlgo
from monai.fl.utils.exchange_object import ExchangeObject

client = MonaiAlgo(
    bundle_root=sys.argv[1],
    local_epochs=1,
    config_train_filename="configs/train.json",
    config_evaluate_filename=["configs/train.json", "configs/evaluate.json"],
)
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
print("counts", {part: (each["data_count"], each["fail_count"]) for part, each in found.items()})
"""


@pytest.fixture(scope="module", params=NAMES)
def client(request, tmp_path_factory, repository):
    """A copy of a bundle as a federated application holds it, with a phantom; and its recipe."""
    name, recipe = request.param, RECIPES[request.param]
    root = tmp_path_factory.mktemp(name)
    size = {"size": 64, "slices": 12}
    published = phantom.write(recipe.kind, root / "published", cases=6, seed=0, **size)
    prepare(name.removesuffix("_3d"), published, root / "data")
    app = root / "app" / "model"
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(repository / "bundles" / name, app, symlinks=True, ignore=ignore)
    changes = {**recipe.changes, "num_workers": 0, "dataset_dir": str(root / "data")}
    for workflow in ("train", "evaluate"):
        file = app / "configs" / f"{workflow}.json"
        config = json.loads(file.read_text())
        changed = {key: value for key, value in changes.items() if key in config}
        file.write_text(json.dumps({**config, **changed}))
    return app, recipe


def test_a_client_trains_and_evaluates_round_by_round(client, tmp_path):
    app, _ = client
    done = commands.run([sys.executable, "-c", TRAIN, str(app)], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    rounds = [line for line in done.stdout.splitlines() if line.startswith("metrics")]
    assert len(rounds) == 2
    assert rounds[0] == rounds[1]  # the same weights were given: nothing of round 1 is left
    assert "'mean_dice'" in rounds[0]
    (run,) = (tmp_path / "runs").glob("*/*/run.json")
    record = json.loads(run.read_text())
    assert (record["epochs"], record["resumed"]) == (2, [])


def test_a_client_gives_statistics_of_training_and_evaluation_cases(client, tmp_path):
    app, recipe = client
    done = commands.run([sys.executable, "-c", STATISTICS, str(app)], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("counts")]
    assert f"'train': ({recipe.training}, 0)" in line  # none of them failed
    assert f"'eval': ({recipe.evaluation}, 0)" in line
