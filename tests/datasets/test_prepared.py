"""Tests of medseg.datasets.prepared: its checks, its files, and its split of the cases."""

import gzip
import json
import logging
import re

import nibabel as nib
import numpy as np
import pytest
from datasets.published import case, items, picture, write
from PIL import Image

from medseg.datasets import prepared

SECTIONS = ("training", "validation", "test")


def names(found):
    return {item["case"] for item in found}


# ---- splitting


def test_sections_part_the_cases_and_miss_none(tmp_path):
    write(tmp_path, items(tmp_path, 20), test_share=0.2)
    parts = [prepared.list_cases(tmp_path, section, fold=1, folds=4) for section in SECTIONS]
    assert [len(part) for part in parts] == [12, 4, 4]  # 4 of 20 held out, then 4 folds of 4
    assert len(set().union(*map(names, parts))) == 20


def test_held_out_cases_depend_on_the_seed_alone(tmp_path):
    write(tmp_path, items(tmp_path, 20), test_share=0.2)
    first, *others = (
        prepared.list_cases(tmp_path, "test", fold=fold, folds=folds)
        for fold, folds in ((0, 5), (1, 5), (2, 3))
    )
    assert all(other == first for other in others)
    assert names(prepared.list_cases(tmp_path, "test", seed=1)) != names(first)


def test_published_test_cases_stay_for_testing_whatever_the_seed(tmp_path):
    published = [case(tmp_path, "t90"), case(tmp_path, "t91")]
    write(tmp_path, items(tmp_path, 10), testing=published, test_share=0.2)
    for seed in range(3):
        assert names(published) < names(prepared.list_cases(tmp_path, "test", seed=seed))
        assert len(prepared.list_cases(tmp_path, "test", seed=seed)) == 2 + 2
    write(tmp_path, items(tmp_path, 10), testing=published)
    assert names(prepared.list_cases(tmp_path, "test", seed=1)) == names(published)


def test_a_patient_is_on_one_side_only(tmp_path):
    cases = [case(tmp_path, f"p{n:02d}", patient=f"patient{n // 3}") for n in range(30)]
    write(tmp_path, cases, test_share=0.2)
    sides = [{i["patient"] for i in prepared.list_cases(tmp_path, s)} for s in SECTIONS]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 10


def test_paths_are_absolute_and_the_file_keeps_them_relative(tmp_path, monkeypatch):
    write(tmp_path, items(tmp_path, 6))
    monkeypatch.chdir(tmp_path.parent)
    found = prepared.list_cases(tmp_path.name)[0]
    assert found["image"] == str(tmp_path / "images" / f"{found['case']}.png")
    assert set(found) == {"case", "patient", "image", "label"}
    assert str(tmp_path) not in (tmp_path / "datalist.json").read_text()


def test_fewer_patients_than_folds_are_dealt_into_as_many_folds(tmp_path, caplog):
    assert write(tmp_path, items(tmp_path, 3))["folds"] == 3
    with pytest.raises(ValueError, match="3 patients are too few for 5 folds"):
        prepared.list_cases(tmp_path)
    assert len(prepared.list_cases(tmp_path, folds=3)) == 2


def test_one_patient_alone_is_for_testing_and_a_warning_says_so(tmp_path, caplog):
    write(tmp_path, [case(tmp_path, "p1", patient="x"), case(tmp_path, "p2", patient="x")])
    assert (
        "toy cannot be split into folds, it has 1 patient: all cases are for testing" in caplog.text
    )
    assert names(prepared.list_cases(tmp_path, "test", folds=5)) == {"p1", "p2"}
    with pytest.raises(ValueError, match="no case is for training, all are for testing"):
        prepared.list_cases(tmp_path)


def test_a_further_view_of_one_patient_says_nothing_of_it(tmp_path, caplog):
    write(tmp_path, [case(tmp_path, "p1")], warn_of_few=False)
    assert caplog.text == ""


def test_the_same_cases_give_the_same_file(tmp_path):
    write(tmp_path, items(tmp_path, 8), test_share=0.2)
    first = (tmp_path / "datalist.json").read_bytes()
    write(tmp_path, items(tmp_path, 8), test_share=0.2)
    assert (tmp_path / "datalist.json").read_bytes() == first


# ---- copies


def test_patients_who_share_an_image_are_never_parted(tmp_path, caplog):
    cases = [case(tmp_path, f"p{n:02d}", value=n % 5) for n in range(10)]  # each image twice
    with caplog.at_level(logging.WARNING):
        made = write(tmp_path, cases)
    assert "cases p00 and p05 have the same image: kept together" in caplog.text
    fold_of = {item["case"]: item["fold"] for item in made["training"]}
    assert all(fold_of[f"p{n:02d}"] == fold_of[f"p{n + 5:02d}"] for n in range(5))


