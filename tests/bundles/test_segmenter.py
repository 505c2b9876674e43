"""Tests of medseg.bundles.segmenter: a program gets what the command writes, from any image."""

from __future__ import annotations

import logging
import warnings
from concurrent.futures import ThreadPoolExecutor

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from ingest.dicom_writer import as_mr, make_series, write_series

import medseg
from medseg.bundles import segmenter
from medseg.datasets.phantom import write
from medseg.ingest import IngestError, load

QUICK = {"predictor": "eager"}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mr")
    write("mr", folder, cases=1, seed=0)
    return next((folder / "imagesTs").glob("*.nii.gz"))


@pytest.fixture(scope="module")
def found(image):
    return medseg.segment(image, bundle="hippocampus", **QUICK)


def test_a_path_gives_a_mask_on_its_grid_with_names_and_measurements(found, image):
    array, geometry = load(image)
    assert (found.mask.shape, found.mask.dtype) == (array.shape, np.uint8)
    assert found.geometry == geometry
    assert [label.name for label in found.labels] == ["background", "anterior", "posterior"]
    assert [one.name for one in found.measurements] == ["anterior", "posterior"]
    for one in found.measurements:
        assert one.voxels == np.count_nonzero(found.mask == one.value)
    assert found.measurements[0].intensities.mean == pytest.approx(array[found.mask == 1].mean())
    assert found.made_by == "hippocampus 0.1.0"


def test_without_measure_nothing_is_measured(found, image, monkeypatch):
    monkeypatch.setattr("medseg.report.measure_structures", None)
    again = medseg.segment(image, bundle="hippocampus", measure=False, **QUICK)
    assert again.measurements == []
    np.testing.assert_array_equal(again.mask, found.mask)


def test_images_of_other_libraries_give_the_same(found, image):
    array, geometry = load(image)
    for each in (nib.load(image), SimpleITK.ReadImage(str(image))):
        again = medseg.segment(each, bundle="hippocampus", **QUICK)
        np.testing.assert_array_equal(again.mask, found.mask)
        np.testing.assert_allclose(again.geometry.affine, geometry.affine, atol=1e-4)
    again = medseg.segment(array, affine=geometry.affine, bundle="hippocampus", **QUICK)
    np.testing.assert_array_equal(again.mask, found.mask)


def test_an_array_in_another_order_gives_the_same_in_that_order(found, image):
    array, geometry = load(image)
    affine = geometry.affine[:, [2, 0, 1, 3]] @ np.diag([-1.0, 1, 1, 1])
    turned = np.moveaxis(array, 2, 0)[::-1]
    affine[:3, 3] = geometry.voxel_to_world([0, 0, array.shape[2] - 1])
    again = medseg.segment(turned, affine=affine, bundle="hippocampus", **QUICK)
    np.testing.assert_array_equal(again.mask, np.moveaxis(found.mask, 2, 0)[::-1])


def test_the_network_stays_loaded_between_calls(found, image, monkeypatch):
    monkeypatch.setattr(segmenter, "Segmenter", None)  # no other is made
    again = medseg.segment(image, bundle="hippocampus", **QUICK)
    np.testing.assert_array_equal(again.mask, found.mask)


