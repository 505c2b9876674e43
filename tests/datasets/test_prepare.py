"""Tests of medseg.datasets.prepare: a dataset by its name, and the options of the one that has
any."""

import csv
import json
import math
import shutil
from importlib import import_module
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pydicom
import pytest

from medseg.datasets import fold_split, lidc, phantom
from medseg.datasets import prepare as preparing
from medseg.datasets.prepare import LIDC, MODULES, prepare


@pytest.fixture(scope="module")
def chest(tmp_path_factory):
    """Four small chest CTs with the XML of their readers."""
    out = tmp_path_factory.mktemp("chest") / "published"
    return phantom.write("chest", out, cases=4, test_cases=0, size=64, slices=16)


@pytest.mark.parametrize("name", sorted(MODULES.keys() - {LIDC}))
def test_every_name_is_that_of_its_module(name):
    assert import_module(f"medseg.datasets.{MODULES[name]}").DATASET.name == name


def test_a_dataset_without_options_is_converted_and_counted(tmp_path):
    source = phantom.write("microscopy", tmp_path / "published", cases=3, test_cases=0, size=48)
    outcome = prepare("nuclei", source, tmp_path / "out")
    text = f"3 cases in {tmp_path / 'out'}: 2 in 2 folds, 1 for testing"
    assert (outcome.text, outcome.is_complete) == (text, True)


@pytest.mark.parametrize(
    ("unit", "said"),
    [
        ("patient", "3 of 2 patients in"),
        ("city", "3 of 2 cities in"),
        ("block", "3 of 2 blocks in"),
    ],
)
def test_what_counts_as_a_patient_is_named_where_it_has_several_cases(
    tmp_path, monkeypatch, unit, said
):
    record = SimpleNamespace(prepare=lambda *_: 3, unit=unit, options=())
    training = [{"patient": name} for name in "abb"]
    datalist = {"training": training, "testing": [], "folds": 2}
    monkeypatch.setattr(preparing, "_find_record", lambda _: record)
    monkeypatch.setattr(preparing, "read", lambda _: datalist)
    assert said in prepare("nuclei", tmp_path, tmp_path / "out").text


def test_dicom_and_outlines_become_patches_by_the_name_of_the_bundle(chest, tmp_path):
    outcome = prepare("lung_nodule", chest, tmp_path / "out", options={"size": 16})
    assert outcome.is_complete
    assert outcome.text.startswith("4 scans, ")
    assert lidc.list_cases(tmp_path / "out", folds=2)


def test_a_tilted_scan_is_left_out_unless_resampling_is_asked_for(chest, tmp_path):
    shutil.copytree(chest / "LIDC-IDRI", tmp_path / "source")
    tilt = math.radians(12)
    for file in sorted(tmp_path.glob("source/LIDC-IDRI-9002/*/*/*.dcm")):
        image = pydicom.dcmread(file)
        image.ImageOrientationPatient = [
            1,
            0,
            0,
            0,
            round(math.cos(tilt), 8),
            round(math.sin(tilt), 8),
        ]
        image.save_as(file)
    counts = {}
    for resample in (False, True):
        options = {"size": 16, "resample": resample}
        outcome = prepare(
            "lung_nodule", tmp_path / "source", tmp_path / str(resample), options=options
        )
        counts[resample] = (outcome.text.partition(" scans")[0], outcome.is_complete)
    assert counts == {False: ("3", False), True: ("4", True)}
    with (tmp_path / "True" / "problems.csv").open(newline="") as file:
        (told,) = csv.DictReader(file)
    assert told["code"] == "resampled"
    assert "stacked 12 degrees off their normal" in told["finding"]


def test_a_scan_that_is_left_out_makes_the_outcome_incomplete(chest, tmp_path):
    shutil.copytree(chest, tmp_path / "source")
    for copy in (tmp_path / "source").rglob(min(chest.rglob("*.xml")).name):
        copy.unlink()  # one beside the CT, one in the tree of the annotations
    outcome = prepare("lung_nodule", tmp_path / "source", tmp_path / "out", options={"size": 16})
    assert not outcome.is_complete
    assert outcome.text.startswith("3 scans, ")
    assert f"see {tmp_path / 'out' / 'problems.csv'}" in outcome.text
    with (tmp_path / "out" / "problems.csv").open(newline="") as file:
        assert "no-annotations" in {row["code"] for row in csv.DictReader(file)}


