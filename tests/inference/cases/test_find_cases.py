"""Tests of medseg.inference.cases.find_cases."""

import logging

import pytest
import torch
from ingest.volume_writer import write_volume
from monai.bundle import ConfigParser
from monai.data import MetaTensor

from medseg.base.errors import find_root_cause
from medseg.inference import ProbabilityFiles, find_cases
from medseg.inference.outputs.label_files import LabelFiles
from medseg.ingest import IngestError, load


def names(path, **kwargs):
    return [case["case"] for case in find_cases(path, **kwargs)]


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")
    return folder


def copy_dicom(ct, target, *, case="liver_002"):
    target.mkdir(parents=True, exist_ok=True)
    for file in (ct / "dicom" / case).iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


# ---- layouts


def test_a_nifti_file_is_one_case_named_without_its_suffix(ct):
    path = ct / "imagesTs" / "liver_002.nii.gz"
    assert find_cases(path) == [{"case": "liver_002", "image": str(path)}]


def test_a_dicom_folder_is_one_case_named_after_it(ct):
    path = ct / "dicom" / "liver_002"
    assert find_cases(path) == [{"case": "liver_002", "image": str(path)}]


def test_a_folder_of_dicom_folders_is_a_case_for_each(ct):
    assert names(ct / "dicom") == ["liver_002", "liver_003"]


def test_a_folder_of_nifti_files_is_a_case_for_each(ct):
    assert names(ct / "imagesTr") == ["liver_000", "liver_001"]


def test_masks_of_earlier_runs_and_trainings_are_no_cases(tmp_path, caplog):
    """Also if they lie where the images are; the labels.json of another program says nothing."""
    touch(tmp_path, "a.nii.gz", "masks/a.nii.gz", "runs_of_mine/resume.pt", "study/b.dcm")
    for name in ("masks", "runs_of_mine"):
        LabelFiles(tmp_path / name, ["liver"])()
    (tmp_path / "study" / "labels.json").write_text('{"schema": "theirs"}')
    with caplog.at_level(logging.WARNING):
        assert names(tmp_path, output_dir=tmp_path / "out") == ["a", "study"]
    assert "2 folders of masks or of a training (masks, runs_of_mine)" in caplog.text


def test_a_folder_of_nothing_but_masks_holds_no_case(tmp_path):
    LabelFiles(tmp_path / "masks", ["liver"])()
    with pytest.raises(ValueError, match="no case, masks is a folder of masks or of a training: "):
        find_cases(tmp_path)


def test_nifti_files_and_dicom_folders_may_lie_side_by_side_and_are_sorted_by_name(ct, tmp_path):
    touch(tmp_path, "b.nii", "d.NII.GZ")
    copy_dicom(ct, tmp_path / "a")
    copy_dicom(ct, tmp_path / "c")
    assert names(tmp_path) == ["a", "b", "c", "d"]


def test_a_single_dicom_file_is_a_case(ct):
    file = sorted((ct / "dicom" / "liver_002").iterdir())[0]
    assert find_cases(file)[0]["image"] == str(file)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.nii.gz", "a"),
        ("a.NII", "a"),
        ("a.b.nii.gz", "a.b"),
        ("IM0001.dcm", "IM0001"),
        ("1.2.840.113", "1.2.840.113"),  # a UID has no suffix
        ("scan.IMA", "scan"),
    ],
)
def test_only_suffixes_of_images_are_left_out_of_a_name(tmp_path, file, name):
    assert names(touch(tmp_path, file) / file) == [name]


def test_the_working_directory_and_its_parent_have_a_name(ct, monkeypatch):
    monkeypatch.chdir(ct / "dicom" / "liver_002")
    assert names(".") == ["liver_002"]
    assert names("../liver_003") == ["liver_003"]
    assert names("..") == ["liver_002", "liver_003"]


def test_a_link_has_its_own_name_and_not_that_of_its_target(tmp_path):
    touch(tmp_path / "store", "MD5-7f3a.nii.gz")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "case1.nii.gz").symlink_to(tmp_path / "store" / "MD5-7f3a.nii.gz")
    assert names(tmp_path / "in") == ["case1"]


def test_a_dangling_link_is_a_case_that_fails_later_and_is_not_passed_over(tmp_path):
    (tmp_path / "case1.nii.gz").symlink_to(tmp_path / "absent.nii.gz")
    assert names(tmp_path) == ["case1"]