def test_nothing_is_written(image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    medseg.segment(image, bundle="hippocampus", **QUICK)
    assert list(tmp_path.iterdir()) == []


def test_a_dicom_folder_is_read_as_the_command_reads_it(tmp_path):
    stored = np.random.default_rng(0).integers(0, 900, (20, 40, 36)).astype(np.uint16)
    write_series(tmp_path / "mr", as_mr(make_series(stored)))
    found = medseg.segment(tmp_path / "mr", bundle="hippocampus", force=True, **QUICK)
    assert found.geometry == load(tmp_path / "mr")[1]
    assert any(note.startswith("forced") for note in found.notes) or not found.notes


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ((np.zeros((4, 4, 4)), None), TypeError, "needs its affine"),
        ((np.indices((40, 40, 40))[0] // 20, np.eye(4)), ValueError, "does not look like any"),
        ((np.zeros((4, 4, 4, 2)), np.eye(4)), ValueError, "is no volume"),
        ((np.full((4, 4, 4), np.nan), np.eye(4)), ValueError, "not finite"),
        ((np.zeros((4, 4, 4), complex), np.eye(4)), ValueError, "no plain numbers"),
        ((np.zeros((4, 4, 4)), np.zeros((4, 4))), ValueError, "affine must end in"),
        (("no such file.nii.gz", None), IngestError, "no such file"),
        ((17, None), TypeError, "is no image"),
    ],
)
def test_what_is_no_image_is_refused(given, error, said):
    image, affine = given
    with pytest.raises(error, match=said):
        medseg.segment(image, affine=affine, bundle="hippocampus", **QUICK)


def test_keys_are_checked_as_on_the_command_line(image):
    with pytest.raises(ValueError, match="no_key"):
        medseg.segment(image, bundle="hippocampus", no_key=1)
    with pytest.raises(ValueError, match="overlap"):
        medseg.segment(image, bundle="hippocampus", overlap="half")


def test_all_series_of_a_study_are_more_than_one_call_segments(image):
    with pytest.raises(ValueError, match="call it for each UID"):
        medseg.segment(image, bundle="hippocampus", choose_series="all")


def test_a_bundle_for_pictures_or_without_weights_is_refused(image):
    with pytest.raises(ValueError, match="is for pictures"):
        medseg.segment(image, bundle="nuclei")
    with pytest.raises(FileNotFoundError, match="weights"):
        medseg.segment(image, bundle="liver_3d")


def test_calls_from_several_threads_have_each_its_own_result(found, image):
    array, geometry = load(image)
    mirrored = array[::-1, :-1]

    def segment(values):
        return medseg.segment(values, affine=geometry.affine, bundle="hippocampus", **QUICK).mask

    expected = [segment(array), segment(mirrored)]
    with ThreadPoolExecutor(4) as pool:
        masks = list(pool.map(segment, [array, mirrored] * 4))
    assert all(np.array_equal(m, e) for m, e in zip(masks, expected * 4, strict=True))


def test_one_series_of_a_study_is_named_by_number_uid_or_size(tmp_path):
    for number, size in ((4, 40), (7, 44)):
        slices = as_mr(make_series(np.full((20, size, 36), 300, np.uint16), uid=f"1.2.{number}"))
        for each in slices:
            each.SeriesNumber = number
        write_series(tmp_path, slices, suffix=f".{number}")
    call = {"bundle": "hippocampus", "force": True, **QUICK}
    for series in (7, "7", "1.2.7"):
        assert medseg.segment(tmp_path, series=series, **call).mask.shape == (36, 44, 20)
    with pytest.raises(ValueError, match="exclude each other"):
        medseg.segment(tmp_path, series=7, choose_series=4, **call)
    with pytest.raises(ValueError, match="series is True: pass all, largest, or the number"):
        medseg.segment(tmp_path, series=True, **call)


def test_an_affine_beside_a_file_is_refused(image):
    with pytest.raises(ValueError, match=r"affine is given beside the file .*: leave it out"):
        medseg.segment(image, affine=np.eye(4), bundle="hippocampus", **QUICK)


def test_nothing_is_said_of_readers_that_are_not_used(image):
    before = len(logging.root.handlers), list(warnings.filters)
    segmenter._keep.cache_clear()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        logged = Records()
        logging.root.addHandler(logged)
        try:
            medseg.segment(image, bundle="hippocampus", **QUICK)
        finally:
            logging.root.removeHandler(logged)
    assert not [str(one.message) for one in seen if "NvImgCodec" in str(one.message)]
    assert not [text for text in logged.texts if "nvImageCodec" in text]
    assert (len(logging.root.handlers), list(warnings.filters)) == before


class Records(logging.Handler):
    """Keeps the texts of all records."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())
