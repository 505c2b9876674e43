"""Tests of medseg.ingest.dicom.copies: what is there twice is read once, and nothing else is
left out."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import (
    compress_series,
    make_enhanced,
    make_series,
    ramp,
    set_pixels,
    write_series,
)
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGLSLossless, RLELossless, generate_uid

from medseg.ingest import Reason, Verdict, find_series, load

HU = ramp().transpose(2, 1, 0) - 1024


def _only(folder):
    (series,) = find_series(folder)
    return series


def _is_read_once(folder, copies):
    series = _only(folder)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.EXACT_COPIES)
    assert series.finding.startswith(f"{copies} among")
    volume, geometry = load(folder)
    np.testing.assert_array_equal(volume, HU)
    np.testing.assert_allclose(geometry.spacing_mm, (0.75, 0.5, 1.25))


def test_a_series_exported_twice_is_read_once(tmp_path):
    slices = make_series()
    write_series(tmp_path / "first", slices)
    write_series(tmp_path / "second", slices, shuffle_seed=1)
    _is_read_once(tmp_path, "5 exact copies")


def test_a_copy_that_lacks_a_slice_is_told_by_the_slices_of_each_folder(tmp_path):
    slices = make_series()
    write_series(tmp_path / "whole", slices)
    write_series(tmp_path / "miss", [*slices[:2], *slices[3:]])
    _is_read_once(tmp_path, f"{len(slices) - 1} exact copies")
    counts = f"({len(slices) - 1} in {tmp_path / 'miss'}, {len(slices)} in {tmp_path / 'whole'})"
    assert _only(tmp_path).finding.endswith(counts)


def test_one_file_under_two_names_is_read_once(tmp_path):
    paths = write_series(tmp_path, make_series())
    (tmp_path / "copy of it.dcm").write_bytes(paths[2].read_bytes())
    _is_read_once(tmp_path, "1 exact copy")


@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
def test_a_link_beside_its_file_is_read_once(kind, tmp_path):
    paths = write_series(tmp_path, make_series())
    getattr(tmp_path / "link.dcm", kind)(paths[0])
    _is_read_once(tmp_path, "1 exact copy")


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, DeflatedExplicitVRLittleEndian])
def test_the_same_slice_in_another_transfer_syntax_is_a_copy(syntax, tmp_path):
    slices = make_series()
    write_series(tmp_path / "plain", slices)
    if syntax.is_encapsulated:
        compress_series(slices, syntax)
    else:
        for dataset in slices:
            dataset.file_meta.TransferSyntaxUID = syntax
    write_series(tmp_path / "other", slices)
    _is_read_once(tmp_path, "5 exact copies")


def test_a_multi_frame_file_that_is_there_twice_is_read_once(tmp_path):
    whole = make_enhanced(make_series())
    write_series(tmp_path, [whole, whole])
    _is_read_once(tmp_path, "5 exact copies")


def test_what_a_copy_states_of_the_patient_name_does_not_matter(tmp_path):
    slices = make_series()
    write_series(tmp_path / "first", slices)
    for dataset in slices:
        dataset.PatientName = "Other^Name"
    write_series(tmp_path / "second", slices)
    _is_read_once(tmp_path, "5 exact copies")


def _twice(folder, change):
    """A series in two folders; `change` is what the second export did."""
    slices = make_series(uid="1.2.3")
    for dataset in slices:
        dataset.KVP, dataset.PatientID, dataset.SeriesDescription = "120.0", "case 7", "soft"
        dataset.AcquisitionTime = "120000"
    write_series(folder / "first", slices)
    for dataset in slices:
        change(dataset)
    write_series(folder / "second", slices, shuffle_seed=1)


def _numbers_in_another_way(dataset):
    dataset.KVP, dataset.SliceThickness = "120", "1.2500"


def _another_description(dataset):
    dataset.SeriesDescription = "copy"


def _without_patient_and_voltage(dataset):
    dataset.PatientID, dataset.KVP = "", None


def _other_counts(dataset):
    dataset.NumberOfSeriesRelatedInstances = 5


def _another_instance(dataset):
    dataset.SOPInstanceUID = generate_uid()


def _another_instance_and_description(dataset):
    dataset.SOPInstanceUID, dataset.SeriesDescription = generate_uid(), "copy"


def _without_time(dataset):
    del dataset.AcquisitionTime


def _without_frame_of_reference(dataset):
    del dataset.FrameOfReferenceUID


def _without_thickness(dataset):
    del dataset.SliceThickness


def _derived(dataset):
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]


def _without_image_type(dataset):
    del dataset.ImageType


def _with_padding(dataset):
    dataset.PixelPaddingValue = -2000  # which no voxel has


def _unsigned(dataset):
    dataset.PixelRepresentation = 0


def _shifted(dataset):
    """The same values from other samples."""
    plane = np.frombuffer(dataset.PixelData, np.int16).reshape(6, 4)
    set_pixels(dataset, (plane + 1024).astype(np.uint16))
    dataset.RescaleIntercept = -2048


def _another_station(dataset):
    dataset.StationName = "PACS"


def test_numbers_that_are_written_in_another_way_are_the_same(tmp_path):
    _twice(tmp_path, _numbers_in_another_way)
    _is_read_once(tmp_path, "5 exact copies")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_another_description, "SeriesDescription"),
        (_without_patient_and_voltage, "KVP, PatientID"),
        (_other_counts, "the number of images"),
        (_another_instance, "SOPInstanceUID"),
        (_another_instance_and_description, "SOPInstanceUID, SeriesDescription"),
        (_without_time, "AcquisitionTime"),
        (_without_frame_of_reference, "FrameOfReferenceUID"),
        (_without_thickness, "SliceThickness"),
        (_derived, "ImageType"),
        (_without_image_type, "ImageType"),
        (_with_padding, "PixelPaddingValue"),
        (_unsigned, "PixelRepresentation"),
        (_shifted, "PixelRepresentation, RescaleIntercept"),
        (_another_station, "StationName"),
    ],
)
def test_what_changes_no_voxel_may_differ_and_is_named(change, named, tmp_path):
    _twice(tmp_path, change)
    _is_read_once(tmp_path, f"5 copies but for {named}")
    assert "case 7" not in _only(tmp_path).message


def _another_voltage(dataset):
    dataset.KVP = "100"


def _another_time(dataset):
    dataset.AcquisitionTime = "120001"


def _another_thickness(dataset):
    dataset.SliceThickness = "2.5"


def _another_image_type(dataset):
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "FIL"]


def _another_pixel(dataset):
    plane = np.frombuffer(dataset.PixelData, np.int16).reshape(6, 4).copy()
    plane[0, 0] += 1
    set_pixels(dataset, plane)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_another_voltage, "with 2 tube voltages (100 kV, 120 kV)"),
        (_another_time, "with 2 acquisition times"),
        (_another_thickness, "with 2 slice thicknesses (1.25 mm, 2.5 mm)"),
        (_another_image_type, "that differ in ImageType in"),
        (_another_pixel, "that differ in pixels in"),
    ],
)
def test_the_element_that_makes_two_slices_of_a_copy_is_named(change, words, tmp_path):
    _twice(tmp_path, change)
    series = _only(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.DUPLICATE_POSITIONS)
    assert words in series.message


def test_two_folders_without_series_uid_that_hold_the_same_instances_are_one(tmp_path):
    slices = make_series()
    for dataset in slices:
        del dataset.SeriesInstanceUID
    write_series(tmp_path / "first", slices)
    write_series(tmp_path / "second", slices, shuffle_seed=1)
    _is_read_once(tmp_path, "5 exact copies")
    slices[0].SOPInstanceUID = "1.2.9"
    write_series(tmp_path / "third", slices)
    assert len(find_series(tmp_path)) == 2


def test_one_uid_for_all_slices_leaves_all_of_them(tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.SOPInstanceUID = slices[0].SOPInstanceUID
    write_series(tmp_path, slices)
    assert _only(tmp_path).verdict is Verdict.ACCEPT
    np.testing.assert_array_equal(load(tmp_path)[0], HU)


def test_one_uid_for_all_slices_that_are_there_twice_is_read_once(tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.SOPInstanceUID = slices[0].SOPInstanceUID
    write_series(tmp_path / "first", slices)
    write_series(tmp_path / "second", slices)
    _is_read_once(tmp_path, "5 exact copies")


def _another_position(dataset):
    x, y, z = dataset.ImagePositionPatient
    dataset.ImagePositionPatient = [x + 4e-4, y, z - 3e-4]


def test_a_place_that_was_rounded_is_the_same_place(tmp_path):
    _twice(tmp_path, _another_position)
    assert _only(tmp_path).reason is Reason.EXACT_COPIES
    np.testing.assert_array_equal(load(tmp_path)[0], HU)


def test_the_slice_that_states_most_is_read(tmp_path):
    slices = make_series()
    write_series(tmp_path / "a", slices)
    for dataset in slices:
        dataset.KVP, dataset.PatientPosition = "120", "HFS"
    write_series(tmp_path / "b", slices)
    assert {s.path.parent.name for s in _only(tmp_path).slices} == {"b"}


def test_the_frames_of_a_file_and_the_files_of_its_slices_are_copies(tmp_path):
    slices = make_series(uid="1.2.3")
    write_series(tmp_path / "files", slices)
    write_series(tmp_path / "frames", [make_enhanced(slices)])
    series = _only(tmp_path)
    assert (series.reason, len(series.slices)) == (Reason.EXACT_COPIES, 5)
    np.testing.assert_array_equal(load(tmp_path)[0], HU)


def _with_another_pixel(twin):
    plane = ramp()[2].copy()
    plane[0, 0] += 1
    set_pixels(twin, plane)


def _with_another_rescale(twin):
    twin.RescaleIntercept = -1000


@pytest.mark.parametrize(
    "spoil",
    [_with_another_pixel, _with_another_rescale],
)
def test_what_differs_at_one_place_is_no_copy(spoil, tmp_path):
    slices = make_series()
    write_series(tmp_path / "first", slices)
    spoil(slices[2])
    write_series(tmp_path / "twin", [slices[2]])
    assert _only(tmp_path).reason is Reason.DUPLICATE_POSITIONS


def test_a_copy_does_not_stand_in_for_a_missing_slice(tmp_path):
    slices = make_series()
    del slices[2]
    write_series(tmp_path / "first", slices)
    write_series(tmp_path / "second", slices)
    assert _only(tmp_path).reason is Reason.MISSING_SLICES
    (series,) = find_series(tmp_path, resample=True)
    reasons = [reason for reason, _ in series.notes]
    assert reasons == [Reason.EXACT_COPIES, Reason.RESAMPLED]


def test_copies_among_localizers_are_counted_apart(tmp_path):
    slices = make_series(uid="1.2.3")
    (scout,) = make_series(ramp((1, 5, 6)), uid="1.2.3")
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_series(tmp_path / "first", [*slices, scout])
    write_series(tmp_path / "second", [*slices])
    series = _only(tmp_path)
    notes = dict(series.notes)
    assert notes[Reason.LEFT_ASIDE].startswith("1 localizer of 11 slices")
    assert notes[Reason.EXACT_COPIES].startswith("5 exact copies among 10 slices")
