"""Tests of medseg.datasets.own.dicom.study_channels: series of a study that become channels."""

import json
import re
import shutil

import numpy as np
import pytest
from cli.commands import run_medseg
from datasets.own.dicom.made_studies import (
    SHAPE,
    draw,
    draw_box,
    make_image,
    write_image,
    write_study,
)

from medseg.datasets.own.channels import ChannelRules
from medseg.datasets.own.find_cases import find_cases
from medseg.ingest import load

BOTH = ChannelRules(("flair", "t1"))


@pytest.fixture
def studies(tmp_path, monkeypatch):
    """Four patients; labels of the second were drawn on its FLAIR."""
    monkeypatch.chdir(tmp_path)
    for patient in range(4):
        write_study(tmp_path / "scans", patient, drawn_on="flair" if patient == 1 else "t1")
    return tmp_path / "scans"


def new(*words):
    return run_medseg("new", "box", "--data", "scans", "--no-measure", *words)


def list_cases():
    with open("data/box/datalist.json") as file:
        made = json.load(file)
    cases = {case["case"]: case for case in [*made["training"], *made["testing"]]}
    return [cases[name] for name in sorted(cases)]


@pytest.mark.long
@pytest.mark.parametrize("asked", ["flair,t1", "*flair*=flair,*T1*=t1", "7=flair,4=t1"])
def test_series_of_a_study_become_the_channels_of_an_image_voxel_for_voxel(studies, asked):
    ended = new("--channels", asked)
    assert ended.exit_code == 0, ended.output
    for patient, case in enumerate(list_cases()):
        images = [load(path) for path in case["image"]]
        for (image, grid), sign in zip(images, (-1, 1), strict=True):
            np.testing.assert_array_equal(image, make_image(patient, sign=sign).T)
            assert grid == images[0][1]
        np.testing.assert_array_equal(load(case["label"])[0], draw_box(patient))
    page = (studies.parent / "bundles" / "box" / "plan.html").read_text()
    for text in (ended.stdout, page):
        assert "channel flair" in text
        assert "series 7 (MR, 12 slices)" in " ".join(text.split())
        assert "Mustermann" not in text
    task = json.loads((studies.parent / "bundles" / "box" / "task.json").read_text())
    assert task["image_channels"] == ["flair", "t1"]
    patterns = {"flair": [asked.split("=")[0]], "t1": [asked.split(",")[1].split("=")[0]]}
    assert task.get("channel_series") == (patterns if "=" in asked else None)


def test_without_channels_the_image_is_the_series_that_was_drawn_on(studies, tmp_path):
    found = find_cases(studies, out=tmp_path / "out")
    assert not found.faults
    signs = [1, -1, 1, 1]
    for patient, pair in enumerate(found.pairs):
        expected = make_image(patient, sign=signs[patient]).T
        np.testing.assert_array_equal(load(pair.images[0])[0], expected)


@pytest.mark.long
def test_a_missing_channel_is_refused_or_allowed(studies, caplog):
    shutil.rmtree(studies / "p2" / "flair")
    ended = new("--channels", "flair,t1")
    assert ended.exit_code == 2
    told = "case case_003 has no image flair: add it, or pass --allow-missing-channel"
    assert told in caplog.text
    ended = new("--channels", "flair,t1", "--allow-missing-channel")
    assert ended.exit_code == 0, ended.output
    assert [bool(case["image"][0]) for case in list_cases()] == [True, True, False, True]


def write_coarse(studies, patient, **more):
    """A FLAIR of every second slice, which rises by 100 from slice to slice."""
    shutil.rmtree(studies / f"p{patient}" / "flair")
    stored = np.broadcast_to(100 * np.arange(7)[:, None, None], (7, *SHAPE[1:])).astype(np.int16)
    stored = stored + (np.arange(16) % 2).astype(np.int16)  # some detail across
    folder = studies / f"p{patient}" / "flair"
    options = {"description": "FLAIR", "number": 7, "step_mm": 2.0} | more
    return write_image(folder, patient, stored, **options)


