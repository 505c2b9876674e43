"""Tests of medseg.ingest.dicom.header.slice: what a header says of itself."""

from __future__ import annotations

from dataclasses import replace

from ingest.dicom_writer import make_series, ramp, write_series

from medseg.ingest.dicom.read_slices import read_header


def test_a_frame_is_named_with_its_file_and_counted_from_one(tmp_path):
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    header = read_header(path)
    assert header.name == path.name
    assert replace(header, frame=0, frames=1).name == path.name
    assert replace(header, frame=2, frames=5).name == f"frame 3 of {path.name}"


def test_an_absent_rescale_is_the_identity(tmp_path):
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    header = read_header(path)
    assert header.rescale == (1, -1024)
    assert replace(header, slope=None, intercept=None).rescale == (1, 0)


def test_a_plane_of_6_by_4_pixels_of_16_bit_has_48_bytes(tmp_path):
    (path,) = write_series(tmp_path, make_series(ramp((1, 6, 4))))
    assert read_header(path).plane_bytes == 48
