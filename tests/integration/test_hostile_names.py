"""No name of a file or folder is run, parsed or taken for another, whatever verb it is given to.

Networks are untrained."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from hostile import NAMES
from ingest.dicom_writer import make_series
from monai.bundle import ConfigParser, scripts
from PIL import Image
from typer.testing import CliRunner

from medseg.base.errors import find_root_cause
from medseg.bundles.overrides import write_for_monai
from medseg.cli import app
from medseg.datasets import phantom, prepared

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
TINY = ("--channels", "[2,4,6]", "--image_size", "[16,16]", "--roi_size", "[64,64]")
OF_ALL = {"index.html", "labels.ctbl", "labels.json", "labels.label"}
OF_A_CASE = (".nii.gz", ".png", "_measurements.json", "_measurements.csv", "_report.html")


def drop_records(names):
    """Names without those of the records of commands, which have the time in them."""
    return {name for name in names if not name.startswith("segmentation_")}


CODE = '$__import__("os").system("touch pwned")'


def _medseg(*words):
    ended = CliRunner().invoke(app.app, words)
    assert ended.exit_code == app.DONE, ended.output
    return ended


def _copy_of(name, root, **choices):
    """A bundle with random weights of a tiny network."""
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(BUNDLES / name, root, symlinks=True, ignore=ignore)
    config = json.loads((root / "inference.json").read_text()) | choices
    (root / "models").mkdir()
    network = ConfigParser(config).get_parsed_content("network_def")
    torch.save(network.state_dict(), root / "models" / "model.pt")
    return root


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory whose own name is code."""
    folder = tmp_path / f"{CODE} @name#%d"
    folder.mkdir()
    monkeypatch.chdir(folder)
    _copy_of("liver", Path("$x@name#b::c"), channels=[2, 4, 6])
    return folder


def _write_volume(path):
    nib.save(nib.Nifti1Image(np.zeros((16, 16, 2), np.int16), np.eye(4)), "volume.nii.gz")
    os.replace("volume.nii.gz", path)


@pytest.mark.parametrize(
    "name", [CODE, '{"_target_":"os.system","command":"touch pwned"}', "@weights", "a#b", "12_03"]
)
@pytest.mark.parametrize("plan", [(), ("--plan",)], ids=["run", "plan"])
def test_the_input_and_the_outputs_of_segment_may_have_any_name(here, name, plan):
    _write_volume(f"{name}.nii.gz")
    _write_volume("a.nii.gz")  # what `a#b` was taken for
    words = ("-b", "$x@name#b::c", "--predictor", "eager", *TINY, *plan)
    _medseg("segment", f"{name}.nii.gz", "-o", name, *words)
    written = os.listdir(name) if os.path.exists(name) else []
    expected = {*(f"{name}{end}" for end in OF_A_CASE), *OF_ALL}
    assert drop_records(written) == (set() if plan else expected)
    assert not os.path.exists("pwned")


def test_names_inside_a_folder_of_cases_are_names(here):
    Path("in").mkdir()
    for name in NAMES[::2]:
        _write_volume(Path("in", f"{name}.nii.gz"))
    made = phantom.write("ct", "ct", cases=1, test_cases=1, size=48, slices=4)
    (dicom,) = (made / "dicom").iterdir()
    for name in NAMES[1::2]:
        shutil.copytree(dicom, Path("in", name))
    _medseg("segment", "in", "-b", "$x@name#b::c", "-o", "out", "--predictor", "eager", *TINY)
    expected = {f"{name}{end}" for name in NAMES for end in OF_A_CASE}
    expected |= OF_ALL | {f"{name}_seg.dcm" for name in NAMES[1::2]}  # of DICOM series
    assert drop_records(os.listdir("out")) == expected
    assert not os.path.exists("pwned")


