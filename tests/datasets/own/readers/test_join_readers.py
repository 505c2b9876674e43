"""Tests of medseg.datasets.own.readers.join_readers."""

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.readers import join_readers as module
from medseg.datasets.own.readers.join_readers import find_values, join_readers

AFFINE = np.diag([1, 1, 2, 1.0])


def save(path, mask, affine=AFFINE):
    image = nib.Nifti1Image(mask, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def box(start, value=1):
    mask = np.zeros((6, 5, 4), np.uint8)
    mask[start : start + 2, 1:4, 1:3] = value
    return mask


def pair(folder, case="x", **masks):
    readers = {
        r: save(folder / f"{case.replace('/', '-')}_{r}.nii.gz", m) for r, m in masks.items()
    }
    return Pair(case, (folder / "image",), ("",), next(iter(readers.values())), readers=readers)


def test_the_target_lies_on_the_grid_of_the_readers(tmp_path):
    one = pair(tmp_path, a=box(1), b=box(2), c=box(2))
    made = join_readers([one], tmp_path / "out", classes={"k": [1]}, method="consensus")
    target = nib.load(made.pairs[0].label)
    assert made.pairs[0].label == tmp_path / "out" / "labels" / "x.nii.gz"
    assert np.array_equal(np.asarray(target.dataobj), box(2))
    assert np.array_equal(target.affine, AFFINE)
    assert [row.dice for row in made.agreement] == pytest.approx([0.5, 0.5, 1])


def test_pictures_become_pictures(tmp_path):
    for reader, columns in (("a", 3), ("b", 1)):
        mask = np.zeros((4, 5), np.uint8)
        mask[1, :columns] = 255
        Image.fromarray(mask).save(tmp_path / f"{reader}.png")
    readers = {reader: tmp_path / f"{reader}.png" for reader in "ab"}
    one = Pair("x", (), ("",), readers["a"], readers=readers)
    assert find_values([one]) == ({frozenset([0, 255])}, {})
    made = join_readers([one], tmp_path / "out", classes={"k": [255]}, method="consensus")
    assert np.array_equal(np.asarray(Image.open(made.pairs[0].label))[1], [255, 255, 255, 0, 0])


def test_targets_of_an_earlier_plan_are_replaced_all_or_none(tmp_path, monkeypatch):
    out = tmp_path / "out"
    first = [pair(tmp_path, case=name, a=box(1)) for name in "xy"]
    join_readers(first, out, classes={"k": [1]}, method="consensus")
    second = [pair(tmp_path, case=name, a=box(3)) for name in "yz"]
    with monkeypatch.context() as patch:
        combine = iter([box(3)])
        patch.setattr(module, "combine", lambda *_, **__: next(combine))
        with pytest.raises((StopIteration, RuntimeError)):
            join_readers(second, out, classes={"k": [1]}, method="consensus")
    assert sorted(path.name for path in out.rglob("*")) == ["labels", "x.nii.gz", "y.nii.gz"]
    join_readers(second, out, classes={"k": [1]}, method="consensus")
    assert sorted(path.name for path in out.rglob("*")) == ["labels", "y.nii.gz", "z.nii.gz"]


def test_cases_whose_names_are_one_file_name_have_a_file_each(tmp_path):
    pairs = [pair(tmp_path, case=name, a=box(n)) for n, name in enumerate(("p/1", "p_1"))]
    made = join_readers(pairs, tmp_path / "out", classes={"k": [1]}, method="consensus")
    for n, one in enumerate(made.pairs):
        assert np.array_equal(np.asarray(nib.load(one.label).dataobj), box(n))


def test_a_reader_on_another_grid_or_with_other_values_is_a_fault_of_the_case(tmp_path):
    moved = pair(tmp_path, a=box(1), b=box(2))
    save(moved.readers["b"], box(2), np.diag([1, 1, 3, 1.0]))
    half = pair(tmp_path, case="h", a=box(1).astype(np.float32) / 2)
    good = pair(tmp_path, case="g", a=box(1, 3), b=box(1, 7))
    values, faults = find_values([moved, half, good])
    assert values == {frozenset([0, 3]), frozenset([0, 7])}
    assert "case x: the labels a and b lie on different grids" in faults["x"]
    assert "no whole numbers" in faults["h"]


def test_readers_who_never_share_a_voxel_are_refused_and_nothing_is_left(tmp_path):
    pairs = [pair(tmp_path, case=name, liver=box(0), spleen=box(3)) for name in "xy"]
    with pytest.raises(ValueError, match=r"no two readers \(liver, spleen\) share a voxel"):
        join_readers(pairs, tmp_path / "out", classes={"k": [1]}, method="consensus")
    assert not (tmp_path / "out").exists()
    pairs.append(pair(tmp_path, case="z", liver=box(0), spleen=box(1)))
    join_readers(pairs, tmp_path / "out", classes={"k": [1]}, method="consensus")