def test_copies_join_patients_through_a_third(tmp_path):
    cases = [
        case(tmp_path, "p1", patient="a", value=1),
        case(tmp_path, "p2", patient="b", value=1),
        case(tmp_path, "p3", patient="b", value=2),
        case(tmp_path, "p4", patient="c", value=2),
        case(tmp_path, "p5", patient="d", value=3),
    ]
    made = write(tmp_path, cases)
    assert {i["case"]: i["patient"] for i in made["training"]} == {
        **dict.fromkeys(("p1", "p2", "p3", "p4"), "a"),
        "p5": "d",
    }


def test_a_copy_of_a_published_test_case_is_not_trained_on(tmp_path, caplog):
    made = write(tmp_path, items(tmp_path, 4), testing=[case(tmp_path, "t9", value=2)])
    assert names(made["training"]) == {"p00", "p01", "p03"}
    assert "case p02 is left out: test case t9 has the same image" in caplog.text


def test_a_picture_of_another_shape_is_no_copy_though_its_bytes_are_the_same(tmp_path):
    cases = items(tmp_path, 2, value=7)
    for part in ("images", "masks"):
        picture(tmp_path / part / "p01.png", 7 if part == "images" else 255, shape=(5, 4))
    assert len({item["patient"] for item in write(tmp_path, cases)["training"]}) == 2


# ---- refusals


def test_a_label_of_another_size_is_refused(tmp_path):
    cases = items(tmp_path, 3)
    picture(tmp_path / "masks" / "p01.png", shape=(5, 4))
    with pytest.raises(ValueError, match=r"p01 differ in size or grid, \(4, 5\) and \(5, 4\)"):
        write(tmp_path, cases)
    assert not (tmp_path / "datalist.json").exists()


def test_an_undeclared_label_value_is_refused(tmp_path):
    cases = items(tmp_path, 3)
    picture(tmp_path / "masks" / "p02.png", 7)
    with pytest.raises(ValueError, match=r"label of case p02 holds 7 \(20 voxels\), outside"):
        write(tmp_path, cases)


def test_each_of_several_faulty_cases_is_told_once_and_the_error_counts_them(tmp_path, caplog):
    cases = items(tmp_path, 3)
    (tmp_path / "images" / "p00.png").unlink()
    picture(tmp_path / "masks" / "p02.png", 7)
    told = (
        r"^2 of 3 cases are faulty \(p00, p02\): the reasons are above "
        r"\(see docs/how-to/use-your-own-data\.md\)$"
    )
    with pytest.raises(ValueError, match=told):
        write(tmp_path, cases)
    assert caplog.text.count("image of case p00 cannot be read") == 1
    assert caplog.text.count("label of case p02") == 1


def test_the_fault_of_a_single_case_is_in_the_error_alone(tmp_path, caplog):
    cases = items(tmp_path, 3)
    (tmp_path / "images" / "p00.png").unlink()
    told = r"^1 of 3 cases is faulty: image of case p00 cannot be .* \(see docs/how-to/use-your-o"
    with pytest.raises(ValueError, match=told):
        write(tmp_path, cases)
    assert caplog.text == ""


def test_of_many_faulty_cases_the_first_are_named_and_the_others_counted(tmp_path):
    cases = items(tmp_path, 8)
    for file in (tmp_path / "images").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"^8 of 8 cases are faulty \(p00, .*, p04 and 3 more\)"):
        write(tmp_path, cases)


def test_a_damaged_file_is_refused_by_its_case(tmp_path):
    cases = items(tmp_path, 3)
    file = tmp_path / "images" / "p01.png"
    file.write_bytes(file.read_bytes()[:40])
    told = rf"image of case p01 cannot be read \(.*\), {file} is damaged: delete it"
    with pytest.raises(ValueError, match=told):
        write(tmp_path, cases)


def test_a_label_on_another_grid_is_refused(tmp_path):
    for part, shift in (("images", 0.0), ("masks", 1.0)):
        affine = np.diag([1.0, 1.0, 2.0, 1.0])
        affine[0, 3] = shift
        (tmp_path / part).mkdir()
        nib.save(nib.Nifti1Image(np.zeros((3, 4, 5), np.uint8), affine), tmp_path / part / "a.nii")
    item = {"case": "a", "patient": "a", "image": "images/a.nii", "label": "masks/a.nii"}
    with pytest.raises(ValueError, match="image and label of case a differ in size or grid"):
        write(tmp_path, [item])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((np.nan,), "1 NaN and 0 infinite of 60"),
        ((np.nan, np.inf), "1 NaN and 1 infinite of 60"),
    ],
)
def test_a_voxel_that_is_not_finite_is_refused_before_hours_of_training(tmp_path, values, told):
    for part in ("images", "masks"):
        voxels = np.zeros((3, 4, 5), np.float32 if part == "images" else np.uint8)
        if part == "images":
            voxels[0, 0, : len(values)] = values
        (tmp_path / part).mkdir()
        nib.save(nib.Nifti1Image(voxels, np.eye(4)), tmp_path / part / "a.nii.gz")
    item = {"case": "a", "patient": "a", "image": "images/a.nii.gz", "label": "masks/a.nii.gz"}
    with pytest.raises(ValueError, match=rf"case a: \S+ has {told} voxels: replace them"):
        write(tmp_path, [item])


