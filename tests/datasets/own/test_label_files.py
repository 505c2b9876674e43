"""Tests of medseg.datasets.own.label_files."""

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from medseg.datasets.own.label_files import put_in_place, read_label_files, save_label
from medseg.datasets.own.pair_files import Pair
from medseg.geometry import Geometry

AFFINE = np.diag([1, 1, 2, 1.0])


def draw():
    mask = np.zeros((6, 5, 4), np.uint8)
    mask[1:3, 1:4, 1:3] = 7
    return mask


def test_what_is_written_is_read_again_on_its_grid(tmp_path):
    path = save_label(tmp_path / "labels", "a/b", draw(), Geometry((6, 5, 4), AFFINE))
    flat = save_label(tmp_path / "labels", "c", draw()[:, :, 1], None)
    assert (path.parent, flat.name) == (tmp_path / "labels", "c.png")
    pair = Pair("a/b", (), ("",), path, readers={"x": path})
    ((name, label, grid),) = read_label_files(pair)
    assert name == "x"
    np.testing.assert_array_equal(label, draw())
    np.testing.assert_array_equal(grid.affine, AFFINE)
    np.testing.assert_array_equal(np.asarray(Image.open(flat)), draw()[:, :, 1])


def test_files_on_two_grids_and_of_two_sizes_are_refused(tmp_path):
    volumes = {}
    for name, step in (("x", 2.0), ("y", 3.0)):
        image = nib.Nifti1Image(draw(), np.diag([1, 1, step, 1.0]))
        image.header.set_xyzt_units("mm")
        nib.save(image, tmp_path / f"{name}.nii")
        volumes[name] = tmp_path / f"{name}.nii"
    with pytest.raises(ValueError, match="case c: the labels x and y lie on different grids: spac"):
        list(read_label_files(Pair("c", (), ("",), None, readers=volumes)))
    pictures = {}
    for name, size in (("x", 5), ("y", 6)):
        Image.fromarray(np.zeros((4, size), np.uint8)).save(tmp_path / f"{name}.png")
        pictures[name] = tmp_path / f"{name}.png"
    with pytest.raises(ValueError, match=r"different grids: shape \(4, 5\) against \(4, 6\)"):
        list(read_label_files(Pair("c", (), ("",), None, readers=pictures)))


def test_the_maps_of_an_earlier_plan_are_replaced(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "old.png").touch()
    (tmp_path / "scratch" / "labels").mkdir(parents=True)
    (tmp_path / "scratch" / "labels" / "new.png").touch()
    put_in_place(tmp_path / "scratch", tmp_path / "labels")
    assert [file.name for file in (tmp_path / "labels").iterdir()] == ["new.png"]


def test_a_file_along_other_axes_is_turned_onto_those_of_the_first(tmp_path):
    turned = AFFINE @ [[0, -1, 0, 5], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    files = {}
    for name, array, affine in (
        ("x", draw(), AFFINE),
        ("y", draw().transpose(1, 0, 2)[:, ::-1], turned),
    ):
        image = nib.Nifti1Image(array, affine)
        image.header.set_xyzt_units("mm")
        nib.save(image, tmp_path / f"{name}.nii")
        files[name] = tmp_path / f"{name}.nii"
    (_, first, grid), (_, second, other) = read_label_files(
        Pair("c", (), ("",), None, readers=files)
    )
    np.testing.assert_array_equal(first, second)
    assert grid is other
