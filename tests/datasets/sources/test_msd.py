"""Tests of medseg.datasets.sources.msd: which files of a task folder are read."""

import json
from pathlib import Path

import pytest
from datasets.task_folder import list_names, touch, write_json, write_lits, write_task
from ingest.volume_writer import write_volume

from medseg.datasets import hippocampus, lits
from medseg.datasets.sources.dataset_json import read_declaration


def test_msd_twins_of_the_archive_are_skipped_and_numbers_sorted(tmp_path):
    built = lits.make_datalist(write_task(tmp_path, count=11))
    assert list_names(built["training"]) == [f"liver_{n}" for n in range(11)]
    assert list_names(built["testing"]) == ["liver_11", "liver_12"]


def test_msd_test_cases_carry_a_label_where_there_is_one(tmp_path):
    write_task(tmp_path, tests=1)
    assert "label" not in lits.list_cases(tmp_path, "test")[0]
    touch(tmp_path, "labelsTs/liver_6.nii.gz")
    assert lits.list_cases(tmp_path, "test")[0]["label"] == str(
        tmp_path / "labelsTs/liver_6.nii.gz"
    )


def test_msd_archive_unpacked_into_the_folder_is_found(tmp_path):
    write_task(tmp_path / "Task03_Liver")
    assert len(lits.make_datalist(tmp_path)["training"]) == 6


def test_a_test_case_without_label_is_left_out_where_others_have_one(tmp_path, caplog):
    touch(write_task(tmp_path, tests=2), "labelsTs/liver_6.nii.gz")
    assert list_names(lits.list_cases(tmp_path, "test")) == ["liver_6"]
    assert "1 file without a label (liver_7.nii.gz)" in caplog.text


def test_cases_that_dataset_json_does_not_name_or_that_are_not_there_are_named(tmp_path, caplog):
    write_task(tmp_path, count=6, listed=[f"liver_{n}" for n in (0, 1, 2, 3, 9)])
    assert list_names(lits.make_datalist(tmp_path, folds=2)["training"]) == [
        f"liver_{n}" for n in range(4)
    ]
    assert "1 file named in dataset.json and not there (liver_9)" in caplog.text
    assert "2 files not named in dataset.json (liver_4.nii.gz, liver_5" in caplog.text


def test_a_folder_of_which_nothing_can_be_used_is_refused_with_the_reasons(tmp_path):
    write_task(tmp_path, listed=["a", "b"])
    with pytest.raises(ValueError, match=r"none of the files .* can be used \(2 files named in"):
        lits.list_cases(tmp_path)


@pytest.mark.parametrize("labels", [("background", "Leber", "Läsion"), ("bg", "kidney", "cyst")])
def test_the_names_of_labels_are_the_users(tmp_path, labels):
    assert len(lits.make_datalist(write_task(tmp_path, labels=labels))["training"]) == 6


@pytest.mark.parametrize(
    ("labels", "values"),
    [
        ({"0": "background", "1": "liver"}, (0, 1)),
        ({"background": 0, "liver": 1, "tumour": 2}, (0, 1, 2)),
        ({"background": 0, "whole": [1, 2], "tumour": 2, "ignore": 3}, (0, 1, 2, 3)),
        ({"1": "liver"}, (0, 1)),
        ({}, None),
    ],
)
def test_label_values_are_those_of_either_form_of_dataset_json(tmp_path, labels, values):
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    assert read_declaration(tmp_path / "dataset.json").values == values


@pytest.mark.parametrize(
    ("labels", "wanted", "values"),
    [
        ({"0": "background", "1": "spleen"}, [0, 1, 2], (0, 1)),
        ({"background": 0, "a": 1, "b": 2, "c": 3}, [0, 1, 2], (0, 1, 2)),
        ({"background": 0, "a": 1, "ignore": 255}, [0, 1, 255], (0, 1, 255)),
        ({"1": "liver"}, [0, 1, 2], (0, 1)),
        ({}, [0, 5], (0, 5)),
        (None, [0, 5], (0, 5)),
    ],
)
@pytest.mark.parametrize(
    ("dataset", "task"), [(lits, "Task03_Liver"), (hippocampus, "Task04_Hippocampus"), (lits, "")]
)
def test_a_training_reads_the_values_that_the_bundle_and_dataset_json_declare(
    dataset, task, labels, wanted, values, tmp_path
):
    (tmp_path / task).mkdir(exist_ok=True)
    if labels is not None:
        write_json(tmp_path / task, labels=labels)
    assert dataset.read_declared_values(tmp_path, wanted) == values


