"""Tests of medseg.datasets.phantom.abdomen: the anatomy is plausible, and the same on any grid."""

from itertools import pairwise

import numpy as np
import pytest
from datasets.phantom.written_files import SIZE, find_files, load_pairs, load_ras
from scipy import ndimage

from medseg.datasets import phantom


def find_centre(mask):
    return np.array(ndimage.center_of_mass(mask))


def test_every_case_holds_liver_and_tumour_and_nothing_else(ct_root):
    for _, label in load_pairs(ct_root):
        assert np.unique(label).tolist() == [0, 1, 2]


def test_the_liver_is_one_large_body_of_plausible_volume(ct_root):
    for path in find_files(ct_root, "labels"):
        label, affine = load_ras(path)
        parts, count = ndimage.label(label > 0)
        sizes = np.bincount(parts.ravel())[1:]
        assert sizes.max() / sizes.sum() > 0.98, count
        volume_ml = (label > 0).sum() * abs(np.linalg.det(affine)) / 1000
        assert 500 < volume_ml < 2500


def test_tumours_lie_within_the_liver_of_the_slices_beside_it(ct_root):
    for _, label in load_pairs(ct_root):
        touching = ndimage.binary_dilation(label == 2, iterations=1) & (label != 2)
        assert (label[touching] == 1).mean() > 0.7


def test_ct_numbers_are_those_of_a_portal_venous_phase(ct_root):
    for image, label in load_pairs(ct_root):
        assert image[0, 0].mean() == pytest.approx(-1000, abs=20)
        assert 95 < image[ndimage.binary_erosion(label == 1)].mean() < 125
        assert image[label == 2].mean() < image[label == 1].mean() - 20
        assert image.min() >= -1024
        assert image.max() <= 3071
        assert 8 < image[ndimage.binary_erosion(label == 1)].std() < 30


def test_the_liver_is_on_the_right_and_in_front_of_the_spine(ct_root):
    for image, label in load_pairs(ct_root):
        middle = SIZE // 2
        spine = image[middle - 8 : middle + 8, :middle] > 250
        spine_x, spine_y, _ = find_centre(spine) + np.array([middle - 8, 0, 0])
        liver_x, liver_y, _ = find_centre(label > 0)
        assert liver_x > spine_x + 8
        assert liver_y > spine_y + 8


def test_no_window_of_ct_numbers_finds_the_liver(ct_root):
    image, label = load_pairs(ct_root)[0]
    smooth, truth = ndimage.gaussian_filter(image.astype(float), 0.7), label > 0
    edges = range(40, 200, 10)
    best = max(
        2 * (found & truth).sum() / (found.sum() + truth.sum())
        for low in edges
        for high in edges
        if low < high
        for found in [(smooth > low) & (smooth < high)]
    )
    assert 0.4 < best < 0.8


def test_the_liver_is_continuous_through_the_slices(ct_root):
    for _, label in load_pairs(ct_root):
        filled = np.flatnonzero((label > 0).any(axis=(0, 1)))
        assert np.array_equal(filled, np.arange(filled[0], filled[-1] + 1))
        for k, after in pairwise(filled[2:-2]):
            assert ((label[..., k] > 0) & (label[..., after] > 0)).any()


def test_a_finer_matrix_shows_the_same_patient(tmp_path):
    volumes_ml = []
    for size in (64, 128):
        out = phantom.write("ct", tmp_path / str(size), cases=1, test_cases=0, seed=3, size=size)
        label, affine = load_ras(find_files(out, "labels")[0])
        counts = np.bincount(label.ravel(), minlength=3)[1:]
        volumes_ml.append(counts * abs(np.linalg.det(affine)) / 1000)
    np.testing.assert_allclose(volumes_ml[0][0], volumes_ml[1][0], rtol=0.03)
    np.testing.assert_allclose(volumes_ml[0][1], volumes_ml[1][1], rtol=0.15)
