"""Tests of medseg.datasets.lits."""

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from datasets.published import written_again
from ingest.volume_writer import write_volume

from medseg.datasets import hippocampus, lits, phantom
from medseg.datasets.sources.dataset_json import read_declaration


def _touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _lits(root, *, count=6, suffix=".nii"):
    for n in range(count):
        batch = f"Training Batch {1 + n % 2}"
        _touch(root, f"{batch}/volume-{n}{suffix}", f"{batch}/segmentation-{n}{suffix}")
    return root


def _msd(root, *, count=6, tests=2, listed=None, labels=("background", "liver", "cancer")):
    cases = [f"liver_{n}" for n in range(count)]
    for case in cases:
        _touch(root, f"imagesTr/{case}.nii.gz", f"imagesTr/._{case}.nii.gz")
        _touch(root, f"labelsTr/{case}.nii.gz", f"labelsTr/._{case}.nii.gz")
    _touch(root, *(f"imagesTs/liver_{count + n}.nii.gz" for n in range(tests)))
    content = {
        "labels": {str(n): name for n, name in enumerate(labels)},
        "training": [
            {"image": f"./imagesTr/{case}.nii.gz", "label": f"./labelsTr/{case}.nii.gz"}
            for case in (cases if listed is None else listed)
        ],
    }
    (root / "dataset.json").write_text(json.dumps(content))
    return root


def _names(items):
    return [item["case"] for item in items]


@pytest.mark.parametrize("make", [_lits, _msd])
def test_both_layouts_give_every_case_once_over_training_and_validation(tmp_path, make):
    make(tmp_path)
    training = lits.cases(tmp_path, fold=1, folds=3)
    validation = lits.cases(tmp_path, "validation", fold=1, folds=3)
    assert (len(training), len(validation)) == (4, 2)
    assert len({*_names(training), *_names(validation)}) == 6


@pytest.mark.parametrize("make", [_lits, _msd])
def test_paths_are_absolute_and_exist_and_pair_by_name(tmp_path, make, monkeypatch):
    make(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    for item in lits.cases("data", folds=2):
        number = item["case"].rpartition("-" if make is _lits else "_")[2]
        for key in ("image", "label"):
            path = Path(item[key])
            assert path.is_absolute()
            assert path.is_file()
            assert path.name.split(".")[0].endswith(number)


def test_lits_cases_are_found_in_batches_and_in_the_folder_itself_in_order_of_number(tmp_path):
    _lits(tmp_path, count=11)
    _touch(tmp_path, "volume-11.nii.gz", "segmentation-11.nii.gz", "notes.txt")
    built = lits.datalist(tmp_path)
    assert _names(built["training"]) == [f"volume-{n}" for n in range(12)]


def test_lits_cases_behind_a_linked_folder_are_found(tmp_path):
    _lits(tmp_path / "disk")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "batches").symlink_to(tmp_path / "disk")
    assert len(lits.datalist(tmp_path / "data")["training"]) == 6


def test_lits_test_volumes_have_no_label(tmp_path):
    _touch(_lits(tmp_path), "test/test-volume-0.nii")
    (item,) = lits.cases(tmp_path, "test")
    assert item["image"] == str(tmp_path / "test" / "test-volume-0.nii")
    assert "label" not in item


def test_msd_twins_of_the_archive_are_skipped_and_numbers_sorted(tmp_path):
    built = lits.datalist(_msd(tmp_path, count=11))
    assert _names(built["training"]) == [f"liver_{n}" for n in range(11)]
    assert _names(built["testing"]) == ["liver_11", "liver_12"]


def test_msd_test_cases_carry_a_label_where_there_is_one(tmp_path):
    _msd(tmp_path, tests=1)
    assert "label" not in lits.cases(tmp_path, "test")[0]
    _touch(tmp_path, "labelsTs/liver_6.nii.gz")
    assert lits.cases(tmp_path, "test")[0]["label"] == str(tmp_path / "labelsTs/liver_6.nii.gz")


def test_msd_archive_unpacked_into_the_folder_is_found(tmp_path):
    _msd(tmp_path / "Task03_Liver")
    assert len(lits.datalist(tmp_path)["training"]) == 6