def test_an_exported_network_and_its_weights_may_have_any_name(here):
    weights = f"{CODE}.pt"
    shutil.copy("$x@name#b::c/models/model.pt", weights)
    for name in (CODE, "@net", "%n", "1e3"):
        words = ("-b", "$x@name#b::c", *TINY[:4])
        _medseg("export", f"{name}.ts", *words, "--weights", weights)
        assert Path(f"{name}.ts").stat().st_size > 10_000
    assert not os.path.exists("pwned")


def test_rows_of_a_datalist_are_names(tmp_path, monkeypatch):
    """Cases, patients and files of a prepared set, as they reach the dataset of a training."""
    monkeypatch.chdir(tmp_path)
    out, items = tmp_path / CODE, []
    (out / "images").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        image, label = f"images/{name}.png", f"images/{name}_m.png"
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(out / image)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(out / label)
        items.append({"case": name, "patient": name, "image": image, "label": label})
    prepared.write(out, "nuclei", items, label_values=[0, 255])
    config = json.loads((BUNDLES / "nuclei" / "train.json").read_text())
    parser = ConfigParser(config)
    parser.update(write_for_monai({"dataset_dir": str(out), "bundle_root": "."}))
    found = [
        item
        for section in ("train", "validate")
        for item in parser.get_parsed_content(f"{section}#dataset#data")
    ]
    assert {item["case"] for item in found} == set(NAMES)
    assert {item["image"] for item in found} == {str(out / "images" / f"{n}.png") for n in NAMES}
    assert not os.path.exists("pwned")


@pytest.mark.parametrize(
    ("workflow", "key", "value"),
    [
        ("train", "dataset_dir", 2023),
        ("train", "output_dir", 1e3),
        ("evaluate", "bundle_root", True),
        ("inference", "output_dir", [1]),
        ("inference", "input", 12345),
        ("train", "resume_file", 7),
        ("evaluate", "weights", 7),
    ],
)
def test_a_path_that_monai_read_as_another_type_is_refused_in_one_line(
    tmp_path, monkeypatch, workflow, key, value
):
    """`python -m monai.bundle run --dataset_dir 2023` hands over a number."""
    monkeypatch.chdir(tmp_path)
    root = _copy_of("liver", tmp_path / "liver", channels=[2, 4, 6])
    ids = {"train": "training", "evaluate": "evaluating", "inference": "inference"}
    keys = {"bundle_root": str(root), "channels": [2, 4, 6], "device": "cpu"} | {key: value}
    config = {"config_file": str(root / f"{workflow}.json"), "logging_file": "logging.conf"}
    Path("logging.conf").write_text((BUNDLES / "liver" / "logging.conf").read_text())
    with pytest.raises(RuntimeError) as caught:
        scripts.run(ids[workflow], **config, **keys)
    cause = find_root_cause(caught.value)
    assert isinstance(cause, (TypeError, ValueError))
    assert str(value) in str(cause)
    assert "\n" not in str(cause)


@pytest.mark.slow  # half a minute: a training, three evaluations
def test_every_path_of_training_evaluating_and_pruning_may_have_any_name(tmp_path, monkeypatch):
    folder = tmp_path / f"{CODE} @name#%d"
    folder.mkdir()
    monkeypatch.chdir(folder)
    bundle = _copy_of("liver_3d", Path("$x@name#b"), channels=[2, 4, 6], kernel_size=3, strides=2)
    _medseg("phantom", "ct", "-o", "@data#$x", "--cases", "10", "--size", "48", "--slices", "8")
    words = (
        *("-b", str(bundle), "--channels", "[2,4,6]", "--image_size", "[16,16,8]"),
        *("--kernel_size", "3", "--strides", "2", "--spacing_mm", "[4,4,4]"),
        *("--weights", "$w@name/@m#odel.pt", "--dataset_dir", "@data#$x"),
    )
    train = ("--cache_dir", "$cache", "--max_epochs", "1", "--val_interval", "1")
    _medseg("train", *words, *train, "--num_workers", "0", "--output_dir", "%runs::$1")
    _medseg("evaluate", *words, "--predictor", "eager", "--output_dir", "12_03")
    _medseg("prune", *words, "-o", f"{CODE}#x", "--report", "@report$", "--repeats", "1")
    _medseg("bundles", "check", f"./{CODE}#x")
    _medseg("segment", "@data#$x/imagesTs", "-b", f"{CODE}#x", "-o", "%out")
    assert {"%runs::$1", "$w@name", "$cache", "12_03", "@report$", "%out"} <= set(os.listdir())
    assert not list(tmp_path.rglob("pwned"))