def test_another_grid_is_resampled_onto_the_series_of_the_labels_by_request_alone(
    studies, tmp_path, caplog
):
    write_coarse(studies, 0)
    found = find_cases(studies, out=tmp_path / "out", channels=BOTH)
    (fault,) = found.faults
    assert (
        "series 4 (MR, 12 slices) of the labels and series 7 (MR, 7 slices) of flair lie on"
        in fault
    )
    assert "--resample-channels" in fault
    rules = ChannelRules(("flair", "t1"), resample=True)
    found = find_cases(studies, out=tmp_path / "more", channels=rules)
    assert not found.faults
    flair, t1 = (load(path) for path in found.pairs[0].images)
    assert flair[1] == t1[1]
    rises = 50 * np.arange(12)[None, None, :] + (np.arange(16) % 2)[:, None, None]
    np.testing.assert_allclose(flair[0], np.broadcast_to(rises, SHAPE[::-1]))
    np.testing.assert_array_equal(t1[0], make_image(0, sign=1).T)
    np.testing.assert_array_equal(load(found.pairs[1].images[0])[0], make_image(1, sign=-1).T)
    assert "case case_001: flair was resampled onto the series of the labels" in caplog.text
    assert "drawn on another series than flair: case_001, case_003, case_004" in caplog.text


@pytest.mark.long
def test_where_no_case_is_without_a_fault_the_faults_are_told(studies, caplog):
    for patient in (0, 2, 3):
        write_coarse(studies, patient)
    shutil.rmtree(studies / "p1")
    ended = new("--channels", "flair,t1")
    assert ended.exit_code == 2
    assert "3 faults in the data, listed above" in ended.stderr
    assert "series 7 (MR, 7 slices) of flair lie on different grids" in caplog.text


def test_another_frame_of_reference_is_refused_even_by_request(studies, tmp_path):
    write_coarse(studies, 0, frame="2")
    rules = ChannelRules(("flair", "t1"), resample=True)
    (fault,) = find_cases(studies, out=tmp_path / "out", channels=rules).faults
    assert fault == (
        "case case_001 (p0/t1): flair, series 7 (MR, 7 slices), and t1, series 4 (MR, 12 slices), "
        "do not lie in one frame of reference: register them with another tool, and give them as "
        "NIfTI"
    )


def test_two_series_of_one_channel_are_refused_by_number(studies, tmp_path):
    stored = make_image(0, sign=-1)
    write_image(studies / "p0" / "b", 0, stored, description="FLAIR Mustermann", number=9)
    (fault,) = find_cases(studies, out=tmp_path / "out", channels=BOTH).faults
    assert "series 7 (MR, 12 slices) and series 9 (MR, 12 slices) are both the channel fl" in fault
    assert "Mustermann" not in fault
    rules = ChannelRules.parse("*fs*=flair,t1", allow_missing=False, resample=False)
    assert not find_cases(studies, out=tmp_path / "more", channels=rules).faults


def test_labels_on_two_series_of_a_study_are_refused(studies, tmp_path):
    made = write_study(tmp_path / "more", 9)
    draw(made["flair"], draw_box(8), tmp_path / "more" / "p9" / "again.dcm")
    (fault,) = find_cases(tmp_path / "more", out=tmp_path / "out", channels=BOTH).faults
    assert "labels were drawn on series 7 (MR, 12 slices) and series 4 (MR, 12 slices) of" in fault
    assert fault.endswith("keep the objects of one series")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("t2,t1", r"no series of any study is the channel t2: correct --channels"),
        ("*x*=", r"--channels '\*x\*=' is no rule"),
        ("=t1", r"--channels '=t1' is no rule"),
        ("t1,t1", r"--channels names t1 twice"),
    ],
)
def test_wrong_channels_are_refused(studies, asked, told):
    ended = new("--channels", asked)
    assert ended.exit_code == 2
    assert re.search(told, " ".join(ended.stderr.split()))
