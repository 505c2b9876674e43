"""Tests of `medseg new`."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from bundles.own.test_measure_steps import end_at_once
from cli.commands import run_medseg
from datasets.own.dicom.made_studies import make_image, write_study
from PIL import Image
from planning.test_plan_folder import data as data  # a fixture
from planning.test_plan_folder import write_case
from planning.test_reader_targets import add_readers

from medseg.bundles.own import make_bundle
from medseg.bundles.own.measure_steps import StepCost
from medseg.bundles.segmenter import segment as segment_image
from medseg.datasets.prepared import list_cases

CHANGED = {"max_epochs": 9, "val_interval": 3, "folds": 2, "largest_only": ["kidney"]}


def write_pictures(folder, *, colours):
    """Six pictures with a bright disc, and masks beside them."""
    for place in ("images", "masks"):
        (folder / place).mkdir(parents=True)
    rows, columns = np.ogrid[:48, :40]
    for number in range(6):
        disc = (rows - 20 - number) ** 2 + (columns - 18) ** 2 < 60
        noise = np.random.default_rng(number).integers(0, 60, (48, 40, colours))
        shown = (disc[..., None] * 120 + noise).astype(np.uint8)
        Image.fromarray(shown.squeeze()).save(folder / "images" / f"{number}.png")
        Image.fromarray(disc.astype(np.uint8) * 255).save(folder / "masks" / f"{number}.png")
    return folder


@pytest.mark.parametrize("colours", [1, 3])
def test_pictures_are_planned_with_the_amounts_of_their_changes(colours, tmp_path):
    folder = write_pictures(tmp_path / "given", colours=colours)
    ended = run_medseg("new", "discs", "--data", folder, "--no-measure", "-o", tmp_path / "made")
    assert ended.exit_code == 0, ended.stderr
    assert ("brightness_shift" in ended.stdout) == (colours == 3)


def test_a_bundle_in_another_folder_is_named_so_that_the_next_command_finds_it(data, tmp_path):
    ended = run_medseg("new", "kidney", "--data", data, "--no-measure", "-o", "my bundles")
    assert "next: medseg train -b 'my bundles/kidney'" in " ".join(ended.stdout.split())
    folder = tmp_path / "my bundles" / "kidney"
    for file in ("plan.html", "docs/README.md"):
        text = (folder / file).read_text().replace("&#39;", "'")
        assert "medseg bundles build 'my bundles/kidney'" in text
    assert run_medseg("bundles", "build", "my bundles/kidney").exit_code == 0
    assert run_medseg("train", "-b", "my bundles/kidney", "--list").exit_code == 0


def test_a_refusal_leaves_no_copies_of_images_or_targets(data, tmp_path):
    add_readers(data)
    words = ("new", "kidney", "--data", data, "--readers", "consensus", "--no-measure")
    assert run_medseg(*words, "--classes", "{'kidney': [9]}").exit_code != 0
    assert not (tmp_path / "data").exists()


@pytest.mark.long
def test_a_step_that_is_ended_for_want_of_memory_is_one_line(data, tmp_path, monkeypatch):
    monkeypatch.setattr("medseg.bundles.own.measure_steps._send_cost", end_at_once)
    ended = run_medseg("new", "kidney", "--data", data)
    assert ended.exit_code == 2
    said = ended.stderr.strip().splitlines()[-1]
    assert said.startswith("error: the steps that were tried need more memory than there is")
    assert not (tmp_path / "data").exists()


def test_dims_makes_a_bundle_in_2d_or_one_of_each_on_the_same_list(data, tmp_path):
    words = ("new", "kidney", "--data", data, "--no-measure", "--dims")
    ended = run_medseg(*words, "both")
    assert "next: medseg crossval -b kidney_2d, then medseg crossval -b kidney" in " ".join(
        ended.stdout.split()
    )
    tasks = [
        json.loads((tmp_path / "bundles" / name / "task.json").read_text())
        for name in ("kidney", "kidney_2d")
    ]
    assert [len(task["image_size"]) for task in tasks] == [3, 2]
    assert tasks[0]["dataset_dir"] == tasks[1]["dataset_dir"] == "data/kidney"
    told = json.loads(run_medseg(*words, "both", "--replan", "--json").stdout)
    assert told["in_2d"]["bundle"] == str(tmp_path / "bundles" / "kidney_2d")
    (tmp_path / "bundles" / "kidney").rename(tmp_path / "moved")
    refused = run_medseg(*words, "both")
    assert refused.exit_code != 0
    assert not (tmp_path / "bundles" / "kidney").exists()
    assert run_medseg(*words, "2d").exit_code == 0
    task = json.loads((tmp_path / "bundles" / "kidney" / "task.json").read_text())
    assert task["image_size"] == tasks[1]["image_size"]


def test_an_unknown_preset_and_a_missing_folder_are_one_line(data, tmp_path):
    for words in (("--data", data, "--preset", "huge"), ("--data", tmp_path / "none")):
        ended = run_medseg("new", "kidney", *words)
        assert ended.exit_code != 0
        assert len(ended.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "bundles").exists()


@pytest.mark.parametrize("name", ["a/b", "../a", "a b", ""])
def test_a_name_that_is_none_of_a_bundle_is_refused_before_the_data_are_read(data, tmp_path, name):
    ended = run_medseg("new", name, "--data", data, "--no-measure")
    assert ended.exit_code != 0
    assert "cannot be the name of a bundle" in ended.stderr
    assert not (tmp_path / "bundles").exists()
    assert not (tmp_path / "data").exists()


def test_a_bundle_of_ones_own_is_built_again_by_its_name(data, tmp_path):
    run_medseg("new", "kidney", "--data", data, "--no-measure")
    task = tmp_path / "bundles" / "kidney" / "task.json"
    task.write_text(json.dumps({**json.loads(task.read_text()), **CHANGED}))
    ended = run_medseg("bundles", "build", "kidney")
    assert ended.exit_code == 0
    assert "train.json" in ended.stdout


def test_hours_set_the_epochs_by_a_step_that_is_tried(data, tmp_path, monkeypatch):
    cost = StepCost(seconds=3.6, peak_bytes=2**30)
    monkeypatch.setattr(make_bundle, "measure_steps", lambda folder: cost)
    ended = run_medseg("new", "kidney", "--data", data, "--hours", "0.1")
    assert "a step takes 3.6 s on this machine and 1.0 GiB" in ended.stdout
    task = json.loads((tmp_path / "bundles" / "kidney" / "task.json").read_text())
    steps = 4  # of 6 cases 4 are trained on, one a step
    assert task["max_epochs"] == int(0.1 * 3600 * 0.8 / 3.6 / steps)


def test_hours_without_a_step_that_is_tried_are_refused(data):
    ended = run_medseg("new", "kidney", "--data", data, "--hours", "1", "--no-measure")
    assert ended.exit_code != 0
    assert "--hours sets the epochs by steps that are tried" in ended.stderr


def test_a_bundle_is_planned_again_with_its_options(data, tmp_path, caplog):
    words = ("new", "kidney", "--data", data, "--no-measure")
    first = run_medseg(*words, "--classes", "{'left': [1]}", "--patients", "(p)", "--seed", "3")
    assert first.exit_code != 0  # all cases are of one patient
    assert run_medseg(*words, "--classes", "{'left': [1]}", "--seed", "3").exit_code == 0
    before = json.loads((tmp_path / "data" / "kidney" / "datalist.json").read_text())
    assert run_medseg(*words, "--replan", "--preset", "medium").exit_code == 0
    assert "as before: --classes \"{'left': [1]}\" --seed 3" in caplog.text
    task = json.loads((tmp_path / "bundles" / "kidney" / "task.json").read_text())
    assert task["classes"] == {"left": [1]}
    assert task["channels"][0] == 32
    assert json.loads((tmp_path / "data" / "kidney" / "datalist.json").read_text())["seed"] == 3
    assert before["seed"] == 3
    assert run_medseg(*words, "--replan", "--classes", "", "--seed", "0").exit_code == 0
    task = json.loads((tmp_path / "bundles" / "kidney" / "task.json").read_text())
    assert task["classes"] == {"kidney": [1]}
    asked = json.loads((tmp_path / "bundles" / "kidney" / "asked.json").read_text())
    assert asked == {"preset": "medium"}


def test_cases_for_testing_stay_so_when_others_come(data, tmp_path):
    words = ("new", "kidney", "--data", data, "--no-measure")
    assert run_medseg(*words).exit_code == 0
    listed = list_cases("data/kidney", "test")
    for number in range(6, 11):
        write_case(data, f"q{number}", seed=number)
    assert run_medseg(*words, "--replan").exit_code == 0
    after = list_cases("data/kidney", "test")
    assert {case["case"] for case in listed} < {case["case"] for case in after}
    assert {case["case"][0] for case in after[len(listed) :]} == {"q"}
    trained = list_cases("data/kidney", "training") + list_cases("data/kidney", "validation")
    assert not {case["case"] for case in trained} & {case["case"] for case in after}


def test_a_bundle_is_planned_again_and_keeps_its_changes(data, tmp_path):
    words = ("new", "kidney", "--data", data, "--no-measure")
    assert "leave --replan out" in run_medseg(*words, "--replan").stderr
    run_medseg(*words)
    task = tmp_path / "bundles" / "kidney" / "task.json"
    task.write_text(json.dumps({**json.loads(task.read_text()), **CHANGED}))
    assert run_medseg(*words).exit_code != 0
    ended = run_medseg(*words, "--replan")
    assert ended.exit_code == 0
    assert "kept: max_epochs = 9" in ended.stdout
    assert json.loads(task.read_text())["max_epochs"] == 9
    assert "5 in 2 folds of 2 to 3" in ended.stdout
    assert "5 in 2 folds of 2 to 3" in (task.parent / "plan.html").read_text()
    assert "kept: largest_only = ['kidney']" in ended.stdout
    assert "by hand" not in ended.stdout[ended.stdout.index("largest_only") :].partition("\n")[0]


def test_where_the_trial_fails_neither_bundle_nor_datalist_is_left(data, tmp_path, monkeypatch):
    def fail(folder):
        assert (tmp_path / "data" / "kidney" / "datalist.json").is_file()
        raise MemoryError("no memory for a step")

    monkeypatch.setattr(make_bundle, "measure_steps", fail)
    assert run_medseg("new", "kidney", "--data", data).exit_code != 0
    assert not (tmp_path / "data" / "kidney").exists()
    assert not (tmp_path / "bundles" / "kidney").exists()


def test_memory_without_a_step_that_is_tried_and_what_is_no_memory_are_refused(data):
    ended = run_medseg("new", "kidney", "--data", data, "--memory", "1GiB", "--no-measure")
    assert "--memory tries steps: leave --no-measure out" in ended.stderr
    ended = run_medseg("new", "kidney", "--data", data, "--memory", "much")
    assert "'much' is not an amount of memory" in ended.stderr


def test_of_several_readers_it_says_how_far_they_agree(data):
    add_readers(data)
    words = ("new", "kidney", "--data", data, "--no-measure", "--readers", "consensus")
    ended = run_medseg(*words)
    assert "kidney: a against b: mean Dice 0.889, 5 cases" in ended.stdout
    assert "a against b" in Path("bundles/kidney/plan.html").read_text()
    told = json.loads(run_medseg(*words, "--replan", "--json").stdout)["readers"]
    assert told["target"] == "consensus"
    assert told["cases"] == {"a": 6, "b": 5, "c": 1}
    assert told["agreement"][0]["dice"] == pytest.approx(8 / 9)


def test_an_unknown_way_to_combine_readers_is_refused(data):
    ended = run_medseg("new", "kidney", "--data", data, "--readers", "vote")
    assert "readers must be" in ended.stderr


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, np.diag([1, 1, 2, 1.0]))
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


@pytest.fixture
def two_channels(tmp_path, monkeypatch):
    """Six MR of a box that is bright in one channel and dark in the other, and one to segment."""
    random = np.random.default_rng(0)
    monkeypatch.chdir(tmp_path)
    for n in range(7):
        label = np.zeros((16, 16, 12), np.uint8)
        label[4:10, 3 + n % 3 : 11, 2:8] = 1
        noise = random.normal(0, 5, (2, *label.shape)).cumsum(axis=1)
        t1, flair = (300 + noise + np.multiply.outer([90, -90], label)).astype(np.int16)
        folder = "scans" if n < 6 else "new"
        save(tmp_path / folder / f"p{n}" / f"p{n}_t1.nii.gz", t1)
        save(tmp_path / folder / f"p{n}" / f"p{n}_flair.nii.gz", flair)
        if n < 6:
            save(tmp_path / folder / f"p{n}" / f"p{n}_seg.nii.gz", label)
        else:
            save(tmp_path / "numbered" / "p6_0000.nii.gz", flair)
            save(tmp_path / "numbered" / "p6_0001.nii.gz", t1)
            save(tmp_path / "four" / "p6.nii.gz", np.stack([flair, t1], axis=-1))
    return tmp_path


TINY = ("--max_epochs", "1", "--val_interval", "1", "--num_workers", "0", "--channels", "[4,8,16]")


def train(*words):
    made = run_medseg("new", "box", "--data", "scans", "--no-measure", *words)
    assert made.exit_code == 0, made.stderr
    trained = run_medseg("train", "-b", "box", "--output_dir", "run", *TINY)
    assert trained.exit_code == 0, trained.output


def segment(source, out, *words):
    return run_medseg("segment", source, "-b", "run", "-o", out, "--report", "False", *words)


def read(path):
    return np.asarray(nib.load(path).dataobj)


@pytest.mark.long
def test_channels_are_trained_on_and_segmented_whatever_form_they_come_in(two_channels):
    train()
    masks = []
    for source in ("new", "numbered", "four"):
        ended = segment(source, f"out_{source}")
        assert ended.exit_code == 0, ended.output
        masks.append(read(f"out_{source}/p6.nii.gz"))
    assert all(np.array_equal(masks[0], mask) for mask in masks)
    files = [f"new/p6/p6_{channel}.nii.gz" for channel in ("flair", "t1")]
    for image in (files, "four/p6.nii.gz"):
        assert np.array_equal(segment_image(image, bundle="run").mask, masks[0])
    with pytest.raises(ValueError, match=r"3 paths are given, and .* is for images of 2 channels"):
        segment_image([*files, files[0]], bundle="run")
    with pytest.raises(ValueError, match="holds 1 of the 2 channels flair, t1"):
        segment_image(files[0], bundle="run")
    with pytest.raises(TypeError, match="is for images of 2 channels: give the path of each"):
        segment_image(np.zeros((4, 4, 4)), bundle="run", affine=np.eye(4))
    scored = run_medseg("evaluate", "-b", "run", "--output_dir", "scores", "--section", "test")
    assert scored.exit_code == 0, scored.output
    (two_channels / "numbered" / "p6_0001.nii.gz").unlink()
    told = segment("numbered", "out", "--allow_missing_channel", "True").stderr
    assert "a channel is missing in 1 of 1 case (p6 has no t1)" in told
    assert "the network was trained on cases with all channels" in told


@pytest.mark.long
def test_channels_of_dicom_are_trained_on_and_found_again_in_a_new_study(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    for patient in range(7):
        write_study(tmp_path / ("scans" if patient < 6 else "new"), patient)
    train("--channels", "*flair*=flair,*T1*=t1")
    ended = segment("new", "out", "--seg", "binary")
    assert ended.exit_code == 0, ended.output
    for number, sign in enumerate((-1, 1)):
        image = make_image(6, sign=sign).T
        save(tmp_path / "files" / f"p6_000{number}.nii.gz", image)
    assert not {"p6.nii.gz", "p6.png"} - {path.name for path in Path("out").iterdir()}
    mask = read("out/p6.nii.gz")
    assert mask.shape == image.shape
    np.testing.assert_array_equal(segment_image("new/p6", bundle="run").mask, mask)
    grid = nib.load("out/p6.nii.gz").affine
    for file in Path("files").iterdir():
        nib.save(nib.Nifti1Image(np.asarray(nib.load(file).dataobj), grid), file)
    assert segment("files", "again").exit_code == 0
    np.testing.assert_array_equal(read("again/p6.nii.gz"), mask)
    other = segment("new", "other", "--channel_series", "{'t1': '*MPRAGE*'}")
    assert other.exit_code == 2
    assert "a channel is missing in 1 of 1 case (p6 has no t1)" in other.stderr
    assert "say by --channel_series which series it is" in " ".join(other.stderr.split())


@pytest.mark.long
def test_a_network_that_was_trained_for_it_segments_without_a_channel_and_says_so(two_channels):
    (two_channels / "scans" / "p2" / "p2_flair.nii.gz").unlink()
    shutil.rmtree(two_channels / "new" / "p6", ignore_errors=True)
    save(two_channels / "new" / "p6_t1.nii.gz", read("four/p6.nii.gz")[..., 1])
    train("--allow-missing-channel")
    assert "pass --allow_missing_channel True" in segment("new", "out").stderr
    ended = segment("new", "out", "--allow_missing_channel", "True")
    assert ended.exit_code == 0, ended.output
    assert "channel flair is missing" in ended.output
    assert nib.load("out/p6.nii.gz").header["intent_name"] == b"warned"


def test_masks_of_readers_as_bits_are_gone_where_the_plan_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder, values in (("images", [9, 8, 7]), ("labels", [0, 1, 3])):
        (tmp_path / "scans" / folder).mkdir(parents=True)
        array = np.kron(np.array([values], np.uint8), np.ones((32, 16), np.uint8))
        for case in "ab":
            Image.fromarray(array).save(tmp_path / "scans" / folder / f"{case}.png")
    words = ("new", "x", "--data", tmp_path / "scans", "--no-measure", "--readers-as-bits")
    assert "pass --readers consensus, staple or mean, too" in run_medseg(*words).stderr
    ended = run_medseg(*words, "--readers", "consensus")
    assert "2 cases cannot be split" in ended.stderr
    assert not (tmp_path / "data").exists()
