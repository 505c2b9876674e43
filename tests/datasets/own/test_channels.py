"""Tests of medseg.datasets.own.channels: all cases have the same channels in the same order."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from datasets.own.test_pair_files import make

from medseg.datasets.own.channels import ChannelRules, align_channels, read_channel_names
from medseg.datasets.own.pair_files import Pair, pair_files


def align(root, **rules):
    """The channels of the first case, case -> the names of its images, and the faults."""
    pairs, faults = pair_files(root)
    labelled = [pair for pair in pairs if pair.label is not None]
    aligned, lacking = align_channels(labelled, root, ChannelRules(**rules))
    images = {pair.case: [p and p.name for p in pair.images] for pair in aligned}
    return aligned[0].channels, images, [*faults, *lacking]


LACKS_T1 = "case b has no image t1: add it, or pass --allow-missing-channel"
NAMED = "a_t1.nii a_flair.nii a_seg.nii b_flair.nii b_t1.nii b_seg.nii"


def test_names_tell_the_channel_whatever_the_order_of_the_files(tmp_path):
    channels, images, faults = align(make(tmp_path, NAMED))
    assert (channels, faults) == (("flair", "t1"), [])
    assert images == {"a": ["a_flair.nii", "a_t1.nii"], "b": ["b_flair.nii", "b_t1.nii"]}


def test_a_person_chooses_channels_and_their_order(tmp_path):
    make(tmp_path, NAMED)
    assert align(tmp_path, names=("t1", "flair"))[:2] == (
        ("t1", "flair"),
        {"a": ["a_t1.nii", "a_flair.nii"], "b": ["b_t1.nii", "b_flair.nii"]},
    )
    assert align(tmp_path, names=("t1",))[1] == {"a": ["a_t1.nii"], "b": ["b_t1.nii"]}
    with pytest.raises(ValueError, match=r"channel t2 \(the names of files tell flair"):
        align(tmp_path, names=("t2",))


def test_a_case_without_a_channel_is_a_fault_or_has_none_in_its_place(tmp_path):
    make(tmp_path, "a_t1.nii a_t2.nii a_seg.nii b_t2.nii b_seg.nii")
    assert align(tmp_path)[2] == [LACKS_T1]
    _, images, faults = align(tmp_path, allow_missing=True)
    assert faults == []
    assert images["b"] == [None, "b_t2.nii"]


def test_a_case_without_any_of_the_chosen_channels_is_a_fault_in_any_case(tmp_path):
    make(tmp_path, "a_t1.nii a_t2.nii a_seg.nii b_t2.nii b_seg.nii")
    assert align(tmp_path, names=("t1",), allow_missing=True)[2] == [LACKS_T1.split(",")[0]]


def test_a_channel_that_one_case_alone_has_is_a_fault_of_that_case(tmp_path):
    make(tmp_path, f"{NAMED} c_t1.nii c_flair.nii c_seg.nii a_t2.nii")
    channels, images, faults = align(tmp_path)
    assert faults == [
        "case a has an image t2, and 2 others have none: take it out, choose --channels flair,t1, "
        "or pass --allow-missing-channel"
    ]
    assert (channels, images["a"]) == (("flair", "t1"), ["a_flair.nii", "a_t1.nii"])
    assert align(tmp_path, allow_missing=True)[::2] == (("flair", "t1", "t2"), [])
    assert align(tmp_path, names=("t1", "flair"))[2] == []


def test_a_number_that_dataset_json_does_not_name_is_a_fault_of_its_cases(tmp_path):
    make(tmp_path, f"{NUMBERED} imagesTr/a_0002.nii")
    named = {"channel_names": {"0": "T1", "1": "T2"}}
    (tmp_path / "dataset.json").write_text(json.dumps(named))
    channels, images, (fault,) = align(tmp_path)
    assert fault == (
        "case a has a channel 0002, and dataset.json names 2 channels (T1, T2): take the file out, "
        "or name the channel there"
    )
    assert (channels, images["a"]) == (("T1", "T2"), ["a_0000.nii", "a_0001.nii"])
    make(tmp_path, "imagesTr/b_0002.nii")
    assert align(tmp_path)[2][0].startswith("cases a, b have a channel 0002, and dataset.json")


NUMBERED = (
    "imagesTr/a_0000.nii imagesTr/a_0001.nii labelsTr/a.nii "
    "imagesTr/b_0000.nii imagesTr/b_0001.nii labelsTr/b.nii imagesTs/c_0000.nii imagesTs/c_0001.nii"
)


def test_the_numbers_of_nnu_net_have_the_names_of_dataset_json(tmp_path):
    make(tmp_path, NUMBERED)
    assert align(tmp_path)[0] == ("0000", "0001")
    stated = {"channel_names": {"1": "FLAIR", "0": "T2-weighted"}}
    (tmp_path / "dataset.json").write_text(json.dumps(stated))
    channels, images, faults = align(tmp_path)
    assert (channels, faults) == (("T2_weighted", "FLAIR"), [])
    assert images["b"] == ["b_0000.nii", "b_0001.nii"]
    assert align(tmp_path, names=("FLAIR",))[1]["b"] == ["b_0001.nii"]


def test_names_in_dataset_json_that_are_alike_are_told_apart_and_damage_is_refused(tmp_path):
    file = tmp_path / "dataset.json"
    file.write_text(json.dumps({"modality": {"0": "CT", "1": "CT", "2": "PET"}}))
    assert read_channel_names(tmp_path) == ("CT_0", "CT_1", "PET")
    file.write_text(json.dumps({"channel_names": "T1"}))
    with pytest.raises(ValueError, match="names no channels"):
        read_channel_names(tmp_path)
    for text in ("[]", "{"):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"dataset\.json") as refused:
            read_channel_names(tmp_path)
        assert "object" not in str(refused.value)
        assert "Expecting" not in str(refused.value)


def save_volumes(path, count):
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3, count), np.int16), np.eye(4)), path)
    return path


def test_volumes_of_a_file_are_named_by_dataset_json_or_by_a_person(tmp_path):
    pairs = [
        Pair(case, (save_volumes(tmp_path / f"{case}.nii", count),), ("",), Path("label.nii"))
        for case, count in (("a", 2), ("b", 2), ("c", 3))
    ]
    with pytest.raises(ValueError, match="most images hold 2 volumes each, with no names"):
        align_channels(pairs, tmp_path, ChannelRules())
    aligned, faults = align_channels(pairs, tmp_path, ChannelRules(("flair", "t1")))
    assert faults == [
        "case c has an image of 3 volumes, and most others have one of 2: split the file, or take "
        "the case out"
    ]
    assert aligned[0].channels == ("flair", "t1")
    assert aligned[0].images == (tmp_path / "a.nii",)
    (tmp_path / "dataset.json").write_text(json.dumps({"modality": {"0": "x", "1": "y"}}))
    assert align_channels(pairs, tmp_path, ChannelRules())[0][0].channels == ("x", "y")


def test_a_single_file_of_several_volumes_is_the_fault_of_its_case(tmp_path):
    pairs = [
        Pair(case, (save_volumes(tmp_path / f"{case}.nii", count),), ("",), Path("label.nii"))
        for case, count in (("a", 1), ("b", 1), ("c", 2))
    ]
    aligned, (fault,) = align_channels(pairs, tmp_path, ChannelRules())
    assert fault.startswith("case c has an image of 2 volumes, and most others have one of 1")
    assert aligned[0].channels == ("",)


def test_channels_that_no_name_tells_or_that_are_named_twice_are_refused(tmp_path):
    make(tmp_path / "one", "images/a.nii labels/a.nii images/b.nii labels/b.nii")
    with pytest.raises(ValueError, match=r"channel t1 \(each case has one\): correct --channels"):
        align(tmp_path / "one", names=("t1", "t2"))
    with pytest.raises(ValueError, match="--channels names t1 twice: leave one"):
        align(make(tmp_path / "two", NAMED), names=("t1", "t1"))


def test_single_images_of_one_kind_stay_single(tmp_path):
    make(tmp_path, "images/a.nii labels/a.nii images/b.nii labels/b.nii")
    assert align(tmp_path) == (("",), {"a": ["a.nii"], "b": ["b.nii"]}, [])


def test_names_that_tell_too_many_images_apart_are_refused(tmp_path):
    names = " ".join(f"{case}_s{n}.nii" for case in "ab" for n in range(17))
    make(tmp_path, f"{names} a_seg.nii b_seg.nii")
    with pytest.raises(ValueError, match=r"tell 17 images of a case apart .*--channels"):
        align(tmp_path)


@pytest.mark.parametrize(
    ("channels", "file", "stated", "known", "kinds"),
    [
        (("ct", "pt"), "p.nii", [], (), ("ct", "pt")),
        (("",), "p.nii", ["CT"], (), ("CT",)),
        (("",), "p_ct.nii.gz", [], (), ("CT",)),
        (("",), "Mr_Smith.nii.gz", [], (), ()),  # a title
        (("",), "case_1.nii.gz", [], ("MR",), ("MR",)),  # of a DICOM series
    ],
)
def test_what_is_stated_of_an_image_is_kept_with_its_case(
    channels, file, stated, known, kinds, tmp_path
):
    if stated:
        (tmp_path / "dataset.json").write_text(json.dumps({"modality": {"0": stated[0]}}))
    pair = Pair("p", (tmp_path / file,) * len(channels), channels, None, kinds=known)
    found, faults = align_channels([pair], tmp_path, ChannelRules())
    assert (found[0].kinds, faults) == (kinds, [])