@pytest.mark.parametrize(
    ("offset", "value"),
    [(42, b"\x30\x75\x30\x75\x30\x75"), (70, b"\x0f\x27"), (40, b"\x64\x00")],
    ids=["30000 voxels a side", "an unknown type", "100 dimensions"],
)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_lying_header_is_refused_and_nothing_is_allocated(offset, value, suffix, tmp_path):
    header = bytearray(nib.Nifti1Image(np.zeros((3, 4, 5), np.uint8), np.eye(4)).to_bytes())
    header[offset : offset + len(value)] = value
    content = gzip.compress(header) if suffix == ".nii.gz" else bytes(header)
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        (tmp_path / part / f"a{suffix}").write_bytes(content)
    item = {"image": f"images/a{suffix}", "label": f"masks/a{suffix}", "case": "a", "patient": "a"}
    with pytest.raises(ValueError, match="image of case a cannot be read"):
        write(tmp_path, [item])


def test_a_picture_that_claims_more_pixels_than_are_decoded_is_refused(tmp_path):
    cases = items(tmp_path, 3)
    Image.new("1", (20000, 10000)).save(tmp_path / "images" / "p01.png")  # 200 million pixels
    with pytest.raises(ValueError, match="image of case p01 cannot be read"):
        write(tmp_path, cases)


def test_no_cases_are_refused(tmp_path):
    with pytest.raises(ValueError, match="toy has no cases"):
        write(tmp_path, [])


def test_a_folder_that_is_not_prepared_is_refused_with_the_key_and_the_command(tmp_path):
    """The key is for a run whose data lie elsewhere now, as on another machine."""
    with pytest.raises(FileNotFoundError) as caught:
        prepared.list_cases(tmp_path / "gone")
    told = str(caught.value)
    assert told.startswith(f"no prepared data in {tmp_path / 'gone'} (looked for datalist.json): ")
    assert "give the folder that has it with --dataset_dir, or make it with `medseg " in told
    assert f"`medseg prepare NAME --source PATH --out {tmp_path / 'gone'}`" in told
    assert not prepared.is_prepared(tmp_path)


@pytest.mark.parametrize(("folder", "what"), [("images", "images"), ("masks", "labels")])
def test_a_file_that_is_gone_is_missed_before_training(tmp_path, folder, what):
    write(tmp_path, items(tmp_path, 6))
    for file in (tmp_path / folder).iterdir():
        file.unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"4 of 4 {what} are missing, first .*\.png: prepare"
    ):
        prepared.list_cases(tmp_path, folds=3)


def test_files_of_ones_own_that_are_gone_are_planned_again(tmp_path):
    write(tmp_path, items(tmp_path, 6), own=True)
    for file in (tmp_path / "images").iterdir():
        file.unlink()
    remedy = "if the folder was moved, run `medseg new toy --data NEW --replan`"
    with pytest.raises(FileNotFoundError, match=re.escape(remedy)):
        prepared.list_cases(tmp_path, folds=3)


def test_cases_that_are_gone_are_told_once_and_their_files_stay(tmp_path, caplog):
    cases = items(tmp_path, 6)
    write(tmp_path, cases)
    write(tmp_path, cases[:4])
    told = f"no longer in the source: 2 cases of toy, first p04; the files stay in {tmp_path}"
    assert caplog.text.count(told) == 1
    assert (tmp_path / "images" / "p05.png").is_file()
    write(tmp_path, cases[:4])
    assert caplog.text.count("no longer in the source") == 1


def test_the_datalist_is_json_that_names_its_share(tmp_path):
    write(tmp_path, items(tmp_path, 8), test_share=0.25)
    content = json.loads((tmp_path / "datalist.json").read_text())
    assert (content["name"], content["test_share"], len(content["testing"])) == ("toy", 0.25, 2)


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"folds": "2"}, ValueError, "folds is '2': it must be a whole number of at least 2"),
        ({"folds": 2.0}, ValueError, "folds is 2.0"),
        ({"folds": True}, ValueError, "folds is True"),
        ({"seed": "x"}, ValueError, "seed is 'x': it must be a whole number from 0"),
        ({"seed": None}, ValueError, "seed is None"),
        (
            {"test_share": "a"},
            TypeError,
            "test_share must be a number from 0 to 1 or None, got 'a'",
        ),
        ({"test_share": True}, TypeError, "test_share must be a number"),
    ],
)
def test_folds_seed_and_share_are_checked_before_any_image_is_read(tmp_path, options, kind, said):
    with pytest.raises(kind, match=said):
        write(tmp_path, [], **options)


def test_what_was_written_is_logged(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    write(tmp_path, items(tmp_path, 10), test_share=0.2)
    assert "datalist.json: 8 cases for training in 5 folds, 2 for testing" in caplog.text
