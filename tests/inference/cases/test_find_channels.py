"""Tests of medseg.inference.cases.find_channels: which files of an input are which channel."""

import nibabel as nib
import numpy as np
import pytest

from medseg.inference import find_channel_cases

CHANNELS = ["flair", "t1"]


@pytest.fixture
def folder(tmp_path):
    def make(text):
        for name in text.split():
            path = tmp_path / "input" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.eye(4)), path)
        return tmp_path / "input"

    return make


def found(root, **options):
    """case -> the names of its files below the input."""
    cases = find_channel_cases(root, CHANNELS, **options)
    return {
        one["case"]: [path and path.removeprefix(f"{root}/") for path in one["image"]]
        for one in cases
    }


LAYOUTS = {
    "nnU-Net": "a_0000.nii a_0001.nii b_0001.nii b_0000.nii",
    "names": "a_FLAIR.nii a_T1.nii b-t1.nii b-flair.nii",
    "a folder for each case": "a/t1.nii a/flair.nii b/x_flair.nii b/y_t1.nii",
    "a folder for each channel": "T1/a.nii Flair/a.nii T1/b.nii Flair/b.nii",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_file_is_in_the_place_of_its_channel(folder, layout):
    cases = found(folder(LAYOUTS[layout]))
    assert list(cases) == ["a", "b"]
    for flair, t1 in cases.values():
        assert "flair" in flair.lower() or flair.endswith("_0000.nii")
        assert "t1" in t1.lower() or t1.endswith("_0001.nii")


def test_files_named_by_their_channels_alone_are_one_case_named_by_the_folder(folder):
    assert found(folder("t1.nii.gz flair.nii.gz")) == {"input": ["flair.nii.gz", "t1.nii.gz"]}


def test_a_file_that_names_no_channel_is_an_image_with_all(folder):
    root = folder("a.nii.gz")
    expected = [{"case": "a", "image": str(root / "a.nii.gz")}]
    assert find_channel_cases(root, CHANNELS) == expected
    assert find_channel_cases(root / "a.nii.gz", CHANNELS) == expected


def test_a_single_channel_by_its_name_is_refused(folder):
    with pytest.raises(ValueError, match=r"a_0001.nii is the channel t1 alone .*: pass its folder"):
        find_channel_cases(folder("a_0001.nii") / "a_0001.nii", CHANNELS)


def test_a_missing_channel_is_refused_unless_the_network_knows_it_and_it_is_allowed(folder):
    root = folder("a_t1.nii a_flair.nii b_flair.nii")
    told = r"missing in 1 of 2 cases \(b has no t1\): add it"
    with pytest.raises(ValueError, match=told + "; the network was trained on cases with all"):
        found(root, allow_missing=True)
    with pytest.raises(ValueError, match=told + ", or pass --allow_missing_channel True"):
        found(root, channel_dropout=0.2)
    cases = found(root, allow_missing=True, channel_dropout=0.2)
    assert cases["b"] == ["b_flair.nii", None]


@pytest.mark.parametrize("files", ["a_t1.nii a-t1.nii a_flair.nii", "a.nii a_t1.nii"])
def test_two_files_for_one_channel_or_beside_one_with_all_are_refused(folder, files):
    with pytest.raises(ValueError, match=r"case a has both .* leave one out, or name each file"):
        found(folder(files))


def test_a_folder_without_volumes_is_refused(tmp_path):
    (tmp_path / "in" / "dicom").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds no volume files and no DICOM series"):
        find_channel_cases(tmp_path / "in", CHANNELS)


def test_outputs_that_are_there_and_one_in_the_place_of_a_channel_are_refused(folder, tmp_path):
    root = folder("a_t1.nii a_flair.nii")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.nii.gz").touch()
    with pytest.raises(ValueError, match="would write over outputs"):
        found(root, output_dir=tmp_path / "out")
    assert found(root, output_dir=tmp_path / "out", existing="skip") == {}


def test_it_is_said_which_file_is_which_channel(folder, caplog):
    caplog.set_level("INFO")
    found(folder("a_0000.nii a_0001.nii"))
    assert "channels flair, t1: flair a_0000.nii, t1 a_0001.nii" in caplog.text


BESIDE = {
    "nnU-Net": ("a_0000.nii a_0001.nii", "a_seg.nii"),
    "names": ("a_flair.nii a_t1.nii", "a_segmentation.nii"),
    "a label of one channel": ("a_flair.nii a_t1.nii", "a_t1_mask.nii"),
    "another sequence": ("a_flair.nii a_t1.nii", "a_t2.nii"),
    "a channel too many": ("a_0000.nii a_0001.nii", "a_0002.nii"),
    "a folder for each case": ("a/flair.nii a/t1.nii", "a/seg.nii"),
    "a folder for each channel": ("flair/a.nii t1/a.nii", "seg/a.nii"),
    "a folder of labels": ("a_flair.nii a_t1.nii", "labels/a.nii"),
    "a folder in that of a case": ("a/flair.nii a/t1.nii", "a/labels/x.nii"),
}


@pytest.mark.parametrize("layout", BESIDE)
def test_what_lies_beside_the_channels_of_a_case_is_left_out_and_named(folder, caplog, layout):
    channels, other = BESIDE[layout]
    cases = found(folder(f"{channels} {other}"))
    assert cases == {"a": channels.split()}
    assert f"1 file that are no channel of a case ({other.split('/')[-1]})" in caplog.text


def test_of_many_cases_the_labels_beside_are_one_note(folder, caplog):
    names = [f"p{n}_{what}.nii" for n in range(9) for what in ("0000", "0001", "seg")]
    assert len(found(folder(" ".join(names)))) == 9
    assert caplog.text.count("left out") == 1
    assert "9 files that are no channel of a case (p0_seg.nii" in caplog.text


def test_a_label_that_is_named_itself_is_never_left_out(folder):
    root = folder("a_0000.nii a_0001.nii a_seg.nii")
    assert [one["case"] for one in find_channel_cases(root / "a_seg.nii", CHANNELS)] == ["a_seg"]


def test_a_channel_that_is_a_mask_is_no_label(folder):
    root = folder("a_t1.nii a_mask.nii")
    (one,) = find_channel_cases(root, ["t1", "mask"])
    assert one["image"] == [str(root / "a_t1.nii"), str(root / "a_mask.nii")]


def test_a_folder_of_images_is_a_case_and_no_folder_of_labels(folder):
    root = folder("images/a_0000.nii images/a_0001.nii")
    assert found(root) == {"images": ["images/a_0000.nii", "images/a_0001.nii"]}