def test_a_set_of_other_values_than_the_bundle_wants_is_refused_with_what_to_pass(tmp_path):
    write_json(tmp_path, labels={"0": "background", "255": "liver"})
    with pytest.raises(
        ValueError, match=r"values \[0, 255\], and label_values are \[0, 1, 2\]: pass"
    ):
        lits.read_declared_values(tmp_path, [0, 1, 2])


def test_a_prepared_folder_was_judged_and_has_the_values_of_the_bundle(tmp_path):
    write_json(tmp_path, labels={"0": "background", "1": "liver"})
    (tmp_path / "datalist.json").write_text("{}")
    assert lits.read_declared_values(tmp_path, [0, 1, 2]) == (0, 1, 2)


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ({"modality": {"0": "MRI"}}, "MRI"),
        ({"modality": {"0": "MRI"}, "channel_names": {"0": "CT"}}, "MRI"),
        ({"channel_names": {"0": "T2", "1": "CT"}}, "T2"),
        ({"modality": ["MR"]}, "MR"),
    ],
)
def test_a_modality_that_contradicts_the_bundle_is_a_warning(declared, name, tmp_path, caplog):
    write_task(tmp_path)
    write_json(tmp_path, **declared)
    assert len(lits.make_datalist(tmp_path)["training"]) == 6
    assert f"declares the modality {name}, and the images are read as CT" in caplog.text


@pytest.mark.parametrize(
    "declared",
    [
        {"modality": {"0": "CT"}},
        {"channel_names": {"0": "zscore"}},
        {"modality": "CT"},
        {},
        {"modality": {"0": 1}},
        {"modality": []},
    ],
)
def test_a_modality_that_fits_or_says_nothing_known_is_no_warning(declared, tmp_path, caplog):
    write_task(tmp_path)
    write_json(tmp_path, **declared)
    assert len(lits.make_datalist(tmp_path)["training"]) == 6
    assert "modality" not in caplog.text


def test_ct_for_the_hippocampus_is_a_warning_and_its_own_mri_is_none(tmp_path, caplog):
    write_task(tmp_path)
    write_json(tmp_path, modality={"0": "MRI"})
    hippocampus.make_datalist(tmp_path)
    assert "modality" not in caplog.text
    write_json(tmp_path, modality={"0": "CT"})
    hippocampus.make_datalist(tmp_path)
    assert "declares the modality CT, and the images are read as MR" in caplog.text


def test_names_of_nnunet_are_read_and_other_channels_named(tmp_path, caplog):
    for n in range(6):
        touch(tmp_path, f"imagesTr/c_{n:03d}_0000.nii.gz", f"labelsTr/c_{n:03d}.nii.gz")
    touch(tmp_path, "imagesTr/c_002_0001.nii.gz", "imagesTs/c_009_0000.nii.gz")
    labels = {"background": 0, "liver": 1}
    content = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    built = lits.make_datalist(tmp_path)
    assert list_names(built["training"]) == [f"c_{n:03d}" for n in range(6)]
    assert list_names(built["testing"]) == ["c_009"]
    assert built["training"][2]["image"].endswith("c_002_0000.nii.gz")
    assert "1 file of another channel than the first (c_002_0001.nii.gz)" in caplog.text


def _pairs_of(root):
    items = lits.make_datalist(root, folds=2)["training"]
    return {item["case"]: (Path(item["image"]).name, Path(item["label"]).name) for item in items}


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_labels_belong_to_the_images_that_dataset_json_states(separator, tmp_path, caplog):
    """The two names are crossed, and a third label is named unlike its image."""
    touch(tmp_path, *(f"imagesTr/{n}.nii" for n in "abc"))
    touch(tmp_path, "labelsTr/a.nii", "labelsTr/b.nii", "labelsTr/c.nii", "labelsTr/c_seg.nii.gz")
    stated = [("a", "b.nii"), ("b", "a.nii"), ("c", "c_seg.nii.gz")]
    listed = [
        {"image": f"./imagesTr/{a}.nii".replace("/", separator), "label": f"./labelsTr/{b}"}
        for a, b in stated
    ]
    write_json(tmp_path, training=listed)
    assert _pairs_of(tmp_path) == {a: (f"{a}.nii", b) for a, b in stated}
    assert "left out: 1 file not named in dataset.json (c.nii)" in caplog.text