HOSTILE_TEXT = "CT\x1b[31m\nred $x"


def test_hostile_header_values_reach_no_terminal_raw(tmp_path):
    for number, dataset in enumerate(make_series(uid="1.2.3")):
        dataset.SeriesDescription = dataset.PatientName = HOSTILE_TEXT
        dataset.PatientID = dataset.StudyDescription = dataset.ProtocolName = HOSTILE_TEXT
        dataset.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    for words in (("inspect", str(tmp_path)), ("inspect", str(tmp_path), "--json")):
        ended = CliRunner().invoke(app.app, words)
        assert "1.2.3" in ended.output
        assert "\x1b" not in ended.output
        assert "\nred" not in ended.output


def test_members_of_an_archive_are_not_written_outside_nor_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("set.zip", "w") as archive:
        for name in ("../x/images/x.png", "/tmp/x.png", "$x/images/$x.png", f"{CODE}.png"):
            archive.writestr(name, b"x")
    ended = CliRunner().invoke(app.app, ["prepare", "nuclei", "--source", "set.zip", "-o", "out"])
    assert ended.exit_code != app.DONE
    assert ended.stderr.count("\n") == 1
    assert "Traceback" not in ended.stderr
    assert {path.name for path in tmp_path.iterdir()} <= {"set.zip", "out"}
    assert not (tmp_path.parent / "x").exists()


@pytest.mark.parametrize("name", ["$x", "../../etc", "a\nb", "\x1b[31m", "@d"])
@pytest.mark.parametrize(
    "words",
    [
        ("prepare", "{}", "-s", "s", "-o", "o"),
        ("download", "{}", "-o", "o"),
        ("bundles", "build", "{}"),
    ],
)
def test_a_name_of_no_dataset_or_bundle_is_refused_in_one_line(name, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app.app, [word.format(name) for word in words])
    assert ended.exit_code not in (app.DONE, app.SOME_FAILED)
    assert ended.stderr.count("\n") == 1
    assert "\x1b" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["list", "check"])
def test_a_line_break_in_the_metadata_of_a_bundle_makes_no_line_of_its_own(
    verb, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(BUNDLES / "layers", "bundles/layers")
    for task in list(Path("bundles/layers/tasks").iterdir()):
        if task.stem != "liver":
            task.unlink()
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(BUNDLES / "liver", "bundles/liver", symlinks=True, ignore=ignore)
    metadata = Path("bundles/liver/configs/metadata.json")
    stated = json.loads(metadata.read_text())
    stated |= {"task": HOSTILE_TEXT, "version": HOSTILE_TEXT, HOSTILE_TEXT: 1}
    metadata.write_text(json.dumps(stated))
    ended = CliRunner().invoke(app.app, ["bundles", verb, *(["liver"] if verb == "check" else [])])
    assert "CT\\x1b[31m\\nred $x" in ended.stdout
    assert "\nred" not in ended.output
    assert "\x1b" not in ended.output


def test_a_path_with_a_line_break_is_said_in_one_line(here):
    name = "a\nexported network: b.ts"
    ended = _medseg("export", name, "-b", "$x@name#b::c", *TINY[:4])
    assert ended.stdout.count("\nexported network: ") == 1 - ended.stdout.startswith("exported")
