"""Tests of medseg.datasets.own.turn_labels."""

import nibabel as nib
import nibabel.orientations as nio
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 -- the name its manual uses

from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.turn_labels import turn_labels
from medseg.ingest import load

AFFINE = np.array([[0.8, -1.2, 0, 7], [0.6, 1.6, 0, -3], [0, 0, 3, 1], [0, 0, 0, 1.0]])
LABEL = np.zeros((6, 5, 4), np.uint8)
LABEL[1:3, 1:5, 2] = 7


def save(path, array, axes="RAS", *, affine=AFFINE):
    """A file whose array is stored along axes named as if those of the affine were RAS."""
    turned = nio.ornt_transform(nio.axcodes2ornt("RAS"), nio.axcodes2ornt(tuple(axes)))
    image = nib.Nifti1Image(
        nio.apply_orientation(array, turned), affine @ nio.inv_ornt_aff(turned, array.shape)
    )
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return path


def make_pair(folder, label, **more):
    image = save(folder / "image.nii.gz", LABEL.astype(np.int16))
    return Pair("a/b", (None, image), ("", "x"), label, **more)


@pytest.mark.parametrize("axes", ["LPS", "SRA", "IAL"])
def test_a_label_along_other_axes_becomes_a_copy_along_those_of_the_image(tmp_path, caplog, axes):
    pair = make_pair(tmp_path, save(tmp_path / "label.nii.gz", LABEL, axes))
    (made,) = turn_labels([pair], tmp_path / "data")
    assert made.label.parent == tmp_path / "data" / "turned"
    label, grid = load(made.label)
    np.testing.assert_array_equal(label, LABEL)
    assert grid.same_grid(load(pair.images[1])[1])
    assert "1 label has axes in another order or direction than the image" in caplog.text
    assert "(a/b)" in caplog.text


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_formats_of_itk_are_turned_too(tmp_path, suffix):
    pair = make_pair(tmp_path, tmp_path / f"label{suffix}")
    source = sitk.ReadImage(str(save(tmp_path / "label.nii.gz", LABEL)))
    sitk.WriteImage(
        sitk.Flip(sitk.PermuteAxes(source, [2, 0, 1]), [True, False, False]), str(pair.label)
    )
    (made,) = turn_labels([pair], tmp_path / "data")
    np.testing.assert_array_equal(load(made.label)[0], LABEL)


def test_labels_of_readers_are_turned_each_and_others_stay_where_they_are(tmp_path):
    turned, same = (save(tmp_path / f"{n}.nii.gz", LABEL, n) for n in ("RPS", "RAS"))
    pair = make_pair(tmp_path, same, readers={"x": turned, "y": same})
    (made,) = turn_labels([pair], tmp_path / "data")
    assert (made.label, made.readers["y"]) == (same, same)
    np.testing.assert_array_equal(load(made.readers["x"])[0], LABEL)


def test_what_fits_lies_elsewhere_or_cannot_be_read_stays_as_it_is(tmp_path, caplog):
    moved = save(tmp_path / "moved.nii.gz", LABEL, "LAS", affine=AFFINE + np.eye(4, k=3))
    odd = save(tmp_path / "odd.nii.gz", LABEL + np.float32(0.5), "LAS")
    damaged = tmp_path / "damaged.nii.gz"
    damaged.write_bytes(moved.read_bytes()[:50])
    labels = [None, save(tmp_path / "same.nii.gz", LABEL), moved, odd, damaged]
    pairs = [make_pair(tmp_path, label) for label in labels]
    made = turn_labels(pairs, tmp_path / "data")
    assert all(new is old for new, old in zip(made, pairs, strict=True))
    assert not (tmp_path / "data").exists()
    assert caplog.text == ""
