"""Training with two processes by torchrun, over gloo on the CPU: the run that one process makes.

One process with a batch of 4 and two with 2 each have the same images in every step, start from the
same weights, and take the mean of the same losses. So they draw the same curve and end with the
same weights, up to the order of float32 additions, where nothing is drawn at random for each
process and no normalisation reaches over the batch.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigParser
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from medseg.base import errors
from medseg.bundles.build import FLAT_NAMES
from medseg.datasets import phantom
from medseg.datasets.prepare import prepare
from medseg.plausibility import read_ranges

pytestmark = pytest.mark.long

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"

LOSS_TOLERANCE = 1e-5
"""Of a loss or a Dice near 1, in float32, after 20 steps; measured: 2e-7."""
WEIGHT_TOLERANCE = 1e-4
"""Of a weight after as many steps; measured: 1e-6."""

LONGEST_SECONDS = 900
"""A launch takes about 15 s, and minutes on a busy machine; more is a process that waits."""

TINY = {
    "channels": [2, 4, 6],
    "head_weights": [1, 1],
    "num_workers": 0,
    "folds": 2,
    "max_epochs": 2,
    "val_interval": 1,
    "mixed_precision": False,
}
NOTHING_RANDOM = {"flip_prob": 0, "affine_prob": 0, "intensity_prob": 0}
LIVER = {
    **TINY,
    **NOTHING_RANDOM,
    "elastic_prob": 0,
    "image_size": [48, 48],  # the phantom's, so that the crop has one place
    "val_slice_step": 3,  # 9 slices to validate on: unequal shares
    "learning_rate": 0.01,
    "warmup_epochs": 1,
}
WITHOUT_NORM = {"norm": "$None"}
"""MONAI's command line leaves out an override that is None."""
HIPPOCAMPUS = {
    **TINY,
    **NOTHING_RANDOM,
    "image_size": [24, 24, 24],
    "optimizer#_target_": "torch.optim.SGD",  # Adam does not notice gradients that are twice as big
    "learning_rate": 0.1,
    "lr_schedule": "cosine",
}


PICTURES = {**TINY, **NOTHING_RANDOM, **WITHOUT_NORM, "elastic_prob": 0, "learning_rate": 0.01}
BORDERS = {**PICTURES, "image_size": [48, 48]}
"""For a target that carries border weights: em_membrane."""
IGNORED = {**PICTURES, "image_size": [48, 96], "flip_prob_axis0": 0}
"""For pixels that do not count: cityscapes, whose phantom is twice as wide as high."""


@dataclass
class Run:
    """What a training left: the curves by name, the weights at its end, the order of its items."""

    curves: Mapping[str, list[float]]
    weights: Mapping[str, torch.Tensor]
    items: list[list[str]] = field(default_factory=list)
    """Case and slice of every item, batch by batch."""
    log: str = ""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """The working directory, with bundles and their phantoms: an even number of cases to train."""
    root = tmp_path_factory.mktemp("several")
    for name in ("liver", "liver_3d", "hippocampus", "em_membrane", "cityscapes"):
        ignore = shutil.ignore_patterns("model.pt")
        shutil.copytree(BUNDLES / name, root / "bundles" / name, symlinks=True, ignore=ignore)
    phantom.write("ct", root / "data/liver", cases=6, size=48, slices=8)
    phantom.write("mr", root / "data/hippocampus", cases=10, size=48)
    for name, kind, cases in (("em_membrane", "membrane", 12), ("cityscapes", "city", 8)):
        published = phantom.write(kind, root / "published" / name, cases=cases, size=48)
        prepare(name, published, root / "data" / name)
    deterministic = torch.are_deterministic_algorithms_enabled()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield root
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="module")
def liver_by_one(workspace) -> Run:
    return by_one("liver", {**LIVER, **WITHOUT_NORM, "batch_size": 4, "max_epochs": 3}, "liver_one")


@pytest.fixture(scope="module")
def liver_by_two(workspace) -> Run:
    """By the literal command."""
    choices = {**LIVER, **WITHOUT_NORM, "batch_size": 2, **files("liver_two")}
    done = torchrun("-m", *command("liver", choices))
    assert done.returncode == 0, done.stderr[-3000:]
    return left_in("liver_two", done.stderr)


