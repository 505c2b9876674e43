"""One entry that cannot be read is the failure of its case, never of the run, and nothing hangs.

Networks are untrained."""

import json
import os
import shutil
import socket
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image
from typer.testing import CliRunner

from medseg.cli import app
from medseg.datasets import phantom

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
TINY = ("--channels", "[2,4,6]", "--predictor", "eager")


def _medseg(*words):
    return CliRunner().invoke(app.app, words)


def _copy_of(name):
    root = Path("bundles") / name
    ignore = shutil.ignore_patterns("models")
    shutil.copytree(BUNDLES / name, root, symlinks=True, ignore=ignore)
    config = json.loads((root / "inference.json").read_text()) | {"channels": [2, 4, 6]}
    (root / "models").mkdir()
    network = ConfigParser(config).get_parsed_content("network_def")
    torch.save(network.state_dict(), root / "models" / "model.pt")


def _odd(folder, suffix):
    """Entries that are no files, or whose bytes cannot be read."""
    targets = {"lost": "nowhere", "round": f"round{suffix}", "device": "/dev/zero"}
    for name, target in {**targets, "unreadable": "/proc/self/mem"}.items():
        (folder / f"{name}{suffix}").symlink_to(target)
    os.mkfifo(folder / f"pipe{suffix}")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(folder / f"socket{suffix}"))
    return {"lost", "round", "device", "unreadable", "pipe", "socket"}


def test_of_a_folder_of_volumes_the_others_are_segmented(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _copy_of("liver")
    Path("in").mkdir()
    image = nib.Nifti1Image(np.zeros((16, 16, 2), np.int16), np.eye(4))
    nib.save(image, "in/good.nii.gz")
    failed = _odd(Path("in"), ".nii.gz")
    Path("in/up").symlink_to("..")  # a folder, and a circle
    Path("in/empty").mkdir()
    Path("in/notes.txt").symlink_to("notes.txt")
    ended = _medseg("segment", "in", "-o", "out", *TINY)
    assert ended.exit_code == app.SOME_FAILED, ended.output
    for name in failed:
        assert f"case {name} failed: " in ended.output
    assert sorted(os.listdir("out"))[:2] == ["good.nii.gz", "good.png"]
    assert "8 of 9 cases failed" in ended.output


def test_of_a_folder_of_pictures_the_others_are_segmented(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _copy_of("nuclei")
    Path("in").mkdir()
    Image.fromarray(np.zeros((96, 96, 3), np.uint8)).save("in/good.png")
    failed = _odd(Path("in"), ".png")
    ended = _medseg("segment", "in", "-b", "bundles/nuclei", "-o", "out", *TINY)
    assert ended.exit_code == app.SOME_FAILED, ended.output
    assert f"{len(failed)} of {len(failed) + 1} cases failed" in ended.output
    assert "good_label.png" in os.listdir("out")


@pytest.mark.parametrize("name", ["IM0003.dcm", "IM0003"])
def test_a_series_with_an_entry_that_is_no_file_is_refused_and_not_read_without_it(
    tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    made = phantom.write("ct", "ct", cases=1, test_cases=1, size=48, slices=4)
    (dicom,) = (made / "dicom").iterdir()
    assert _medseg("inspect", str(dicom)).exit_code == app.DONE
    slice_there = dicom / "IM0003.dcm"
    slice_there.unlink()
    os.mkfifo(dicom / name)
    ended = _medseg("inspect", str(dicom))
    assert ended.exit_code == app.SOME_FAILED, ended.output
    assert "is a pipe, socket or device" in ended.output


@pytest.mark.parametrize("target", ["round.nii.gz", "nowhere", "/dev/zero"])
@pytest.mark.parametrize("verb", ["segment", "inspect"])
def test_an_input_that_is_no_file_is_one_line_or_a_row(tmp_path, monkeypatch, verb, target):
    monkeypatch.chdir(tmp_path)
    _copy_of("liver")
    Path("round.nii.gz").symlink_to(target)
    words = ("-o", "out", *TINY) if verb == "segment" else ()
    ended = _medseg(verb, "round.nii.gz", *words)
    assert ended.exit_code in (app.SOME_FAILED, 2)
    assert "Traceback" not in ended.output
    assert ("error: " if verb == "segment" else "not-found") in ended.output


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha", "a.mgz", "a.dcm"])
def test_a_file_that_gives_no_bytes_is_a_row_of_inspect_beside_the_others(
    tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 2), np.int16), np.eye(4)), "in/good.nii")
    Path("in", name).symlink_to("/proc/self/mem")
    ended = _medseg("inspect", "in")
    assert ended.exit_code == app.SOME_FAILED, ended.output
    assert "accept" in ended.output
    assert "refuse" in ended.output