def test_the_cases_that_nnunet_lists_are_read(tmp_path):
    touch(tmp_path, "imagesTr/a_0000.nii", "imagesTr/b_0000.nii", "imagesTr/d_0000.nii")
    touch(tmp_path, "labelsTr/a.nii", "labelsTr/seg-b.nii", "labelsTr/d.nii")
    listed = {
        "a": {"images": ["imagesTr/a_0000.nii"], "label": "labelsTr/a.nii"},
        "b": {"images": ["imagesTr/b_0000.nii"], "label": "labelsTr/seg-b.nii"},
    }
    write_json(tmp_path, dataset=listed)
    assert _pairs_of(tmp_path) == {
        "a": ("a_0000.nii", "a.nii"),
        "b": ("b_0000.nii", "seg-b.nii"),
    }


def test_a_list_of_the_images_alone_is_read(tmp_path):
    touch(write_task(tmp_path, count=4), "imagesTr/x.nii", "labelsTr/x.nii")
    write_json(tmp_path, training=["./imagesTr/liver_0.nii.gz", ["./imagesTr/x.nii"]])
    assert sorted(_pairs_of(tmp_path)) == ["liver_0", "x"]


def test_a_label_of_two_cases_is_refused(tmp_path):
    listed = [{"image": f"{image}.nii", "label": "both.nii"} for image in "ab"]
    write_json(write_task(tmp_path), training=listed)
    with pytest.raises(ValueError, match="label both is that of two cases"):
        lits.make_datalist(tmp_path)


def test_a_label_that_nnunet_ignores_is_pointed_out(tmp_path, caplog):
    write_task(tmp_path)
    write_json(tmp_path, labels={"background": 0, "liver": 1, "ignore": 2})
    lits.make_datalist(tmp_path)
    assert "leaves label value 2 out" in caplog.text
    assert "--ignore 2" in caplog.text


def test_a_case_that_ends_in_four_digits_keeps_its_name(tmp_path):
    for n in range(5):
        touch(tmp_path, f"imagesTr/p_{n:04d}.nii.gz", f"labelsTr/p_{n:04d}.nii.gz")
    (tmp_path / "dataset.json").write_text("{}")
    assert list_names(lits.make_datalist(tmp_path)["training"]) == [f"p_{n:04d}" for n in range(5)]


def test_any_mixture_of_formats_is_used_and_the_rest_is_counted(tmp_path, caplog):
    suffixes = ((".NII.GZ", ".nii.gz"), (".mha", ".mha"), (".nrrd", ".seg.nrrd"), (".mgz", ".nii"))
    for n, (image, label) in enumerate((*suffixes, (".hdr", ".mhd"))):
        touch(tmp_path, f"imagesTr/c{n}{image}", f"labelsTr/c{n}{label}")
    touch(tmp_path, "imagesTr/c4.img", "imagesTr/notes.txt", "imagesTr/.c7.nii", "imagesTr/old/a")
    (tmp_path / "dataset.json").write_text("{}")
    assert list_names(lits.make_datalist(tmp_path)["training"]) == [f"c{n}" for n in range(5)]
    assert "1 file in an unsupported format (notes.txt)" in caplog.text
    assert "1 file with a hidden name (.c7.nii)" in caplog.text
    assert "1 subfolder not searched (old)" in caplog.text
    assert "c4.img" not in caplog.text


def test_the_voxels_of_a_detached_header_are_not_counted_as_left_out(tmp_path, caplog):
    (tmp_path / "imagesTr").mkdir()
    write_volume(tmp_path / "imagesTr" / "x.mhd")
    for n in range(5):
        touch(tmp_path, f"imagesTr/c{n}.nii", f"labelsTr/c{n}.nii")
    (tmp_path / "dataset.json").write_text("{}")
    lits.make_datalist(tmp_path)
    assert "1 file without a label (x.mhd)" in caplog.text
    assert "x.raw" not in caplog.text


@pytest.mark.parametrize("text", ["{", "[]", '{"training": [1]}'])
def test_a_broken_dataset_json_is_refused_by_name(tmp_path, text):
    (write_task(tmp_path) / "dataset.json").write_text(text)
    with pytest.raises(ValueError, match=r"dataset\.json is not an MSD dataset\.json"):
        lits.list_cases(tmp_path)


def test_one_case_in_two_places_is_refused(tmp_path):
    touch(write_lits(tmp_path), "copy/volume-3.nii.gz")
    with pytest.raises(ValueError, match="are the same case: remove one"):
        lits.list_cases(tmp_path)
