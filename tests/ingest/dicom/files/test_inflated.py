"""Tests of medseg.ingest.dicom.files.inflated: no farther than is read, no more than is
promised."""

from __future__ import annotations

import os
import zlib

import numpy as np
import pytest
from ingest.dicom_writer import make_enhanced, make_series, ramp, write_series
from pydicom.uid import DeflatedExplicitVRLittleEndian

from medseg.ingest import IngestError, Reason, Verdict, find_series, load
from medseg.ingest.dicom.files.inflated import InflatedStream
from medseg.ingest.dicom.pixels import pixel_data


def stream_of(content, folder, *, most_bytes=2**30, cut=0):
    path = folder / "stream"
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflater.compress(content) + deflater.flush()
    path.write_bytes(packed[: len(packed) - cut])
    return InflatedStream(path.open("rb"), path, most_bytes=most_bytes)


@pytest.fixture
def counted(monkeypatch):
    """How many bytes were inflated."""
    total = [0]
    inflate = InflatedStream._inflate

    def counting(self, wanted):
        before = self._end
        more = inflate(self, wanted)
        total[0] += self._end - before
        return more

    monkeypatch.setattr(InflatedStream, "_inflate", counting)
    return total


def test_bytes_come_as_they_were_deflated(tmp_path):
    content = np.random.default_rng(0).integers(0, 9, 10**6, dtype=np.uint8).tobytes()
    stream = stream_of(content, tmp_path)
    assert stream.read(10) == content[:10]
    assert stream.seek(-4, os.SEEK_CUR) == 6
    assert stream.read(6) == content[6:12]
    stream.seek(900_000)
    assert stream.tell() == 900_000
    assert stream.read() == content[900_000:]
    assert stream.read(5) == b""


def test_no_more_is_inflated_than_is_read_and_little_is_kept(tmp_path, counted):
    stream = stream_of(bytes(10**8), tmp_path)
    stream.read(1000)
    assert counted[0] < 10**5
    stream.seek(5 * 10**7)
    assert len(stream._kept) < 10**6


def test_going_far_back_is_refused(tmp_path):
    stream = stream_of(bytes(10**7), tmp_path)
    stream.seek(10**7 - 1)
    with pytest.raises(ValueError, match="read forwards"):
        stream.seek(0)


def test_more_than_is_promised_is_too_large(tmp_path):
    stream = stream_of(bytes(10**7), tmp_path, most_bytes=10**6)
    with pytest.raises(IngestError, match="more than the 1000000 bytes") as caught:
        stream.read()
    assert caught.value.code is Reason.TOO_LARGE


def test_a_cut_stream_is_truncated(tmp_path):
    content = np.random.default_rng(0).integers(0, 9, 10**5, dtype=np.uint8).tobytes()
    with pytest.raises(IngestError, match="ends early") as caught:
        stream_of(content, tmp_path, cut=50).read()
    assert caught.value.code is Reason.TRUNCATED


def bombs(count, *, planes):
    """Series of deflated blank files, each of one multi-frame object that states what it holds."""
    for k in range(count):
        dataset = make_enhanced(make_series(ramp((1, 6, 4)), uid=f"1.2.{k}"))
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.Rows = dataset.Columns = 1024
        dataset.NumberOfFrames = planes
        dataset.PixelData = bytes(planes * 2**21)
        yield dataset


def test_headers_of_deflated_bombs_are_read_without_their_pixels(tmp_path, counted):
    """Eight files of 64 MB, each just under what any series may inflate to."""
    write_series(tmp_path, list(bombs(8, planes=30)))
    assert len(find_series(tmp_path)) == 8
    assert counted[0] < 2**21


def test_a_deflated_bomb_is_refused_by_its_header(tmp_path, counted):
    (dataset,) = bombs(1, planes=80)
    group = dataset.PerFrameFunctionalGroupsSequence[0]
    dataset.PerFrameFunctionalGroupsSequence = [group] * 80
    write_series(tmp_path, [dataset])
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REFUSE, Reason.TOO_LARGE)
    assert "would have to expand to 167772160 bytes" in series.message
    assert counted[0] < 2**21


def test_a_header_that_inflates_on_and_on_is_refused(tmp_path, counted):
    (dataset,) = make_series(ramp((1, 6, 4)))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.add_new(0x00191010, "OB", bytes(5_000_000))  # 5 kB of the file
    write_series(tmp_path, [dataset])
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.TOO_LARGE
    assert counted[0] < 2.1 * 2**22  # once more for the UID of its series


def test_an_element_that_states_more_than_a_header_may_hold_is_refused_before_it_is_inflated(
    tmp_path, counted
):
    stream = stream_of(bytes(10**8), tmp_path, most_bytes=10**6)
    stream.read(100)
    with pytest.raises(IngestError, match="more than the 1000000 bytes") as caught:
        stream.seek(10**8)
    assert caught.value.code is Reason.TOO_LARGE
    assert counted[0] < 10**5


def test_one_that_states_more_than_its_file_can_hold_is_truncated_not_too_large(tmp_path):
    content = np.random.default_rng(0).integers(0, 256, 1000, dtype=np.uint8).tobytes()
    with pytest.raises(IngestError, match="ends early") as caught:
        stream_of(content, tmp_path, most_bytes=10**6, cut=50).seek(10**8)
    assert caught.value.code is Reason.TRUNCATED


def test_what_inflates_to_a_thousand_times_its_bytes_is_refused_by_its_beginning(tmp_path, counted):
    noise = np.random.default_rng(0).integers(0, 256, 10**6, dtype=np.uint8).tobytes()
    path = stream_of(bytes(3 * 10**7) + noise, tmp_path)._path
    stream = InflatedStream(path.open("rb"), path, most_bytes=2**26, free_bytes=2**22)
    with pytest.raises(IngestError, match="inflates to more than the 4194304 bytes"):
        sum(map(len, iter(lambda: stream.read(4096), b"")))
    assert counted[0] < 2**22 + 2**16
    path = stream_of(noise * 6, tmp_path)._path
    stream = InflatedStream(path.open("rb"), path, most_bytes=2**26, free_bytes=2**22)
    assert sum(map(len, iter(lambda: stream.read(4096), b""))) == 6 * 10**6


def test_deflated_frames_are_read_one_at_a_time(tmp_path, counted):
    stored = np.random.default_rng(0).integers(-1000, 1000, (4, 64, 80)).astype(np.int16)
    dataset = make_enhanced(make_series(stored))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    (path,) = write_series(tmp_path, [dataset])
    volume, _ = load(path)
    np.testing.assert_array_equal(volume, stored.transpose(2, 1, 0) - 1024)


def test_a_large_deflated_file_that_is_cut_is_refused_when_it_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(pixel_data, "MAX_CHECKED_BYTES", 1000)
    stored = np.random.default_rng(0).integers(-1000, 1000, (1, 256, 256)).astype(np.int16)
    (dataset,) = make_series(stored)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    (path,) = write_series(tmp_path, [dataset])
    path.write_bytes(path.read_bytes()[:-20000])
    assert find_series(path)[0].verdict is not Verdict.REFUSE
    with pytest.raises(IngestError, match="ends early") as caught:
        load(path)
    assert caught.value.code is Reason.TRUNCATED