# ---- what lies about


def test_every_format_of_volumes_is_a_case_and_its_parts_are_none(tmp_path, caplog):
    for name in ("a.mha", "b.nrrd", "c.mhd", "d.hdr", "e.mgz", "f.nhdr"):
        write_volume(tmp_path / name)
    touch(tmp_path, "g.NII.GZ", "h.SEG.NRRD", ".i.nii", "notes.txt")
    assert names(tmp_path) == list("abcdefgh")
    assert "8 cases of" in caplog.text
    assert "1 file with a hidden name (.i.nii)" in caplog.text
    assert "1 file in an unsupported format (notes.txt)" in caplog.text


def test_hidden_files_are_not_looked_at(ct, tmp_path):
    touch(tmp_path, "a.nii.gz", ".DS_Store", "._a.nii.gz", ".cache/b.nii.gz")
    assert names(tmp_path) == ["a"]


def test_stray_files_beside_dicom_folders_are_left_aside_and_logged(ct, tmp_path, caplog):
    copy_dicom(ct, tmp_path / "one")
    copy_dicom(ct, tmp_path / "two", case="liver_003")
    touch(tmp_path, "README.txt", "list.csv")
    (tmp_path / "empty").touch()
    assert names(tmp_path) == ["one", "two"]
    assert "3 files in an unsupported format (README.txt, empty, list.csv)" in caplog.text


def test_stray_files_among_dicom_files_do_not_split_the_case(ct, tmp_path):
    copy_dicom(ct, tmp_path / "one")
    touch(tmp_path / "one", "README.txt")
    assert names(tmp_path / "one") == ["one"]


def test_dicom_files_with_subfolders_are_one_case_whose_second_series_is_refused(ct, tmp_path):
    copy_dicom(ct, tmp_path / "study")
    copy_dicom(ct, tmp_path / "study" / "second", case="liver_003")
    cases = find_cases(tmp_path / "study")
    assert [case["case"] for case in cases] == ["study"]
    with pytest.raises(IngestError, match="2 series in"):
        load(cases[0]["image"])


def test_damaged_dicom_still_makes_its_folder_a_case(tmp_path):
    touch(tmp_path, "slice.dcm", "sub/other.dcm")
    assert find_cases(tmp_path) == [{"case": tmp_path.name, "image": str(tmp_path)}]


def test_dicom_beside_nifti_is_refused(ct, tmp_path):
    copy_dicom(ct, tmp_path)
    touch(tmp_path, "ct.nii.gz")
    with pytest.raises(ValueError, match=r"holds DICOM files beside ct\.nii\.gz"):
        find_cases(tmp_path)


def test_a_dicomdir_is_no_case(tmp_path, ct, caplog):
    touch(tmp_path, "DICOMDIR")
    copy_dicom(ct, tmp_path / "series")
    assert names(tmp_path) == ["series"]
    assert "DICOMDIR" in caplog.text


# ---- refusals


def test_two_cases_of_one_name_are_refused(tmp_path):
    touch(tmp_path, "a.nii", "a.nii.gz", "b.nii")
    with pytest.raises(ValueError, match="are named a: rename"):
        find_cases(tmp_path)


@pytest.mark.parametrize("files", [[], ["notes.txt", "image.png"], [".hidden.nii.gz"]])
def test_a_folder_without_a_case_is_refused(tmp_path, files):
    with pytest.raises(ValueError, match="holds no case"):
        find_cases(touch(tmp_path, *files))


def test_the_folder_of_a_dataset_is_refused_with_that_of_its_images(ct):
    with pytest.raises(ValueError, match=r"is the folder of a dataset: pass its .*/imagesTs$"):
        find_cases(ct)


def test_a_folder_of_images_beside_one_of_labels_is_named_whatever_they_are_called(tmp_path):
    for name in ("Bilder/a.nii", "Masken/a.nii"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"is the folder of a dataset: pass its .*/Bilder$"):
        find_cases(tmp_path)


def test_what_does_not_exist_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*absent"):
        find_cases(tmp_path / "absent")


# ---- label maps that are there already


