"""Tests of medseg.ingest.dicom.files.transfer_syntax: what a file states wrongly is mended."""

from __future__ import annotations

import numpy as np
import pytest
from ingest.dicom_writer import as_big_endian, make_series, ramp, relabel, write_raw, write_series
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from medseg.ingest import IngestError, Reason, Verdict, find_series, load

EXPECTED = ramp().transpose(2, 1, 0) - 1024


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        (ExplicitVRLittleEndian, "Explicit VR Little Endian"),
        (ImplicitVRLittleEndian, "Implicit VR Little Endian"),
        (ExplicitVRBigEndian, "Explicit VR Big Endian"),
    ],
)
def test_a_data_set_without_meta_information_is_read_and_says_so(syntax, name, tmp_path):
    for k, dataset in enumerate(make_series(uid="1.2.3")):
        if not syntax.is_little_endian:
            as_big_endian(dataset)
        write_raw(tmp_path / f"{k}", dataset, syntax)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.NO_FILE_META)
    assert (
        f"5 slices state no correct transfer syntax, read as {name}, in series 1.2.3"
        in series.message
    )
    np.testing.assert_array_equal(load(tmp_path)[0], EXPECTED)


def test_meta_information_without_a_transfer_syntax_is_no_obstacle(tmp_path):
    paths = write_series(tmp_path, make_series())
    element = b"\x02\x00\x10\x00UI\x14\x00" + b"1.2.840.10008.1.2.1\0"
    for path in paths:
        content = path.read_bytes()
        assert content.count(element) == 1
        path.write_bytes(content.replace(element, b""))
    (series,) = find_series(tmp_path)
    assert series.reason is Reason.NO_FILE_META
    np.testing.assert_array_equal(load(tmp_path)[0], EXPECTED)


@pytest.mark.filterwarnings("ignore:Expected (im|ex)plicit VR")
@pytest.mark.parametrize(
    ("stated", "written"),
    [
        (ExplicitVRLittleEndian, ImplicitVRLittleEndian),
        (ImplicitVRLittleEndian, ExplicitVRLittleEndian),
    ],
)
def test_a_wrong_transfer_syntax_is_told_from_the_elements_and_recorded(stated, written, tmp_path):
    value = (f"{stated}" + "\0" * (len(stated) % 2)).encode()
    for k, dataset in enumerate(make_series()):
        dataset.file_meta.TransferSyntaxUID = written
        path = tmp_path / f"{k}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        content = path.read_bytes()
        element = b"\x02\x00\x10\x00UI"
        assert content.count(element) == 1
        at = content.index(element)
        end = at + 8 + int.from_bytes(content[at + 6 : at + 8], "little")
        path.write_bytes(
            content[: at + 6] + len(value).to_bytes(2, "little") + value + content[end:]
        )
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.NO_FILE_META)
    assert f"read as {written.name}" in series.message
    np.testing.assert_array_equal(load(tmp_path)[0], EXPECTED)


def test_compressed_pixels_without_a_transfer_syntax_are_refused(tmp_path):
    (dataset,) = make_series(ramp((1, 6, 4)))
    dataset.compress(RLELossless)
    write_raw(tmp_path / "slice", dataset)
    with pytest.raises(IngestError, match="compressed pixels and states no transfer") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.UNREADABLE


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize("seed", range(4))
def test_what_begins_like_a_data_set_and_is_none_is_not_lost_unnoticed(tmp_path, seed):
    write_series(tmp_path, make_series())
    noise = np.random.default_rng(seed).integers(0, 256, 500, dtype=np.uint8).tobytes()
    (tmp_path / "other").write_bytes(b"\x08\x00\x16\x00UI\x1a\x00" + noise)
    with pytest.raises(IngestError, match="other") as caught:
        load(tmp_path)
    assert caught.value.code is Reason.UNREADABLE


@pytest.mark.filterwarnings("ignore:Expected (im|ex)plicit VR")
@pytest.mark.parametrize(
    ("stated", "written"),
    [
        (ExplicitVRBigEndian, ExplicitVRLittleEndian),
        (ExplicitVRBigEndian, ImplicitVRLittleEndian),
        (ExplicitVRLittleEndian, ExplicitVRBigEndian),
        (ImplicitVRLittleEndian, ExplicitVRBigEndian),
        (DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian),
    ],
    ids=lambda syntax: syntax.name,
)
def test_another_byte_order_than_stated_is_told_from_the_first_element(stated, written, tmp_path):
    slices = make_series()
    for dataset in slices:
        dataset.file_meta.TransferSyntaxUID = written
        if written == ExplicitVRBigEndian:
            as_big_endian(dataset)
    for path in write_series(tmp_path, slices):
        relabel(path, stated)
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.NO_FILE_META)
    assert f"read as {written.name}" in series.message
    np.testing.assert_array_equal(load(tmp_path)[0], EXPECTED)


@pytest.mark.parametrize("stated", [b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0"])
def test_a_deflated_data_set_that_is_stated_as_plain_is_read_and_said(stated, tmp_path, recwarn):
    slices = make_series(uid="1.2.3")
    for s in slices:
        s.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    for path in write_series(tmp_path, slices):
        content = path.read_bytes()
        uid = b"1.2.840.10008.1.2.1.99"
        assert content.count(uid) == 1
        path.write_bytes(content.replace(uid, stated.ljust(len(uid), b"\0")))
    (series,) = find_series(tmp_path)
    assert (series.verdict, series.reason) == (Verdict.REPAIR, Reason.NO_FILE_META)
    assert "read as Deflated Explicit VR Little Endian" in series.message
    np.testing.assert_array_equal(load(tmp_path)[0], EXPECTED)
    assert not [w for w in recwarn if "pydicom" in str(w.filename)]