@pytest.fixture(scope="module")
def worker(liver_by_two) -> dict[str, Any]:
    """What the worker prints, after more runs in one launch: another bundle, batch norm, resume."""
    copy_run("liver_two", "resumed_by_two")
    resume = {**LIVER, **WITHOUT_NORM, "max_epochs": 3, "resume": True, "batch_size": 2}
    jobs = [
        job("hippocampus", {**HIPPOCAMPUS, "batch_size": 1, **files("hippocampus_two")}),
        job("liver", {**LIVER, "batch_size": 2, **files("batch_norm_two")}),
        job("liver", {**resume, **files("resumed_by_two")}),
        job("em_membrane", {**BORDERS, "batch_size": 1, **files("em_membrane_two")}),
        job("cityscapes", {**IGNORED, "batch_size": 1, **files("cityscapes_two")}),
    ]
    done = torchrun(str(Path(__file__).with_name("two_processes.py")), *jobs)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_two_processes_draw_the_loss_curve_of_one_with_the_same_global_batch(
    liver_by_one, liver_by_two
):
    curve = liver_by_two.curves["train_loss"]
    assert len(curve) == 2 * 6  # 24 slices in batches of 4
    assert np.ptp(curve) > 1000 * LOSS_TOLERANCE
    assert curve == pytest.approx(liver_by_one.curves["train_loss"][:12], abs=LOSS_TOLERANCE)


def test_in_3d_they_end_with_the_same_weights_too(worker, workspace):
    one = by_one("hippocampus", {**HIPPOCAMPUS, "batch_size": 2}, "hippocampus_one")
    two = left_in("hippocampus_two")
    assert len(two.curves["train_loss"]) == 2 * 2  # 4 cases in batches of 2
    assert two.curves.keys() == {"train_loss", "learning_rate", "val_mean_dice", "val_mean_iou"}
    for name, curve in two.curves.items():
        assert np.ptp(curve) > 10 * LOSS_TOLERANCE
        assert curve == pytest.approx(one.curves[name], abs=LOSS_TOLERANCE)
    assert_close(two.weights, one.weights)


@pytest.mark.parametrize(("name", "choices"), [("em_membrane", BORDERS), ("cityscapes", IGNORED)])
def test_border_weights_and_ignored_pixels_change_nothing_of_that(name, choices, worker):
    one = by_one(name, {**choices, "batch_size": 2}, f"{name}_one")
    two = left_in(f"{name}_two")
    assert len(two.curves["train_loss"]) == 2 * 2  # 4 pictures in batches of 2
    assert np.ptp(two.curves["train_loss"]) > 100 * LOSS_TOLERANCE
    for curve, values in two.curves.items():
        assert values == pytest.approx(one.curves[curve], abs=LOSS_TOLERANCE)
    assert_close(two.weights, one.weights)


def test_the_score_is_that_of_all_cases_where_the_processes_have_unequal_shares(
    liver_by_one, liver_by_two
):
    for name in ("val_mean_dice", "val_mean_iou"):
        assert len(liver_by_two.curves[name]) == 2
        expected = liver_by_one.curves[name][:2]
        assert liver_by_two.curves[name] == pytest.approx(expected, abs=LOSS_TOLERANCE)


def test_only_one_process_writes_the_best_weights_and_the_log_of_scores(liver_by_two, workspace):
    lines = re.findall(r"\bepoch (\d)/2: ", liver_by_two.log)
    assert lines == ["1", "2"]
    assert "; device: 2 processes, " in liver_by_two.log
    assert "of another run" not in liver_by_two.log
    state = torch.load(workspace / "runs/liver_two/model.pt", weights_only=True)
    assert state.keys() == liver_by_two.weights.keys()
    assert not any(key.startswith("module.") for key in state)
    left = {path.name for path in (workspace / "runs/liver_two").iterdir()}
    assert {re.sub("^events.*", "events", name) for name in left if not name.endswith(".lock")} == {
        *("events", "model.pt", "model.trained_on.json", "resume.pt"),
        *("epochs.csv", "progress.png", "run.log"),
        *("labels.json", "labels.label", "labels.ctbl", "overlays"),
        *("LICENSE", "configs", "docs", "models", "run.json", *FLAT_NAMES),
    }
    found = read_ranges(workspace / "runs/liver_two/model.pt")  # each process measured its part
    assert (found.cases, list(found.classes)) == (3, ["liver"])  # half of 6 cases


def test_a_run_of_two_processes_that_is_resumed_ends_as_if_never_interrupted(liver_by_one, worker):
    resumed = left_in("resumed_by_two")
    assert len(resumed.curves["train_loss"]) == 3 * 6
    rates = resumed.curves["learning_rate"]
    assert rates == pytest.approx([0.01 * n / 7 for n in range(1, 7)] + [0.01] * 12)
    expected = liver_by_one.curves["train_loss"]
    assert resumed.curves["train_loss"] == pytest.approx(expected, abs=LOSS_TOLERANCE)
    assert_close(resumed.weights, liver_by_one.weights)