@pytest.mark.parametrize(("existing", "expected"), [("skip", ["b"]), ("overwrite", ["a", "b"])])
def test_existing_label_maps_are_skipped_or_overwritten_on_demand(half_done, existing, expected):
    out = half_done / "out"
    assert names(half_done / "in", output_dir=out, existing=existing) == expected


def test_existing_label_maps_are_refused_by_default(half_done):
    with pytest.raises(ValueError, match=r"1 of 2 cases would write over outputs in .*\(a\): pass"):
        find_cases(half_done / "in", output_dir=half_done / "out")


def test_skipping_all_cases_leaves_none(half_done):
    assert (
        find_cases(half_done / "in/a.nii.gz", output_dir=half_done / "out", existing="skip") == []
    )


def test_an_output_dir_that_is_not_there_yet_holds_nothing(half_done):
    assert names(half_done / "in", output_dir=half_done / "new") == ["a", "b"]


@pytest.mark.parametrize("existing", ["refuse", "skip", "overwrite"])
def test_a_label_map_never_takes_the_place_of_an_image(half_done, existing):
    with pytest.raises(ValueError, match="would take the place of an image"):
        find_cases(half_done / "in/a.nii.gz", output_dir=half_done / "in", existing=existing)


@pytest.mark.parametrize("existing", ["refuse", "skip", "overwrite"])
def test_label_maps_beside_the_cases_of_a_folder_are_refused(half_done, existing):
    with pytest.raises(ValueError, match="is the folder of the inputs: write to another folder"):
        find_cases(half_done / "in", output_dir=half_done / "in", existing=existing)


def test_the_folder_of_the_outputs_is_no_case_where_it_is_among_the_inputs(half_done):
    (half_done / "study" / "c").mkdir(parents=True)
    (half_done / "out").rename(half_done / "study" / "out")
    (half_done / "link").symlink_to(half_done / "study" / "out")
    assert names(half_done / "study", output_dir=half_done / "link") == ["c"]
    assert names(half_done / "study") == ["c", "out"]


def test_an_unknown_mode_is_refused(half_done):
    with pytest.raises(ValueError, match="one of refuse, skip, overwrite, got 'ask': choose"):
        find_cases(half_done, existing="ask")


# ---- the names of nnU-Net


def test_a_case_of_nnu_net_is_named_without_its_channel(tmp_path):
    touch(tmp_path, "a_0000.nii.gz", "b_0000.mha", "c.nii", "d_0001.nii.gz")
    assert names(tmp_path) == ["a", "b", "c", "d_0001"]
    assert names(tmp_path / "a_0000.nii.gz") == ["a"]


def test_probabilities_have_the_name_of_the_case_too(tmp_path):
    image = MetaTensor(torch.zeros(1, 1, 2, 2), meta={"filename_or_obj": "in/b_0000.nii.gz"})
    with ProbabilityFiles(tmp_path, classes={"x": [1]})(image) as path:
        path.touch()
    assert path.name == "b_probabilities.npy"


def test_an_image_beside_its_name_of_nnu_net_is_refused(tmp_path):
    touch(tmp_path, "a_0000.nii.gz", "a.nii.gz")
    with pytest.raises(ValueError, match=r"two cases in .* are named a: rename one of them"):
        find_cases(tmp_path)


def test_two_channels_of_a_case_are_refused_and_none_is_dropped(tmp_path):
    touch(tmp_path, "a_0000.nii.gz", "a_0001.nii.gz", "b_0000.nii.gz")
    with pytest.raises(
        ValueError, match=r"a_0000.nii.gz and a_0001.nii.gz are two channels of one"
    ):
        find_cases(tmp_path)
    assert names(tmp_path / "a_0001.nii.gz") == ["a_0001"]


# ---- probabilities that are there already


@pytest.fixture
def with_probabilities(half_done):
    """The same two cases, and the probabilities of `b`, which was interrupted, in `out`."""
    image = MetaTensor(torch.zeros(1, 1, 2, 2), meta={"filename_or_obj": "in/b.nii.gz"})
    with ProbabilityFiles(half_done / "out", classes={"x": [1]})(image) as path:
        path.touch()
    return half_done