def test_the_same_seed_gives_the_same_folds_and_another_seed_others(tmp_path):
    _msd(tmp_path, count=20)
    first = lits.cases(tmp_path, "validation", seed=3)
    assert lits.cases(tmp_path, "validation", seed=3) == first
    assert lits.cases(tmp_path, "validation", seed=4) != first


@pytest.mark.parametrize("exists", [True, False])
def test_missing_data_says_where_and_gives_both_ways_on_in_one_line(tmp_path, exists):
    folder = tmp_path / "my data"
    if exists:
        folder.mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        lits.cases(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"no liver data in {folder} (looked for dataset.json")
    assert "LiTS (https://" in message
    assert "MSD Task03_Liver (http" in message
    assert message.endswith(f"`medseg phantom ct --out '{folder}'`")


def test_a_relative_folder_is_reported_as_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"in {tmp_path}/data/liver "):
        lits.cases("data/liver")


def test_a_msd_folder_with_its_json_alone_counts_as_missing(tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no liver data"):
        lits.cases(tmp_path)


@pytest.mark.parametrize("make", [_lits, _msd])
@pytest.mark.parametrize(
    ("lost", "message"),
    [("label", "1 file without a label"), ("image", "1 file without an image")],
)
def test_a_case_without_its_partner_is_left_out_and_named(tmp_path, make, lost, message, caplog):
    gone, other = lits.datalist(make(tmp_path), folds=2)["training"][2:4]
    Path(gone[lost]).unlink()
    training = lits.datalist(tmp_path, folds=2)["training"]
    assert gone["case"] not in _names(training)
    assert other["case"] in _names(training)
    assert len(training) == 5
    kept = Path(gone["image" if lost == "label" else "label"]).name
    assert f"{message} ({kept})" in caplog.text


def test_a_test_case_without_label_is_left_out_where_others_have_one(tmp_path, caplog):
    _touch(_msd(tmp_path, tests=2), "labelsTs/liver_6.nii.gz")
    assert _names(lits.cases(tmp_path, "test")) == ["liver_6"]
    assert "1 file without a label (liver_7.nii.gz)" in caplog.text


def test_cases_that_dataset_json_does_not_name_or_that_are_not_there_are_named(tmp_path, caplog):
    _msd(tmp_path, count=6, listed=[f"liver_{n}" for n in (0, 1, 2, 3, 9)])
    assert _names(lits.datalist(tmp_path, folds=2)["training"]) == [f"liver_{n}" for n in range(4)]
    assert "1 file named in dataset.json and not there (liver_9)" in caplog.text
    assert "2 files not named in dataset.json (liver_4.nii.gz, liver_5" in caplog.text


def test_a_folder_of_which_nothing_can_be_used_is_refused_with_the_reasons(tmp_path):
    _msd(tmp_path, listed=["a", "b"])
    with pytest.raises(ValueError, match=r"none of the files .* can be used: 2 files named in"):
        lits.cases(tmp_path)


@pytest.mark.parametrize("labels", [("background", "Leber", "Läsion"), ("bg", "kidney", "cyst")])
def test_the_names_of_labels_are_the_users(tmp_path, labels):
    assert len(lits.datalist(_msd(tmp_path, labels=labels))["training"]) == 6


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
        _write_json(tmp_path / task, labels=labels)
    assert dataset.declared_values(tmp_path, wanted) == values


def test_a_set_of_other_values_than_the_bundle_wants_is_refused_with_what_to_pass(tmp_path):
    _write_json(tmp_path, labels={"0": "background", "255": "liver"})
    with pytest.raises(
        ValueError, match=r"values \[0, 255\], and label_values are \[0, 1, 2\]: pass"
    ):
        lits.declared_values(tmp_path, [0, 1, 2])


def test_a_prepared_folder_was_judged_and_has_the_values_of_the_bundle(tmp_path):
    _write_json(tmp_path, labels={"0": "background", "1": "liver"})
    (tmp_path / "datalist.json").write_text("{}")
    assert lits.declared_values(tmp_path, [0, 1, 2]) == (0, 1, 2)


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
    _msd(tmp_path)
    _write_json(tmp_path, **declared)
    assert len(lits.datalist(tmp_path)["training"]) == 6
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
    _msd(tmp_path)
    _write_json(tmp_path, **declared)
    assert len(lits.datalist(tmp_path)["training"]) == 6
    assert "modality" not in caplog.text


def test_ct_for_the_hippocampus_is_a_warning_and_its_own_mri_is_none(tmp_path, caplog):
    _msd(tmp_path)
    _write_json(tmp_path, modality={"0": "MRI"})
    hippocampus.datalist(tmp_path)
    assert "modality" not in caplog.text
    _write_json(tmp_path, modality={"0": "CT"})
    hippocampus.datalist(tmp_path)
    assert "declares the modality CT, and the images are read as MR" in caplog.text


def test_names_of_nnunet_are_read_and_other_channels_named(tmp_path, caplog):
    for n in range(6):
        _touch(tmp_path, f"imagesTr/c_{n:03d}_0000.nii.gz", f"labelsTr/c_{n:03d}.nii.gz")
    _touch(tmp_path, "imagesTr/c_002_0001.nii.gz", "imagesTs/c_009_0000.nii.gz")
    labels = {"background": 0, "liver": 1}
    content = {"channel_names": {"0": "CT"}, "labels": labels, "file_ending": ".nii.gz"}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    built = lits.datalist(tmp_path)
    assert _names(built["training"]) == [f"c_{n:03d}" for n in range(6)]
    assert _names(built["testing"]) == ["c_009"]
    assert built["training"][2]["image"].endswith("c_002_0000.nii.gz")
    assert "1 file of another channel than the first (c_002_0001.nii.gz)" in caplog.text


def _write_json(root, **content):
    (root / "dataset.json").write_text(json.dumps(content), encoding="utf-8-sig")


def _pairs_of(root):
    items = lits.datalist(root, folds=2)["training"]
    return {item["case"]: (Path(item["image"]).name, Path(item["label"]).name) for item in items}


@pytest.mark.parametrize("separator", ["/", "\\"])
def test_labels_belong_to_the_images_that_dataset_json_states(separator, tmp_path, caplog):
    """The two names are crossed, and a third label is named unlike its image."""
    _touch(tmp_path, *(f"imagesTr/{n}.nii" for n in "abc"))
    _touch(tmp_path, "labelsTr/a.nii", "labelsTr/b.nii", "labelsTr/c.nii", "labelsTr/c_seg.nii.gz")
    stated = [("a", "b.nii"), ("b", "a.nii"), ("c", "c_seg.nii.gz")]
    listed = [
        {"image": f"./imagesTr/{a}.nii".replace("/", separator), "label": f"./labelsTr/{b}"}
        for a, b in stated
    ]
    _write_json(tmp_path, training=listed)
    assert _pairs_of(tmp_path) == {a: (f"{a}.nii", b) for a, b in stated}
    assert "left out: 1 file not named in dataset.json (c.nii)" in caplog.text


def test_the_cases_that_nnunet_lists_are_read(tmp_path):
    _touch(tmp_path, "imagesTr/a_0000.nii", "imagesTr/b_0000.nii", "imagesTr/d_0000.nii")
    _touch(tmp_path, "labelsTr/a.nii", "labelsTr/seg-b.nii", "labelsTr/d.nii")
    listed = {
        "a": {"images": ["imagesTr/a_0000.nii"], "label": "labelsTr/a.nii"},
        "b": {"images": ["imagesTr/b_0000.nii"], "label": "labelsTr/seg-b.nii"},
    }
    _write_json(tmp_path, dataset=listed)
    assert _pairs_of(tmp_path) == {
        "a": ("a_0000.nii", "a.nii"),
        "b": ("b_0000.nii", "seg-b.nii"),
    }


def test_a_list_of_the_images_alone_is_read(tmp_path):
    _touch(_msd(tmp_path, count=4), "imagesTr/x.nii", "labelsTr/x.nii")
    _write_json(tmp_path, training=["./imagesTr/liver_0.nii.gz", ["./imagesTr/x.nii"]])
    assert sorted(_pairs_of(tmp_path)) == ["liver_0", "x"]


def test_a_label_of_two_cases_is_refused(tmp_path):
    listed = [{"image": f"{image}.nii", "label": "both.nii"} for image in "ab"]
    _write_json(_msd(tmp_path), training=listed)
    with pytest.raises(ValueError, match="label both is that of two cases"):
        lits.datalist(tmp_path)


def test_a_label_that_nnunet_ignores_is_pointed_out(tmp_path, caplog):
    _msd(tmp_path)
    _write_json(tmp_path, labels={"background": 0, "liver": 1, "ignore": 2})
    lits.datalist(tmp_path)
    assert "leaves label value 2 out" in caplog.text
    assert "--ignore 2" in caplog.text


def test_a_case_that_ends_in_four_digits_keeps_its_name(tmp_path):
    for n in range(5):
        _touch(tmp_path, f"imagesTr/p_{n:04d}.nii.gz", f"labelsTr/p_{n:04d}.nii.gz")
    (tmp_path / "dataset.json").write_text("{}")
    assert _names(lits.datalist(tmp_path)["training"]) == [f"p_{n:04d}" for n in range(5)]


def test_any_mixture_of_formats_is_used_and_the_rest_is_counted(tmp_path, caplog):
    suffixes = ((".NII.GZ", ".nii.gz"), (".mha", ".mha"), (".nrrd", ".seg.nrrd"), (".mgz", ".nii"))
    for n, (image, label) in enumerate((*suffixes, (".hdr", ".mhd"))):
        _touch(tmp_path, f"imagesTr/c{n}{image}", f"labelsTr/c{n}{label}")
    _touch(tmp_path, "imagesTr/c4.img", "imagesTr/notes.txt", "imagesTr/.c7.nii", "imagesTr/old/a")
    (tmp_path / "dataset.json").write_text("{}")
    assert _names(lits.datalist(tmp_path)["training"]) == [f"c{n}" for n in range(5)]
    assert "1 file in an unsupported format (notes.txt)" in caplog.text
    assert "1 file with a hidden name (.c7.nii)" in caplog.text
    assert "1 subfolder not searched (old)" in caplog.text
    assert "c4.img" not in caplog.text


def test_the_voxels_of_a_detached_header_are_not_counted_as_left_out(tmp_path, caplog):
    (tmp_path / "imagesTr").mkdir()
    write_volume(tmp_path / "imagesTr" / "x.mhd")
    for n in range(5):
        _touch(tmp_path, f"imagesTr/c{n}.nii", f"labelsTr/c{n}.nii")
    (tmp_path / "dataset.json").write_text("{}")
    lits.datalist(tmp_path)
    assert "1 file without a label (x.mhd)" in caplog.text
    assert "x.raw" not in caplog.text


@pytest.mark.parametrize("make", [_lits, _msd])
@pytest.mark.parametrize("part", ["image", "label"])
def test_links_to_nothing_and_pipes_are_left_out_with_their_cases(make, part, tmp_path, caplog):
    """A case whose file cannot be read would end a training, and a pipe would let it wait."""
    items = lits.datalist(make(tmp_path, count=6), folds=2)["training"]
    round_, lost, pipe = (Path(item[part]) for item in items[:3])
    for path, made in ((round_, round_), (lost, tmp_path / "nowhere"), (pipe, None)):
        path.unlink()
        os.mkfifo(path) if made is None else path.symlink_to(made)
    caplog.clear()
    assert _names(lits.datalist(tmp_path, folds=2)["training"]) == _names(items[3:])
    other = "image" if part == "label" else "label"
    assert f"3 files without {'a label' if part == 'label' else 'an image'}" in caplog.text
    assert Path(items[0][other]).name in caplog.text


@pytest.mark.parametrize("text", ["{", "[]", '{"training": [1]}'])
def test_a_broken_dataset_json_is_refused_by_name(tmp_path, text):
    (_msd(tmp_path) / "dataset.json").write_text(text)
    with pytest.raises(ValueError, match=r"dataset\.json is not an MSD dataset\.json"):
        lits.cases(tmp_path)


def test_one_case_in_two_places_is_refused(tmp_path):
    _touch(_lits(tmp_path), "copy/volume-3.nii.gz")
    with pytest.raises(ValueError, match="are the same case: remove one"):
        lits.cases(tmp_path)


def test_a_fold_without_cases_and_too_few_cases_are_refused(tmp_path):
    _lits(tmp_path, count=4)
    with pytest.raises(ValueError, match="fold 2 has no cases"):
        lits.cases(tmp_path, fold=2, folds=2)
    with pytest.raises(ValueError, match="4 patients are too few for 5 folds"):
        lits.cases(tmp_path)


def test_an_absent_test_section_is_refused(tmp_path):
    with pytest.raises(ValueError, match="liver has no test cases"):
        lits.cases(_lits(tmp_path), "test")


def test_a_prepared_folder_has_the_sections_of_the_published_one(tmp_path):
    published = phantom.write("ct", tmp_path / "ct", cases=6, test_cases=2, size=48, slices=2)
    assert lits.prepare(published, tmp_path / "out") == 8
    for section in ("training", "validation", "test"):
        names, prepared_names = (
            [item["case"] for item in lits.cases(folder, section, fold=1, folds=3)]
            for folder in (published, tmp_path / "out")
        )
        assert names == prepared_names
    assert (tmp_path / "out" / "labels" / "liver_000.nii.gz").stat().st_size > 0


def test_a_corrected_volume_replaces_its_link_and_no_other(tmp_path):
    published = phantom.write("ct", tmp_path / "ct", cases=4, test_cases=1, size=48, slices=2)
    lits.prepare(published, tmp_path / "out")
    assert written_again(lits.prepare, published, tmp_path / "out") == set()
    label = published / "labelsTr" / "liver_001.nii.gz"
    image = nib.load(label)
    values = np.asarray(image.dataobj)[::-1]
    label.unlink()  # a download puts a new file in the place of the old one
    nib.save(nib.Nifti1Image(values, image.affine), label)
    made = written_again(lits.prepare, published, tmp_path / "out")
    assert made == {"labels/liver_001.nii.gz"}
    np.testing.assert_array_equal(nib.load(tmp_path / "out" / made.pop()).dataobj, values)


def test_a_label_on_another_grid_is_refused_before_anything_is_trained(tmp_path):
    published = phantom.write("ct", tmp_path / "ct", cases=2, test_cases=0, size=48, slices=2)
    label = published / "labelsTr" / "liver_001.nii.gz"
    image = nib.load(label)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[:40], image.affine), label)
    with pytest.raises(ValueError, match="image and label of case liver_001 differ in size or gr"):
        lits.prepare(published, tmp_path / "out")
    assert not (tmp_path / "out" / "datalist.json").exists()


