"""A network that starts from another one learns more from few cases than one that starts anew."""

import csv

import numpy as np
import pytest
from cli.commands import run_medseg

from medseg.datasets.hippocampus import list_cases

pytestmark = [pytest.mark.slow, pytest.mark.realdata]

FEW = 10


def write_table(path, items):
    """The first cases are for training, the others for the validation: fold 0."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "label", "fold"])
        writer.writerows(
            [item["image"], item["label"], int(number < FEW)] for number, item in enumerate(items)
        )


def run(*words):
    ended = run_medseg(*words)
    assert ended.exit_code == 0, ended.stderr[-2000:]


def train(name, *words):
    run("train", "-b", "bundles/few", "--output_dir", f"runs/{name}", "--max_epochs", 20,
        "--val_interval", 20, "--fold", 0, "--device", "cpu", *words)  # fmt: skip


def score(name):
    """The mean Dice of each judged case."""
    run("evaluate", "-b", f"runs/{name}", "--output_dir", f"runs/{name}/scores")
    found = {}
    with open(f"runs/{name}/scores/metrics.csv", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["case"], []).append(float(row["dice"]))
    return np.array([np.mean(found[case]) for case in sorted(found)])


def test_fine_tuned_on_ten_cases_beats_from_scratch_on_ten_cases(data_root, tmp_path, monkeypatch):
    """From a network that tells two parts apart to one that finds the whole of them."""
    monkeypatch.chdir(tmp_path)
    unseen = list_cases(data_root / "hippocampus", "test")  # by the weights of the bundle
    write_table(tmp_path / "few.csv", unseen)
    run("new", "few", "--data", "few.csv", "--classes", "{'hippocampus': [1, 2]}")
    train("scratch")
    train("tuned", "--start_from", "hippocampus")
    gain = score("tuned") - score("scratch")
    low, high = np.percentile(
        np.random.default_rng(0).choice(gain, (2000, len(gain))).mean(axis=1), (2.5, 97.5)
    )
    print(f"gain {gain.mean():.4f}, 95 % {low:.4f} to {high:.4f}, {len(gain)} cases")
    assert len(gain) == len(unseen) - FEW
    assert low > 0