@pytest.mark.parametrize("left", ["b_probabilities.npy", "b_probabilities.json"])
def test_probabilities_are_not_replaced_unasked(with_probabilities, left):
    out = with_probabilities / "out"
    for file in out.iterdir():
        if file.name != left:
            file.unlink()
    with pytest.raises(ValueError, match=r"1 of 2 cases would write over outputs in .*\(b\): pass"):
        find_cases(with_probabilities / "in", output_dir=out, probabilities=True)


@pytest.mark.parametrize("existing", ["skip", "overwrite"])
def test_probabilities_are_not_left_beside_a_label_map_that_they_do_not_fit(
    with_probabilities, existing
):
    source, out = with_probabilities / "in", with_probabilities / "out"
    with pytest.raises(ValueError, match=r"not write, .* \(b_prob.*npy, b_.*json\): remove"):
        find_cases(source, output_dir=out, existing=existing)
    assert names(source, output_dir=out, existing=None) == ["a", "b"]  # a plan writes nothing
    (out / "b.nii.gz").touch()
    (out / "b.png").touch()
    assert names(source, output_dir=out, existing="skip") == []


def test_skip_warns_of_cases_that_are_done_without_probabilities(with_probabilities, caplog):
    source, out = with_probabilities / "in", with_probabilities / "out"
    (out / "a.png").touch()
    assert names(source, output_dir=out, existing="skip", probabilities=True) == ["b"]
    (warning,) = (r.getMessage() for r in caplog.records if r.levelno == logging.WARNING)
    assert warning.startswith("already done, so a_probabilities.npy is not written nor 1 oth")


def test_skip_has_nothing_to_warn_of_where_none_are_asked_or_all_are_there(
    with_probabilities, caplog
):
    source, out = with_probabilities / "in", with_probabilities / "out"
    for file in ("b.nii.gz", "a.png", "b.png"):
        (out / file).touch()
    assert names(source, output_dir=out, existing="skip") == []
    for file in ("a.nii.gz", "a.png"):
        (out / file).unlink()
    assert names(source, output_dir=out, existing="skip", probabilities=True) == ["a"]
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_probabilities_are_asked_for_by_true_or_false_alone(half_done):
    with pytest.raises(TypeError, match="save_probabilities must be True or False, got 'false'"):
        find_cases(half_done / "in", probabilities="false")


@pytest.mark.parametrize("name", ["hippocampus", "liver"])
def test_the_bundles_of_volumes_ask_for_the_probabilities_that_they_save(
    with_probabilities, repository, name
):
    (with_probabilities / "out" / "a.nii.gz").unlink()
    (with_probabilities / "out" / "b_probabilities.json").unlink()
    config = ConfigParser.load_config_file(str(repository / "bundles" / name / "inference.json"))
    config["input"] = str(with_probabilities / "in")
    config["output_dir"] = str(with_probabilities / "out")
    for saves, refusal in [
        (True, "1 of 2 cases would write over"),
        (False, "holds files of an"),
    ]:
        config["save_probabilities"] = saves
        with pytest.raises(RuntimeError) as caught:  # MONAI's own, around ours
            ConfigParser(config).get_parsed_content("cases")
        assert refusal in str(find_root_cause(caught.value))


def test_outputs_that_cannot_be_written_are_refused_before_the_first_case(tmp_path):
    image, file = tmp_path / "a.nii.gz", tmp_path / "file"
    image.touch()
    file.touch()
    for folder in (file, file / "below"):
        with pytest.raises(NotADirectoryError, match="cannot be written to"):
            find_cases(image, output_dir=folder)


def test_a_preview_that_exists_is_not_overwritten_unasked(tmp_path):
    image, out = tmp_path / "a.nii.gz", tmp_path / "out"
    image.touch()
    out.mkdir()
    (out / "a.png").touch()
    with pytest.raises(ValueError, match="1 of 1 case would write over"):
        find_cases(image, output_dir=out)


def test_a_label_beside_its_image_is_no_case_but_one_that_is_named_itself(tmp_path, caplog):
    for name in ("a_ct.nii.gz", "a_seg.nii.gz", "b.nii.gz"):
        (tmp_path / name).touch()
    assert [case["case"] for case in find_cases(tmp_path)] == ["a_ct", "b"]
    assert "1 file named like a label of one of them (a_seg.nii.gz)" in caplog.text
    assert [case["case"] for case in find_cases(tmp_path / "a_seg.nii.gz")] == ["a_seg"]