@pytest.mark.parametrize("parts", [("ImagesTr", "LabelsTr"), ("more/imagesTr", "more/labelsTr")])
def test_pairs_in_other_folders_of_a_task_are_named(parts, tmp_path, caplog):
    _msd(tmp_path, count=4, tests=0)
    _touch(tmp_path, *(f"{part}/extra_{n}.nii.gz" for part in parts for n in range(2)))
    assert len(lits.cases(tmp_path, folds=2)) == 2
    first = f"{parts[0]}/extra_0.nii.gz"
    assert f"4 files outside of imagesTr, labelsTr, imagesTs ({first}" in caplog.text


def test_a_volume_beside_the_folders_of_a_task_is_named(tmp_path, caplog):
    _touch(_msd(tmp_path, count=4), "liver_9.nii.gz")
    lits.cases(tmp_path, folds=2)
    assert "1 file outside of imagesTr, labelsTr, imagesTs (liver_9.nii.gz)" in caplog.text


def test_folders_of_a_task_in_other_capitals_are_read(tmp_path):
    _msd(tmp_path / "a")
    for part in ("imagesTr", "labelsTr", "imagesTs"):
        (tmp_path / "a" / part).rename(tmp_path / "a" / part.upper())
    assert len(lits.cases(tmp_path / "a", folds=2)) == 3
    assert len(lits.cases(tmp_path / "a", "test")) == 2


@pytest.mark.parametrize(("names", "said"), [("AB", "A, B, below"), ("A", "A, below")])
def test_tasks_below_the_folder_are_named_with_what_to_pass(names, said, tmp_path):
    for name in names:
        _msd(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=f"dataset.json is there in {said}") as caught:
        lits.cases(tmp_path)
    assert str(tmp_path / "A") in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match=f"dataset.json is there in {said}"):
        lits.prepare(tmp_path, tmp_path.with_name(f"{tmp_path.name}_out"))


def test_a_task_below_is_named_for_the_hippocampus_too(tmp_path):
    _touch(tmp_path, "A/dataset.json")
    with pytest.raises(FileNotFoundError, match=r"no hippocampus data .* is there in A, below"):
        hippocampus.cases(tmp_path)


def test_tasks_two_folders_below_are_named(tmp_path):
    _msd(tmp_path / "downloads" / "Task03_Liver")
    with pytest.raises(FileNotFoundError, match=r"is there in downloads/Task03_Liver, below"):
        lits.cases(tmp_path)