def test_an_option_that_a_dataset_does_not_have_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="lung_nodule has no option --sise: choose one of annotations, me"
    ):
        prepare("lung_nodule", tmp_path, tmp_path / "out", options={"sise": 16})
    with pytest.raises(ValueError, match="dataset nuclei has no option --size: leave it out"):
        prepare("nuclei", tmp_path, tmp_path / "out", options={"size": 16})
    with pytest.raises(ValueError, match="dataset 'spleen' is unknown: choose one of brain_tumor,"):
        prepare("spleen", tmp_path, tmp_path / "out")


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_dataset_refuses_to_be_written_into_its_source_or_over_another_one(name, tmp_path):
    source, other, file = tmp_path / "source", tmp_path / "other", tmp_path / "file"
    for folder in (source, other):
        folder.mkdir()
    (other / "datalist.json").write_text('{"name": "spleen"}')
    file.touch()
    before = sorted(tmp_path.rglob("*"))
    for out, told in (
        (
            source / "out",
            r"/source/out is or lies in the source \S+/source: pass another folder to --out",
        ),
        (other, r"/other holds datalist\.json of dataset spleen: pass to --out another folder"),
        (file, r"/file is not a folder: pass a new folder to --out, or that of an earlier run$"),
    ):
        with pytest.raises(ValueError, match=told):
            prepare(name, source, out)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["lidc", "lung_nodule"])
def test_a_folder_of_another_dataset_is_told_in_the_names_that_are_typed(chest, tmp_path, name):
    """Datalists of earlier versions are of "lidc-patches": the folder can be gone on with."""
    file = tmp_path / "out" / "patches" / "datalist.json"
    file.parent.mkdir(parents=True)
    made = {"name": f"{name}-patches", "seed": 0, "folds": 5, "training": [], "testing": []}
    file.write_text(json.dumps(made))
    told = r"datalist\.json of dataset lung_nodule-patches: pass to --out another folder for polyp$"
    with pytest.raises(ValueError, match=told):
        prepare("polyp", chest, tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "datalist.json").write_text('{"name": "polyp"}')
    told = r"datalist\.json of dataset polyp: pass to --out another folder for lung_nodule$"
    with pytest.raises(ValueError, match=told):
        prepare("lung_nodule", chest, tmp_path / "other")
    assert prepare("lung_nodule", chest, tmp_path / "out", options={"size": 16}).is_complete
    assert json.loads(file.read_text())["name"] == "lung_nodule-patches"


def test_a_volume_that_training_would_refuse_is_refused_and_there_is_no_datalist(tmp_path):
    published = phantom.write("mr", tmp_path / "published", cases=3, test_cases=0, size=48)
    for part in ("imagesTr", "labelsTr"):
        file = published / part / "hippocampus_002.nii.gz"
        volume = nib.load(file)
        volume.header.set_xyzt_units("micron")
        nib.save(nib.Nifti1Image(np.asarray(volume.dataobj), volume.affine, volume.header), file)
    with pytest.raises(ValueError, match=r"case hippocampus_002: .* is in micrometres"):
        prepare("hippocampus", published, tmp_path / "out")
    assert not (tmp_path / "out" / "datalist.json").exists()


def test_a_folder_that_is_moved_away_in_mid_run_is_missed_in_the_end(tmp_path, monkeypatch):
    published = phantom.write("mr", tmp_path / "published", cases=5, test_cases=0, size=48)
    out, written = tmp_path / "out", fold_split.write

    def moved_in_between(made, path):
        shutil.copytree(out, tmp_path / "copy")
        shutil.rmtree(out)
        written(made, path)

    monkeypatch.setattr("medseg.datasets.fold_split.write", moved_in_between)
    with pytest.raises(FileNotFoundError, match="was removed, moved or replaced while this run"):
        prepare("hippocampus", published, out)


def test_headers_that_leave_a_choice_are_prepared_by_the_options(tmp_path, caplog):
    published = phantom.write("mr", tmp_path / "published", cases=5, test_cases=0, size=48)
    for file in sorted(published.glob("*Tr/*.nii.gz")):
        volume = nib.load(file)
        affine = volume.affine.copy()
        affine[0, 3] += 40
        made = nib.Nifti1Image(np.asarray(volume.dataobj), volume.affine)
        made.set_sform(affine, code=1)
        made.set_qform(volume.affine, code=1)
        nib.save(made, file)
    with pytest.raises(ValueError, match="5 of 5 cases are faulty"):
        prepare("hippocampus", published, tmp_path / "out")
    assert "--affine sform or --affine qform" in caplog.text
    prepare("hippocampus", published, tmp_path / "out", options={"affine": "sform"})
    for file in sorted((tmp_path / "out").glob("*/*.nii.gz")):
        made = nib.load(file)
        np.testing.assert_allclose(made.get_sform(), made.get_qform(), atol=1e-4)
        part = {"images": "imagesTr", "labels": "labelsTr"}[file.parent.name]
        stated = nib.load(published / part / file.name).get_sform()
        np.testing.assert_allclose(made.affine, stated, atol=1e-4)


def test_an_option_that_a_dataset_has_not_is_refused_with_those_it_has(tmp_path):
    with pytest.raises(ValueError, match="no option --size: choose one of volume, affine, units"):
        prepare("liver", tmp_path, tmp_path / "out", options={"size": 3})
