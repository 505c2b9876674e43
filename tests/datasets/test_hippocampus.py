"""Tests of medseg.datasets.hippocampus: the labelled cases of Task04, a fifth set apart."""

import json
from itertools import chain
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medseg.datasets import hippocampus

SECTIONS = ("training", "validation", "test")


def task04(root, *, count=20, labels=("background", "Anterior", "Posterior")):
    """A Task04_Hippocampus folder of empty files, with the twins that the archive holds."""
    names = [f"hippocampus_{n:03d}" for n in range(count)]
    for part in ("imagesTr", "labelsTr"):
        (root / part).mkdir(parents=True)
        for name in names:
            (root / part / f"{name}.nii.gz").touch()
            (root / part / f"._{name}.nii.gz").touch()
    (root / "imagesTs").mkdir()
    (root / "imagesTs" / "hippocampus_900.nii.gz").touch()
    content = {
        "labels": {str(n): name for n, name in enumerate(labels)},
        "training": [{"image": f"./imagesTr/{name}.nii.gz"} for name in names],
    }
    (root / "dataset.json").write_text(json.dumps(content))
    return root


def names(items):
    return {item["case"] for item in items}


def test_sections_part_the_labelled_cases_and_miss_none(tmp_path):
    task04(tmp_path)
    parts = [hippocampus.list_cases(tmp_path, section, fold=1, folds=4) for section in SECTIONS]
    assert [len(part) for part in parts] == [12, 4, 4]  # 4 of 20 held out, then 4 folds of 4
    assert names(chain(*parts)) == {f"hippocampus_{n:03d}" for n in range(20)}


def test_every_section_has_labels_and_the_unlabelled_volumes_are_left_out(tmp_path):
    task04(tmp_path)
    for section in SECTIONS:
        for item in hippocampus.list_cases(tmp_path, section):
            assert Path(item["label"]) == tmp_path / "labelsTr" / f"{item['case']}.nii.gz"
            assert Path(item["image"]).is_file()
            assert item["patient"] == item["case"]


def test_the_folds_part_what_is_not_held_out(tmp_path):
    task04(tmp_path)
    folds = [names(hippocampus.list_cases(tmp_path, "validation", fold=fold)) for fold in range(5)]
    assert sum(map(len, folds)) == len(set.union(*folds)) == 16
    assert not set.union(*folds) & names(hippocampus.list_cases(tmp_path, "test"))


def test_test_cases_depend_on_the_seed_alone(tmp_path):
    task04(tmp_path)
    first, *others = (hippocampus.list_cases(tmp_path, "test", fold=fold) for fold in range(5))
    assert all(other == first for other in others)
    assert hippocampus.list_cases(tmp_path, "test", folds=3) == first
    assert hippocampus.list_cases(tmp_path, "test", seed=1) != first


def test_the_unpacked_archive_is_found_in_the_folder_and_paths_are_absolute(tmp_path, monkeypatch):
    task04(tmp_path / "Task04_Hippocampus")
    monkeypatch.chdir(tmp_path.parent)
    item = hippocampus.list_cases(tmp_path.name)[0]
    assert Path(item["image"]).parent == tmp_path / "Task04_Hippocampus" / "imagesTr"


@pytest.mark.parametrize("exists", [True, False])
def test_missing_data_says_where_and_the_way_on_in_one_line(tmp_path, exists):
    folder = tmp_path / "my data"
    if exists:
        folder.mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        hippocampus.list_cases(folder)
    absent = f"no hippocampus data found, {folder} does not exist: give MSD"
    empty = f"no hippocampus data in {folder} (looked for dataset.json"
    assert str(caught.value).startswith(empty if exists else absent)
    assert "MSD Task04_Hippocampus (http" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_names_of_labels_are_the_users(tmp_path):
    task04(tmp_path, labels=("background", "vorn", "hinten"))
    assert hippocampus.list_cases(tmp_path)


@pytest.mark.parametrize(("part", "told"), [("labelsTr", "a label"), ("imagesTr", "an image")])
def test_a_case_without_its_partner_is_left_out_and_named(tmp_path, part, told, caplog):
    (task04(tmp_path) / part / "hippocampus_003.nii.gz").unlink()
    built = hippocampus.make_datalist(tmp_path)
    assert len(built["training"]) + len(built["testing"]) == 19
    assert f"1 file without {told} (hippocampus_003.nii.gz)" in caplog.text


def test_unknown_sections_empty_folds_and_too_few_cases_are_refused(tmp_path):
    task04(tmp_path / "a")
    with pytest.raises(ValueError, match="section 'val' is unknown"):
        hippocampus.list_cases(tmp_path / "a", "val")
    with pytest.raises(ValueError, match="fold 5 has no cases"):
        hippocampus.list_cases(tmp_path / "a", fold=5)
    task04(tmp_path / "b", count=5)
    with pytest.raises(ValueError, match="4 patients are too few for 5 folds"):
        hippocampus.list_cases(tmp_path / "b")


@pytest.mark.realdata
def test_the_real_cases_are_parted_and_hold_the_declared_labels(data_root):
    root = data_root / "hippocampus"
    parts = [hippocampus.list_cases(root, section) for section in SECTIONS]
    assert [len(part) for part in parts] == [140, 36, 44]  # 220: 44 held out, 176 in 5 folds
    assert len(names(chain(*parts))) == 220
    for item in parts[2][:5]:
        image, label = nib.load(item["image"]), nib.load(item["label"])
        assert image.shape == label.shape
        assert np.unique(label.dataobj).tolist() == [0, 1, 2]
