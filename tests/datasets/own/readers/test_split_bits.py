"""Tests of medseg.datasets.own.readers.split_bits."""

import nibabel as nib
import numpy as np
import pytest

from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.readers.split_bits import count_readers, split_bits


def save(folder, case, values):
    image = nib.Nifti1Image(np.array(values, np.uint8).reshape(-1, 1, 1), np.diag([1, 1, 2, 1.0]))
    image.header.set_xyzt_units("mm")
    nib.save(image, folder / f"{case}.nii.gz")
    return Pair(case, (folder / "image.nii.gz",), ("",), folder / f"{case}.nii.gz")


def read(path):
    return nib.load(path).get_fdata().ravel().tolist()


def test_each_bit_that_is_in_use_is_a_reader_of_all_cases(tmp_path, caplog):
    pairs = [save(tmp_path, "a", [0, 1, 5, 13]), save(tmp_path, "b", [0, 4, 4, 0])]
    (a, b), faults = split_bits(pairs, tmp_path / "data")
    assert faults == []
    assert [read(file) for file in a.readers.values()] == [[0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]
    assert [read(file) for file in b.readers.values()] == [[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert list(a.readers) == ["reader_1", "reader_2", "reader_3"]
    assert a.readers["reader_1"].parent == tmp_path / "data" / "readers"
    assert "bits 0, 2, 3 of the labels are 3 readers" in caplog.text


def test_labels_of_one_bit_and_several_files_of_a_case_are_refused(tmp_path):
    pair = save(tmp_path, "a", [0, 4])
    with pytest.raises(ValueError, match="the labels have 1 bit in use, and readers are two or mo"):
        split_bits([pair], tmp_path / "data")
    several = Pair("a", pair.images, ("",), pair.label, readers={"x": pair.label, "y": pair.label})
    with pytest.raises(ValueError, match="takes one label file for each case, and a "):
        split_bits([several], tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_label_that_cannot_be_read_is_a_fault_and_nothing_is_written(tmp_path):
    good, bad = (save(tmp_path, name, [0, 1, 2, 3]) for name in ("good", "bad"))
    bad.label.write_bytes(bad.label.read_bytes()[:40])
    pairs, faults = split_bits([good, bad], tmp_path / "data")
    assert pairs == [good, bad]
    assert [fault[:9] for fault in faults] == ["case bad:"]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("values", "readers"),
    [([0, 1, 2, 3], 0), ([0, 7], 3), (range(16), 4), (range(15), 0), ([0, 255], 8), ([], 0)],
)
def test_readers_are_counted_where_all_of_them_share_a_voxel(values, readers):
    assert count_readers(values) == readers