def test_a_run_of_two_processes_goes_on_with_one(liver_by_one, liver_by_two):
    copy_run("liver_two", "resumed_by_one")
    choices = {**LIVER, **WITHOUT_NORM, "max_epochs": 3, "resume": True, "batch_size": 4}
    resumed = by_one("liver", choices, "resumed_by_one")
    expected = liver_by_one.curves["train_loss"][12:]
    assert resumed.curves["train_loss"] == pytest.approx(expected, abs=LOSS_TOLERANCE)
    assert_close(resumed.weights, liver_by_one.weights)


def test_batch_norm_normalises_over_the_share_of_a_process_on_the_cpu(worker, workspace):
    one = by_one("liver", {**LIVER, "batch_size": 4}, "batch_norm_one")
    two = left_in("batch_norm_two")
    assert len(two.curves["val_mean_dice"]) == 2  # unequal shares do not block each other
    apart = np.subtract(*(run.curves["train_loss"] for run in (one, two)))
    assert 10 * LOSS_TOLERANCE < np.abs(apart).max() < 0.1


def test_every_parameter_has_the_same_gradient_in_both_processes_under_every_topology(worker):
    assert len(worker) == 10
    for variant, found in worker.items():
        assert found["processes"] == 2
        assert found["parameters"] > 20
        assert (found["without"], found["zero"], found["spread"]) == ([], [], 0.0), variant


def test_medseg_train_by_torchrun_is_the_same_run_in_one_folder_of_all(liver_by_two, workspace):
    code = "from medseg.cli import main; main()"
    choices = {**LIVER, "norm": None, "batch_size": 2}
    words = [word for key, value in choices.items() for word in (f"--{key}", json.dumps(value))]
    done = torchrun("--no-python", sys.executable, "-c", code, "train", "-b", "liver", *words)
    assert done.returncode == 0, done.stderr[-3000:]
    [run] = (workspace / "runs" / "liver").iterdir()
    found = torch.load(run / "resume.pt", weights_only=True)["network"]
    assert_close(found, liver_by_two.weights)
    assert not (workspace / "bundles/liver/models/model.pt").exists()  # it has other channels


def test_a_case_that_is_refused_ends_both_processes_each_with_one_line(workspace):
    source = workspace / "data/liver"
    shutil.copytree(source, workspace / "data/broken")
    [cut, *_] = validation_labels(workspace / "data/broken")
    cut.write_bytes(cut.read_bytes()[:300])
    overrides = {**TINY, "image_size": [16, 16, 16], "strides": 2, "kernel_size": 3}
    overrides |= {"spacing_mm": [8, 8, 5], "dataset_dir": "data/broken"}
    done = torchrun("-m", *command("liver_3d", {**overrides, **files("broken")}))
    assert done.returncode == 1
    said = re.findall(r"^.*error: (.*)$", done.stderr, re.M)
    assert {line for line in said if cut.name in line} == {
        "1 of 3 cases refused, correct them or leave them out: validation case liver_000: "
        f"gzip stream of {cut} ends early: copy or download the file again "
        "(see docs/how-to/read-a-refusal.md)"
    }
    assert len(said) <= 2  # each process says it once, or that it lost the other
    others = {line for line in said if cut.name not in line}
    assert others <= {errors.explain_lost_process(RuntimeError("Connection closed by peer"))}
    assert "[rank0]: Traceback" not in done.stderr
    assert "[rank1]: Traceback" not in done.stderr


