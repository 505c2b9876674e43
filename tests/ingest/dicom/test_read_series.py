"""Tests of medseg.ingest.dicom.read_series: which series of a folder is loaded, and that none is by
chance."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from ingest.dicom_writer import CORONAL, make_series, ramp, write_series

from medseg.ingest import IngestError, Reason, find_series, load, read_series


def test_two_series_in_one_folder_are_refused_by_name(tmp_path):
    write_series(tmp_path, make_series(uid="1.2.3"), suffix=".a")
    write_series(tmp_path, make_series(ramp((3, 6, 4)), uid="1.2.4"), suffix=".b")
    words = (
        r"2 series in .*: 1.2.3 \(CT, 4x6, 5 files\), 1.2.4 \(CT, 4x6, 3 files\): "
        r"pass --series NUMBER"
    )
    with pytest.raises(IngestError, match=words) as caught:
        load(tmp_path)
    assert caught.value.code is Reason.SEVERAL_SERIES


def test_a_named_series_is_loaded_from_among_several(tmp_path):
    write_series(tmp_path, make_series(uid="1.2.3"), suffix=".a")
    write_series(tmp_path, make_series(ramp((3, 6, 4)), uid="1.2.4"), suffix=".b")
    array, geometry = load(tmp_path, series_uid="1.2.4")
    assert array.shape == geometry.shape == (4, 6, 3)
    words = r"no series 1\.2\.5 in .*, which holds 1\.2\.3 \(CT, 4x6, 5 files\), 1\.2\.4 \("
    with pytest.raises(IngestError, match=words) as caught:
        load(tmp_path, series_uid="1.2.5")
    assert caught.value.code is Reason.UNKNOWN_SERIES


def test_a_refused_series_beside_a_good_one_is_not_chosen_around(tmp_path):
    """The refused one may be the one that was meant."""
    write_series(tmp_path, make_series(), suffix=".a")
    gapped = make_series()
    del gapped[1]
    write_series(tmp_path, gapped, suffix=".b")
    with pytest.raises(IngestError) as caught:
        load(tmp_path)
    assert caught.value.code is Reason.SEVERAL_SERIES


def test_localizers_and_segmentations_do_not_hide_the_series(tmp_path):
    write_series(tmp_path, make_series(), suffix=".a")
    scout = make_series(ramp((1, 6, 4)), orientation=CORONAL)
    scout[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_series(tmp_path, scout, suffix=".b")
    segmentation = make_series(ramp((1, 6, 4)))
    segmentation[0].Modality = "SEG"
    write_series(tmp_path, segmentation, suffix=".c")
    assert load(tmp_path)[0].shape == (4, 6, 5)


def make_localizer(dataset):
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]


def make_colour(dataset):
    dataset.PhotometricInterpretation = "PALETTE COLOR"


def make_segmentation(dataset):
    dataset.Modality = "SEG"


MIXED = [
    (make_localizer, Reason.MISSING_SLICES, r"from 1\.25 to 2\.5 mm.* \(without 1 localizer\)"),
    (make_colour, Reason.COLOUR, r"PALETTE COLOR, of im\d+\.a"),
    (make_segmentation, Reason.NOT_AN_IMAGE, "no image slices in 1 of 5 files"),
]


@pytest.mark.parametrize(("spoil", "reason", "words"), MIXED)
def test_one_companion_among_the_slices_of_a_series_refuses_it(tmp_path, spoil, reason, words):
    mixed = make_series(uid="1.2.3")
    spoil(mixed[2])
    write_series(tmp_path, mixed, suffix=".a")
    with pytest.raises(IngestError, match=words) as caught:
        load(tmp_path)
    assert caught.value.code is reason


@pytest.mark.parametrize(("spoil", "reason", "words"), MIXED)
def test_a_series_with_one_companion_slice_is_not_passed_over(tmp_path, spoil, reason, words):
    mixed = make_series(uid="1.2.3")
    spoil(mixed[2])
    write_series(tmp_path, mixed, suffix=".a")
    write_series(tmp_path, make_series(uid="1.2.4"), suffix=".b")
    listed = rf"1\.2\.3 \(CT, 4x6, [45] files, refused as {reason}\), 1\.2\.4 \(CT, 4x6, 5 files\)"
    with pytest.raises(IngestError, match=listed) as caught:
        load(tmp_path)
    assert caught.value.code is Reason.SEVERAL_SERIES
    with pytest.raises(IngestError, match=words) as caught:
        load(tmp_path, series_uid="1.2.3")
    assert caught.value.code is reason


def test_a_series_of_nothing_but_companions_is_left_aside(tmp_path):
    write_series(tmp_path, make_series(), suffix=".a")
    companions = make_series(uid="1.2.3")
    for dataset, spoil in zip(companions, [make_localizer] * 3 + [make_colour] * 2, strict=True):
        spoil(dataset)
    write_series(tmp_path, companions, suffix=".b")
    assert load(tmp_path)[0].shape == (4, 6, 5)


def test_a_lone_localizer_is_refused(tmp_path):
    scout = make_series(ramp((1, 6, 4)), orientation=CORONAL)
    scout[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_series(tmp_path, scout)
    with pytest.raises(IngestError, match="1 of 1 files are localizers") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.LOCALIZER


def test_a_refused_series_raises_its_own_message(tmp_path):
    slices = make_series()
    del slices[2]
    write_series(tmp_path, slices)
    (series,) = find_series(tmp_path)
    with pytest.raises(IngestError) as caught:
        read_series(series)
    assert str(caught.value) == series.message
    assert caught.value.code is series.reason is Reason.MISSING_SLICES


def test_a_folder_of_volume_files_alone_is_refused_with_one_of_them(tmp_path):
    (tmp_path / "image.nii.gz").touch()
    with pytest.raises(IngestError, match=r"but volume files such as image\.nii\.gz: pass the vol"):
        load(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(IngestError, match=r"no DICOM in .*: pass a folder of DICOM") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.EMPTY_FOLDER


def test_a_file_of_another_format_is_refused(tmp_path):
    file = tmp_path / "image.png"
    file.write_bytes(b"\x89PNG")
    words = r"image\.png is neither NIfTI nor DICOM: pass DICOM, NIfTI"
    with pytest.raises(IngestError, match=words) as caught:
        load(file)
    assert caught.value.code is Reason.UNKNOWN_FORMAT


def test_a_single_file_is_a_volume_of_one_slice_and_says_so(tmp_path, caplog):
    paths = write_series(tmp_path, make_series())
    with caplog.at_level(logging.WARNING):
        array, geometry = load(paths[2])
    np.testing.assert_array_equal(array[..., 0], ramp()[2].T - 1024)
    assert geometry.origin_mm == (10, -20, -27.5)
    assert "one slice, 1.25 mm thick" in caplog.text


def test_patient_identifiers_are_never_logged_nor_in_a_message(tmp_path, caplog):
    slices = make_series()
    for dataset in slices:
        dataset.RescaleType = "US"
    write_series(tmp_path, slices)
    with caplog.at_level(logging.DEBUG):
        load(tmp_path)
        del slices[2]
        write_series(tmp_path / "gap", slices)
        with pytest.raises(IngestError) as caught:
            load(tmp_path / "gap")
    assert "not HU" in caplog.text
    assert "ecret" not in caplog.text + str(caught.value)
