"""Tests of medseg.transforms.cache_key: what changes it, and what does not."""

import os
from functools import partial

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import PersistentDataset
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    Lambdad,
    LoadImaged,
    Orientationd,
    RandFlipd,
    Spacingd,
    Transform,
)

from medseg.ingest.reader import VolumeReader
from medseg.transforms.cache_key import CaseHash, compute_fingerprint, describe


def load(labels=(0, 1), axcodes="RAS"):
    return Compose(
        [
            LoadImaged("label", reader=VolumeReader(labels=labels)),
            EnsureChannelFirstd("label"),
            Orientationd("label", axcodes=axcodes, labels=None),
        ]
    )


def scale(factor):
    return lambda x: x * factor


def test_two_instances_with_the_same_settings_are_described_alike():
    assert describe(load()) == describe(load())


@pytest.mark.parametrize("changed", [load(labels=(0, 1, 2)), load(axcodes="LPS")])
def test_a_setting_of_a_transform_or_of_its_reader_changes_the_text(changed):
    assert describe(changed) != describe(load())


def test_the_text_holds_no_address_and_the_settings_of_the_reader():
    text = describe(Compose([load(), scale(2), Lambdad("label", len)]))
    assert "0x" not in text
    assert "'labels':[0,1]" in text


def test_the_order_of_a_set_does_not_count():
    assert describe({"a", "b", "c"}) == describe({"c", "b", "a"}) == "set['a','b','c']"


def test_a_call_of_the_transform_does_not_change_its_text(tmp_path):
    transform = load()
    before = describe(transform)
    image = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.diag([1.0, 1.0, 1.0, 1.0]))
    nib.save(image, tmp_path / "label.nii")
    transform({"label": tmp_path / "label.nii"})
    assert describe(transform) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (scale(1), scale(2)),
        (lambda x: x + 1, lambda x: x + 2),
        (lambda x: [y for y in x if y], lambda x: [y for y in x if not y]),
        (partial(max, default=0), partial(max, default=1)),
        (partial(max, default=0), partial(min, default=0)),
        (np.arange(5000), np.arange(5000)[::-1]),
        (torch.zeros(3), torch.zeros(3, dtype=torch.int64)),
        ({"liver": [1], "tumour": [2]}, {"tumour": [2], "liver": [1]}),
        (load().__call__, load(axcodes="LPS").__call__),
    ],
)
def test_what_works_differently_is_described_differently(one, other):
    assert describe(one) == describe(one)
    assert describe(one) != describe(other)


def test_the_random_state_of_a_transform_does_not_count():
    first, second = (RandFlipd("image", prob=0.5) for _ in range(2))
    first.set_random_state(1)
    assert describe(first) == describe(second)


def test_a_file_counts_by_path_size_and_time(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"12")
    first = compute_fingerprint([path], "x")
    assert compute_fingerprint([path], "x") == first
    os.utime(path, ns=(0, 0))
    second = compute_fingerprint([path], "x")
    assert second != first
    path.write_bytes(b"123")
    os.utime(path, ns=(0, 0))
    assert compute_fingerprint([path], "x") != second
    copy = path.rename(tmp_path / "b")
    assert len({first, second, compute_fingerprint([copy], "x")}) == 3


def test_a_folder_counts_by_the_files_below_it(tmp_path):
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1.dcm").write_bytes(b"1")
    first = compute_fingerprint([tmp_path], "x")
    (tmp_path / "series" / "2.dcm").write_bytes(b"2")
    assert compute_fingerprint([tmp_path], "x") != first


def test_the_description_of_the_transform_counts(tmp_path):
    assert compute_fingerprint([tmp_path], "x") != compute_fingerprint([tmp_path], "y")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        compute_fingerprint([tmp_path / "absent.nii.gz"], "x")


def test_a_stored_case_is_read_anew_when_its_file_or_the_reading_changes(tmp_path):
    file = tmp_path / "a.nii"
    file.write_bytes(b"1")
    case = {"case": "a", "image": str(file)}
    coarse, fine = (
        CaseHash(Compose([LoadImaged("image"), Spacingd("image", pixdim=spacing)]))
        for spacing in ((2.0, 2.0, 2.0), (1.0, 1.0, 1.0))
    )
    first = coarse(case)
    assert coarse(dict(case)) == first
    assert fine(case) != first
    assert coarse({**case, "patient": "p"}) != first
    file.write_bytes(b"12")
    assert coarse(case) != first


def test_monai_keeps_a_case_under_its_hash_and_takes_it_from_there(tmp_path):
    calls = []

    class Load(Transform):
        def __call__(self, case):
            calls.append(case["case"])
            return case

    load = Load()
    cases = [{"case": "a"}, {"case": "b"}]
    for _ in range(2):
        stored = PersistentDataset(cases, load, tmp_path, hash_func=CaseHash(load))
        assert [stored[0]["case"], stored[1]["case"]] == ["a", "b"]
    assert calls == ["a", "b"]


@pytest.mark.parametrize(
    ("header", "text", "voxels"),
    [
        ("a.mhd", "ElementDataFile = a.raw\n", "a.raw"),
        ("a.nhdr", "data file: sub/b.raw\n", "sub/b.raw"),
        ("a.mhd", "ElementDataFile = LIST\nx1\nx2\n", "x2"),
        ("a.nhdr", "data file: s%02d.raw 1 2 1\n", "s02.raw"),
        ("a.hdr", "", "a.img"),
        ("a.img.gz", "", "a.hdr.gz"),
    ],
)
def test_voxels_that_lie_in_another_file_than_their_header_count(header, text, voxels, tmp_path):
    (tmp_path / header).write_text(text)
    holder = tmp_path / voxels
    holder.parent.mkdir(exist_ok=True)
    holder.write_bytes(b"1")
    before = compute_fingerprint([tmp_path / header], "load")
    assert compute_fingerprint([tmp_path / header], "load") == before
    holder.write_bytes(b"22")
    assert compute_fingerprint([tmp_path / header], "load") != before


def test_a_changed_file_of_any_channel_is_read_anew(tmp_path):
    files = [tmp_path / "a.nii", tmp_path / "b.nii"]
    for file in files:
        file.write_bytes(b"1")
    case = {"image": [str(files[0]), str(files[1]), None]}
    name = CaseHash(load())(case)
    assert CaseHash(load())(dict(case)) == name
    files[1].write_bytes(b"12")
    assert CaseHash(load())(case) != name