def test_every_epoch_has_every_slice_once_in_an_order_of_its_own(liver_by_one):
    batches = liver_by_one.items
    epochs = [list(chain(*batches[start : start + 6])) for start in (0, 6, 12)]
    assert {len(set(epoch)) for epoch in epochs} == {24}
    assert len({tuple(epoch) for epoch in epochs}) == 3


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_the_global_batches_do_not_depend_on_the_number_of_processes(processes):
    alone = distribute(24, processes=1, rank=0)
    shares = [distribute(24, processes=processes, rank=rank) for rank in range(processes)]
    assert all(len(share) == 24 // processes for share in shares)
    batch = 2 * processes
    for step in range(24 // batch):
        together = {item for share in shares for item in share[2 * step : 2 * (step + 1)]}
        assert together == set(alone[batch * step : batch * (step + 1)])


def test_items_that_cannot_be_dealt_evenly_are_drawn_twice():
    shares = [distribute(5, processes=2, rank=rank) for rank in range(2)]
    assert [len(share) for share in shares] == [3, 3]
    assert set(shares[0]) | set(shares[1]) == set(range(5))


def by_one(name: str, choices: Mapping[str, Any], out: str) -> Run:
    """Train in this process by train.json, with eyes on every step."""
    parser = ConfigParser(ConfigParser.load_config_file(f"bundles/{name}/train.json"))
    parser.update({**choices, **files(out)})
    curves: dict[str, list[float]] = {"train_loss": [], "learning_rate": []}
    items = []

    def step(trainer) -> None:
        curves["train_loss"].append(float(trainer.state.output[0]["loss"]))
        curves["learning_rate"].append(trainer.optimizer.param_groups[0]["lr"])
        items.append([f"{i.get('case')} {i.get('slice')}" for i in trainer.state.batch])

    def score(evaluator) -> None:
        for metric, value in evaluator.state.metrics.items():
            curves.setdefault(metric, []).append(value)

    *before, run = (f"training#{number}" for number in range(len(parser["training"])))
    for step_before in before:  # the seed, before there is a network
        parser.get_parsed_content(step_before)
    trainer = parser.get_parsed_content("train#trainer")
    trainer.add_event_handler(Events.ITERATION_COMPLETED, step)
    parser.get_parsed_content("validate#evaluator").add_event_handler(Events.COMPLETED, score)
    parser.get_parsed_content(run)
    return Run(curves, weights_of(out), items)


def left_in(out: str, log: str = "") -> Run:
    """What a run in other processes left in its folder, the curves as TensorBoard has them."""
    events = EventAccumulator(f"runs/{out}")
    events.Reload()
    tags = events.Tags()["scalars"]
    curves = {tag: [point.value for point in events.Scalars(tag)] for tag in tags}
    return Run(curves, weights_of(out), log=log)


def weights_of(out: str) -> dict[str, torch.Tensor]:
    return torch.load(f"runs/{out}/resume.pt", weights_only=True)["network"]


def copy_run(out: str, copy: str) -> None:
    shutil.copytree(f"runs/{out}", f"runs/{copy}", ignore=shutil.ignore_patterns("*.lock"))


def files(out: str) -> dict[str, str]:
    return {"output_dir": f"runs/{out}", "weights": f"runs/{out}/model.pt"}


def job(name: str, choices: Mapping[str, Any]) -> str:
    """A run of the worker, see `two_processes`."""
    return json.dumps({"bundle": name, **choices})


def command(name: str, choices: Mapping[str, Any]) -> list[str]:
    """What follows `torchrun -m` on a user's command line."""
    files = [f"bundles/{name}/{file}.json" for file in ("train", "multi_gpu_train")]
    overrides = [word for key, value in choices.items() for word in (f"--{key}", str(value))]
    return ["monai.bundle", "run", "training", "--config_file", str(files), *overrides]


def torchrun(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Two processes to their end, one thread each, output captured; none outlives the test."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *arguments]
    cpu = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen(
        [sys.executable, *launch],
        env={**os.environ, **cpu},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        out, err = process.communicate(timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()  # torchrun ends its processes; a kill would leave them behind
        _, err = process.communicate(timeout=60)
        pytest.fail(f"not at its end after {LONGEST_SECONDS} s: {err[-3000:]}")
    return subprocess.CompletedProcess(launch, process.returncode, out, err)


def distribute(count: int, *, processes: int, rank: int) -> list[int]:
    """The items that the sampler of the configs gives one of several processes, in order."""
    config = json.loads((BUNDLES / "liver/configs/train.json").read_text())
    parser = ConfigParser(config)
    parser["train"]["dataset"] = list(range(count))
    parser["train"]["sampler"] |= {"num_replicas": processes, "rank": rank}
    return list(parser.get_parsed_content("train#sampler"))


def validation_labels(folder: Path) -> list[Path]:
    config = ConfigParser(ConfigParser.load_config_file("bundles/liver_3d/train.json"))
    config.update({"dataset_dir": str(folder), "folds": 2})
    return [Path(case["label"]) for case in config.get_parsed_content("validate#dataset#data")]


def assert_close(got: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    assert got.keys() == expected.keys()
    for key, value in got.items():
        assert torch.allclose(value, expected[key], rtol=0, atol=WEIGHT_TOLERANCE), key
