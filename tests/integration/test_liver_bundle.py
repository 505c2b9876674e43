"""The liver bundle end to end, on a small phantom: the user's commands, as a user gives them."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from integration import commands
from PIL import Image

from medseg.bundles.check import find_faults
from medseg.datasets import phantom
from medseg.ingest import load
from medseg.metrics import score_case
from medseg.plausibility import read_ranges

TRAIN = [
    *(sys.executable, "-m", "monai.bundle", "run", "training"),
    *("--config_file", "bundles/liver/train.json"),
]
CHANNELS = [4, 8, 16, 32, 64]
NETWORK = ["--image_size", "[64,64]", "--channels", json.dumps(CHANNELS)]
DICE_THRESHOLD = 0.8
"""A phantom's liver cannot be had above this by a threshold on HU (see test_phantom)."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory, repository) -> Path:
    """A folder with a phantom and the bundles, as in a user's checkout; liver is small."""
    root = tmp_path_factory.mktemp("workspace")
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(repository / "bundles", root / "bundles", symlinks=True, ignore=ignore)
    for file in (root / "bundles/liver/configs").glob("*.json"):
        config = json.loads(file.read_text())
        file.write_text(
            json.dumps(config | {"channels": CHANNELS} if "channels" in config else config)
        )
    phantom.write("ct", root / "data" / "liver", cases=8, seed=0, size=64, slices=16)
    return root


@pytest.fixture(scope="module")
def trained(workspace) -> Path:
    """The workspace after the user's literal command, with overrides that make it short."""
    short = ["--max_epochs", "8", "--num_workers", "0", "--learning_rate", "0.01"]
    done = run_afresh([*TRAIN, *NETWORK, *short], workspace)
    assert done.returncode == 0, done.stderr[-2000:]
    (workspace / "said.txt").write_text(done.stderr, newline="")
    return workspace


@pytest.fixture(scope="module")
def trained_run(trained) -> Path:
    """The folder of that run."""
    (folder,) = (path.parent for path in (trained / "runs/liver").glob("*/run.json"))
    return folder


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run to the end, output captured, see `commands`."""
    return commands.run(command, cwd)


def run_afresh(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same by an interpreter that starts as a user's does, and imports everything itself."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=900, check=False
    )


def medseg(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from medseg.cli import main; main()", *arguments]


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.strip().splitlines()[-1]


def test_the_literal_command_shows_plain_lines_and_keeps_log_table_and_curves(trained, trained_run):
    with (trained / "said.txt").open(newline="") as file:
        said = file.read()
    assert "\r" not in said
    assert re.findall(r" INFO: epoch (\d)/8: ", said) == [*"12345678"]
    assert re.search(
        r"cases: 6 training, 2 validation, 1 test; batches: \d+ in an epoch; folder: runs/liver/",
        said,
    )
    assert said.rstrip().endswith(f"medseg segment INPUT -b runs/liver/{trained_run.name} -o masks")
    assert "input summary" not in said
    log = (trained_run / "run.log").read_text()
    assert "> learning_rate: 0.01" in log
    assert "epoch 8/8: " in log
    with (trained_run / "epochs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [*"12345678"]
    assert all(0 <= float(row["val_mean_dice: liver"]) <= 1 for row in rows)
    assert float(rows[-1]["loss"]) < 0
    with Image.open(trained_run / "progress.png") as picture:
        assert picture.format == "PNG"


def test_the_literal_command_trains_and_leaves_flat_weights_and_a_resume_file(trained_run):
    state = torch.load(trained_run / "models/model.pt", weights_only=True)
    assert all(torch.is_tensor(value) for value in state.values())
    assert (trained_run / "resume.pt").is_file()
    assert len(list(trained_run.glob("events.out.tfevents.*"))) == 1
    assert (trained_run / "overlays" / "epoch_0001.png").is_file()
    assert (trained_run / "labels.json").is_file()


def test_the_bundle_had_no_weights_and_has_those_of_its_first_run(trained, trained_run):
    published = trained / "bundles/liver/models"
    assert (published / "model.pt").read_bytes() == (trained_run / "models/model.pt").read_bytes()
    assert read_ranges(published / "model.pt").settings["classes"] == {"liver": [1, 2]}


def test_the_run_segments_without_any_other_option_as_the_bundle_with_all(trained, trained_run):
    image = str(trained / "data/liver/imagesTs/liver_008.nii.gz")
    for words in (["-b", str(trained_run), "-o", "masks/run"], ["-o", "masks/bundle", *NETWORK]):
        done = run(medseg("segment", image, *words), trained)
        assert done.returncode == 0, done.stderr[-2000:]
    one, other = (load(trained / f"masks/{name}/liver_008.nii.gz") for name in ("run", "bundle"))
    assert one[0].any()
    assert np.array_equal(one[0], other[0])


def test_the_run_is_evaluated_on_its_own_held_out_cases(trained, trained_run):
    done = run(medseg("evaluate", "-b", str(trained_run)), trained)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((trained_run / "evaluation/metrics_summary.json").read_text())
    assert found["classes"]["liver"]["dice"]["n"] == 2


def test_a_run_has_no_faults_and_says_what_it_is(trained_run):
    assert find_faults(str(trained_run)) == []
    told = json.loads((trained_run / "run.json").read_text())
    assert (told["bundle"], told["epochs"]) == ("liver", 8)
    assert told["cases"] == {"training": 6, "validation": 2, "test": 1}
    assert told["scores"]["val_mean_dice"] > 0


def test_weights_are_refused_for_other_classes_than_they_were_trained_for(trained, trained_run):
    image = str(trained / "data/liver/imagesTs/liver_008.nii.gz")
    weights = ["--weights", str(trained_run / "models/model.pt"), *NETWORK]
    other = ["--classes", "{'spleen': [1]}", "-o", "masks/spleen"]
    done = run(medseg("segment", image, *other, *weights), trained)
    assert done.returncode == 2
    assert "classes: trained with liver, used with spleen" in last_line(done)
    assert not (trained / "masks/spleen").exists()


def test_weights_copied_alone_into_a_bundle_of_other_classes_are_refused(trained, trained_run):
    ignore = shutil.ignore_patterns("models")
    spleen = Path(shutil.copytree(trained / "bundles/liver", trained / "spleen", ignore=ignore))
    for file in spleen.glob("configs/*.json"):
        config = json.loads(file.read_text())
        file.write_text(json.dumps(config | {"classes": {"spleen": [1]}}))
    (spleen / "models").mkdir()
    shutil.copy(trained_run / "models/model.pt", spleen / "models")
    image = str(trained / "data/liver/imagesTs/liver_008.nii.gz")
    done = run(medseg("segment", image, "-b", "spleen", "-o", "masks/alone", *NETWORK), trained)
    assert done.returncode == 2
    assert "classes: trained with liver, used with spleen" in last_line(done)
    assert not (trained / "masks/alone").exists()


def test_scores_of_weights_used_with_other_settings_say_so(trained, trained_run):
    other = ["--window_hu", "[-100,200]", "--other_settings", "True", "--output_dir", "runs/other"]
    done = run(medseg("evaluate", "-b", str(trained_run), *other), trained)
    assert done.returncode == 0, done.stderr[-2000:]
    about, own = (
        json.loads((folder / "metrics_summary.json").read_text())["about"]
        for folder in (trained / "runs/other", trained_run / "evaluation")
    )
    said = "window_hu: trained with [-160, 240], used with [-100, 200]"
    assert (about["other_settings"], own["other_settings"]) == ([said], [])


def test_a_dicom_study_is_segmented_on_its_own_grid_above_the_stated_dice(trained):
    study = trained / "data/liver/dicom/liver_008"
    done = run_afresh(medseg("segment", str(study), "-o", "masks/dicom", *NETWORK), trained)
    assert done.returncode == 0, done.stderr[-2000:]
    mask, grid = load(trained / "masks/dicom/liver_008.nii.gz")
    _, source = load(study)
    assert grid.same_grid(source)
    assert (trained / "masks/dicom/liver_008.png").stat().st_size > 1000
    truth, truth_grid = load(trained / "data/liver/labelsTs/liver_008.nii.gz")
    assert dice_in_world(mask, grid.affine, truth, truth_grid.affine) > DICE_THRESHOLD


@pytest.mark.long
def test_a_folder_of_cases_gives_each_label_map_the_shape_and_affine_of_its_input(trained):
    images = trained / "data/liver/imagesTr"
    done = run(medseg("segment", str(images), "-o", "masks/folder", *NETWORK), trained)
    assert done.returncode == 0, done.stderr[-2000:]
    for path in images.glob("*.nii.gz"):
        source, mask = nib.load(path), nib.load(trained / "masks/folder" / path.name)
        assert mask.shape == source.shape
        assert np.allclose(mask.affine, source.affine, atol=1e-4)
        assert mask.get_data_dtype() == np.uint8


def test_one_case_that_fails_does_not_stop_the_others_and_the_exit_status_is_1(trained):
    cases = trained / "some_broken"
    cases.mkdir()
    good = trained / "data/liver/imagesTs/liver_008.nii.gz"
    shutil.copy(good, cases / "good.nii.gz")
    (cases / "broken.nii.gz").write_bytes(good.read_bytes()[:2000])
    done = run(medseg("segment", str(cases), "-o", "masks/some", *NETWORK), trained)
    assert done.returncode == 1
    assert last_line(done).startswith("error: 1 of 2 cases failed (broken)")
    written = sorted(p.name for p in (trained / "masks/some").iterdir())
    assert written.pop().startswith("segmentation_")  # the record of the command
    ends = (".nii.gz", ".png", "_measurements.csv", "_measurements.json", "_report.html")
    of_good = [f"good{end}" for end in ends]
    assert written == [*of_good, "index.html", "labels.ctbl", "labels.json", "labels.label"]


def test_label_maps_that_exist_are_never_overwritten_unasked(trained):
    image = str(trained / "data/liver/imagesTs/liver_008.nii.gz")
    out = trained / "masks/kept"
    out.mkdir(parents=True)
    (out / "liver_008.nii.gz").write_bytes(b"precious")
    refused = run(medseg("segment", image, "-o", str(out), *NETWORK), trained)
    assert refused.returncode == 2
    assert "--existing overwrite" in last_line(refused)
    assert (out / "liver_008.nii.gz").read_bytes() == b"precious"


def test_the_model_zoo_form_of_the_inference_config_runs_from_inside_the_bundle(trained):
    command = [
        *(sys.executable, "-m", "monai.bundle", "run", "inference"),
        *("--config_file", "configs/inference.json"),
        *("--dataset_dir", "../../data/liver", "--output_dir", "../../masks/zoo", *NETWORK),
    ]
    done = run(command, trained / "bundles/liver")
    assert done.returncode == 0, done.stderr[-2000:]
    assert (trained / "masks/zoo/liver_008.nii.gz").is_file()


def test_evaluation_writes_a_row_per_case_and_a_summary(trained):
    done = run(medseg("evaluate", "--section", "validation", *NETWORK), trained)
    assert done.returncode == 0, done.stderr[-2000:]
    with (trained / "runs/liver/metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["case"] for row in rows}) == len(rows) == 2  # 8 cases in 5 folds: 2 in fold 0
    assert {"dice", "iou", "hd95_mm", "surface_dice_2mm", "true_ml"} <= set(rows[0])
    assert (trained / "runs/liver/distribution_1_liver.png").is_file()
    assert (trained / "runs/liver/worst_cases.png").is_file()
    assert last_line(done).startswith("Means over the cases")
    summary = json.loads((trained / "runs/liver/metrics_summary.json").read_text())
    mean = np.mean([float(row["dice"]) for row in rows])
    assert summary["classes"]["liver"]["dice"]["mean"] == pytest.approx(mean, abs=1e-5)


@pytest.fixture(scope="module")
def pruned(trained) -> Path:
    """The trained workspace after `medseg prune`."""
    done = run(medseg("prune", "--bundle", "bundles/liver", "--repeats", "2", *NETWORK), trained)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "bundles/liver_pruned" in done.stdout
    return trained


@pytest.mark.long
def test_pruning_scores_every_level_and_exports_the_smallest_within_the_tolerance(pruned):
    report = json.loads((pruned / "runs/liver/prune/prune.json").read_text())
    *levels, everything = report["levels"]
    assert [row["level"] for row in levels] == ["L1", "L2", "L3", "L4"]
    assert everything["level"] == "all"
    for row in report["levels"]:
        summary = pruned / "runs/liver/prune" / row["level"] / "metrics_summary.json"
        scores = json.loads(summary.read_text())["classes"]["liver"]
        assert (row["iou"], row["cases"]) == (scores["iou"]["mean"], 2)
    best = max(row["iou"] for row in levels)
    enough = [row["level"] for row in levels if best - row["iou"] <= 0.006]
    assert report["chosen"] == enough[0]
    exported = json.loads((pruned / "bundles/liver_pruned/inference.json").read_text())
    assert exported["level"] == int(enough[0][1:])


@pytest.mark.long
def test_the_pruned_bundle_passes_every_check_and_its_weights_are_a_part_of_the_whole(pruned):
    assert find_faults(str(pruned / "bundles/liver_pruned")) == []
    part, whole = (
        torch.load(pruned / "bundles" / name / "models/model.pt", weights_only=True)
        for name in ("liver_pruned", "liver")
    )
    assert part.keys() <= whole.keys()
    assert all(torch.equal(value, whole[key]) for key, value in part.items())


@pytest.mark.long
def test_the_pruned_bundle_segments_as_the_whole_one_in_fast_mode(pruned):
    image = str(pruned / "data/liver/imagesTs/liver_008.nii.gz")
    chosen = json.loads((pruned / "runs/liver/prune/prune.json").read_text())["chosen"]
    fast = ["--level", chosen.removeprefix("L"), *NETWORK]
    whole = run(medseg("segment", image, "-o", "masks/fast", *fast), pruned)
    assert whole.returncode == 0, whole.stderr[-2000:]
    small = ["segment", image, "-o", "masks/pruned", "-b", "bundles/liver_pruned"]
    done = run(medseg(*small), pruned)
    assert done.returncode == 0, done.stderr[-2000:]
    one, other = (load(pruned / f"masks/{name}/liver_008.nii.gz") for name in ("fast", "pruned"))
    assert one[0].any()
    assert np.array_equal(one[0], other[0])


@pytest.mark.long
def test_pruning_into_a_folder_that_is_there_is_refused(pruned):
    done = run(medseg("prune", *NETWORK), pruned)
    assert done.returncode == 2
    assert "liver_pruned exists: remove it, or name another folder" in last_line(done)


@pytest.mark.long
def test_a_pruned_bundle_cannot_be_pruned_again(pruned):
    done = run(medseg("prune", "-b", "bundles/liver_pruned"), pruned)
    assert done.returncode == 2
    assert "prune the bundle that it was made from" in last_line(done)


def test_weights_of_another_channel_list_are_refused_in_one_line(trained):
    image = str(trained / "data/liver/imagesTs/liver_008.nii.gz")
    other = ["--channels", "[4,8,16,32]", "--image_size", "[64,64]"]
    done = run(medseg("segment", image, "-o", "masks/other", *other), trained)
    assert done.returncode == 2
    assert "channels (4, 8, 16, 32, 64)" in last_line(done)
    assert not (trained / "masks/other").exists()


@pytest.mark.long
def test_three_classes_by_one_key_and_tracking_leave_a_finished_mlflow_run(workspace):
    import mlflow

    tiny = ["--image_size", "[32,32]", "--channels", "[4,8,16]", "--head_weights", "decaying"]
    out = ["--output_dir", "runs/three", "--max_epochs", "1"]
    classes = ["--classes", "{'liver': [1], 'tumour': [2]}", "--num_workers", "0"]
    done = run([*TRAIN, *tiny, *out, *classes, "--tracking", "mlflow"], workspace)
    assert done.returncode == 0, done.stderr[-2000:]
    state = torch.load(workspace / "runs/three/models/model.pt", weights_only=True)
    heads = [value for key, value in state.items() if key.endswith("head.weight")]
    assert [head.shape[0] for head in heads] == [3, 3]  # background, liver, tumour
    mlflow.set_tracking_uri(f"sqlite:///{workspace}/runs/three/mlruns.db")
    runs = mlflow.search_runs(search_all_experiments=True)
    assert len(runs) == 1
    assert runs.status[0] == "FINISHED"
    assert "metrics.val_mean_dice" in runs.columns
    assert runs["params.classes"][0] == "{'liver': [1], 'tumour': [2]}"
    assert runs["params.head_weights"][0] == "decaying"


@pytest.mark.long
def test_missing_data_gives_one_line_with_where_it_looked_and_the_two_ways_on(tmp_path, workspace):
    shutil.copytree(workspace / "bundles", tmp_path / "bundles", symlinks=True)
    done = run_afresh(TRAIN, tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    line = last_line(done)
    assert line.startswith("error: ")
    assert str(tmp_path / "data" / "liver") in line
    assert "Task03_Liver" in line
    assert "medseg phantom ct --out" in line


@pytest.mark.long
def test_a_run_killed_in_mid_epoch_and_resumed_ends_as_if_never_interrupted(workspace, tmp_path):
    tiny = ["--image_size", "[32,32]", "--channels", "[4,8,16]"]
    falling = ["--lr_schedule", "cosine", "--warmup_epochs", "1", "--dropout", "0.1"]
    same = [*TRAIN, *tiny, *falling, "--max_epochs", "4", "--num_workers", "0"]

    def files(name: str) -> list[str]:
        return ["--output_dir", f"runs/{name}"]

    straight = run_afresh([*same, *files("straight")], workspace)  # another seed of its hashes
    assert straight.returncode == 0, straight.stderr[-2000:]
    saved = workspace / "runs/killed/resume.pt"
    kill_in_epoch(3, [*same, *files("killed")], workspace, out=tmp_path, saved=saved)
    resumed = run([*same, *files("killed"), "--resume", "True"], workspace)
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert "resuming after epoch 2" in resumed.stderr
    for name in ("models/model.pt", "resume.pt"):
        expected, got = (
            torch.load(workspace / "runs" / run_name / name, weights_only=True)
            for run_name in ("straight", "killed")
        )
        assert_equal(expected, got)


def test_a_second_run_in_the_same_folder_is_refused_and_changes_nothing(trained, trained_run):
    before = (trained_run / "resume.pt").read_bytes()
    words = ["--max_epochs", "1", "--output_dir", str(trained_run)]
    done = run([*TRAIN, *NETWORK, *words], trained)
    assert done.returncode == 1
    assert "--resume True" in last_line(done)
    assert (trained_run / "resume.pt").read_bytes() == before


@pytest.mark.long
def test_a_second_run_has_a_folder_of_its_own_and_leaves_the_weights_alone(workspace):
    published = workspace / "bundles/liver/models/model.pt"
    published.parent.mkdir(exist_ok=True)
    before = published.read_bytes() if published.exists() else b"good weights"
    published.write_bytes(before)
    runs = set((workspace / "runs/liver").glob("*"))
    done = run([*TRAIN, *NETWORK, "--max_epochs", "1", "--num_workers", "0"], workspace)
    assert done.returncode == 0, done.stderr[-2000:]
    assert published.read_bytes() == before
    assert "to replace them: medseg bundles publish runs/liver/" in done.stderr
    (second,) = set((workspace / "runs/liver").glob("*")) - runs
    assert (second / "models/model.pt").is_file()
    shutil.rmtree(second)


@pytest.mark.long
@pytest.mark.parametrize("command", [TRAIN, medseg("train", "-b", "bundles/liver")])
def test_a_run_is_not_resumed_on_the_cases_that_it_was_judged_by(trained, trained_run, command):
    before = (trained_run / "resume.pt").read_bytes()
    again = [*NETWORK, "--num_workers", "0", "--learning_rate", "0.01", "--resume", "True"]
    done = run([*command, *again, "--max_epochs", "9", "--fold", "1"], trained)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "resume.pt holds a run with other settings (fold was 0, is 1): " in last_line(done)
    assert (trained_run / "resume.pt").read_bytes() == before


@pytest.mark.slow
def test_the_plain_command_without_any_override_starts_to_train(workspace):
    process = subprocess.Popen(TRAIN, cwd=workspace, stderr=subprocess.PIPE, text=True)
    seen = ""
    while "measuring what the training cases" not in seen and process.poll() is None:
        seen += process.stderr.read(1)
    time.sleep(5)  # it is in its first epoch by then, and that takes much longer
    assert process.poll() is None
    process.kill()
    process.wait()
    assert "cases: 6 training, 2 validation, 1 test" in seen


def kill_in_epoch(epoch: int, command: list[str], cwd: Path, *, out: Path, saved: Path) -> None:
    """Start the command and kill it, with SIGKILL, soon after the epoch before was saved."""
    process = commands.start(command, cwd, out=out)
    deadline = time.monotonic() + 300
    while not saved.exists() or last_epoch(saved) < epoch - 1:
        assert process.is_alive(), seen(out)[-2000:]
        assert time.monotonic() < deadline, seen(out)[-2000:]
        time.sleep(0.005)
    time.sleep(0.3)  # an epoch takes more than a second
    process.kill()
    process.join()


def last_epoch(resume_file: Path) -> int:
    """The last complete epoch of a run; the file is replaced whole."""
    return torch.load(resume_file, weights_only=True)["engine"]["epoch"]


def seen(out: Path) -> str:
    """What a command has said so far on its standard error."""
    file = out / "stderr"
    return file.read_text(errors="replace") if file.exists() else ""


def assert_equal(expected, got) -> None:
    if torch.is_tensor(expected):
        assert torch.equal(expected, got)
    elif isinstance(expected, dict):
        assert expected.keys() == got.keys()
        for key in expected:
            assert_equal(expected[key], got[key])
    elif isinstance(expected, list):
        for one, other in zip(expected, got, strict=True):
            assert_equal(one, other)
    else:
        assert expected == got


def dice_in_world(mask, mask_affine, truth, truth_affine) -> float:
    """Dice of two label maps of one grid that may be stored in different voxel orders."""
    oriented = []
    for array, affine in ((mask, mask_affine), (truth, truth_affine)):
        image = nib.as_closest_canonical(nib.Nifti1Image(array.astype(np.uint8), affine))
        oriented.append(np.asarray(image.dataobj) > 0)
    return score_case(*oriented)["dice"]
