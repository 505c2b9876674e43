"""Tests of medseg.ingest.inspect_files: what is listed, and that voxels and names are left
alone."""

from __future__ import annotations

import bz2
import gzip
import json
import zlib

import nibabel as nib
import numpy as np
import pytest
from ingest.dicom_writer import OBLIQUE, SAGITTAL, make_enhanced, make_series, ramp, write_series
from pydicom.uid import SegmentationStorage

from medseg.cli.documents.inspect_document import JSON_SCHEMA, make_document
from medseg.cli.documents.series_table import format_findings
from medseg.ingest import IngestError, Reason, Verdict, inspect, load
from medseg.ingest.dicom.pixels import stored_planes as pixels
from medseg.ingest.dicom.sample_checks.stated_bits import MOST_SLICES
from medseg.ingest.inspect_files import are_usable
from medseg.ingest.reader import VolumeReader
from medseg.ingest.volumes import voxels


def save_nifti(path, shape=(4, 6, 5)):
    image = nib.Nifti1Image(np.zeros(shape, np.int16), np.diag([2.0, 2, 3, 1]))
    nib.save(image, path)


def test_a_series_is_listed_with_its_facts(tmp_path):
    write_series(tmp_path / "ct", make_series(uid="1.2.3"))
    (row,) = inspect(tmp_path)
    assert (row.format, row.uid, row.modality, row.files) == ("DICOM", "1.2.3", "CT", 5)
    assert (row.size, row.orientation) == ((4, 6, 5), "LPS")
    assert row.spacing_mm == pytest.approx((0.75, 0.5, 1.25))
    assert row.transfer_syntaxes == ("Explicit VR Little Endian",)
    assert (row.verdict, row.reason, row.findings) == (Verdict.ACCEPT, Reason.OK, ())
    assert row.path == str(tmp_path / "ct")


@pytest.mark.parametrize(("orientation", "axes"), [(SAGITTAL, "PIR"), (OBLIQUE, "LSA")])
def test_axes_are_those_of_the_array(tmp_path, orientation, axes):
    """Sagittal by hand: rows point along +y, columns along -z, and y x (-z) is -x: P, I, R."""
    write_series(tmp_path, make_series(orientation=orientation))
    (row,) = inspect(tmp_path)
    assert row.orientation == axes == load(tmp_path)[1].orientation


def test_a_refused_series_keeps_what_is_known_and_states_its_remedy(tmp_path):
    slices = make_series(uid="1.2.3")
    del slices[2]
    write_series(tmp_path, slices)
    (row,) = inspect(tmp_path)
    assert (row.verdict, row.reason) == (Verdict.REFUSE, Reason.MISSING_SLICES)
    assert (row.size, row.spacing_mm, row.orientation) == ((4, 6, 4), None, "LPS")
    assert "from 1.25 to 2.5 mm" in row.findings[0]
    assert "slices are missing" in row.remedies[0]
    assert not row.is_usable


def test_resampling_is_judged_when_it_is_asked_for(tmp_path):
    slices = make_series()
    del slices[2]
    write_series(tmp_path, slices)
    (row,) = inspect(tmp_path, resample=True)
    assert (row.verdict, row.reason, row.size) == (Verdict.REPAIR, Reason.RESAMPLED, (4, 6, 5))


def test_nifti_files_and_damaged_files_are_rows_too(tmp_path):
    write_series(tmp_path / "ct", make_series(uid="1.2.3"))
    (tmp_path / "broken.dcm").write_bytes(b"broken")
    save_nifti(tmp_path / "a.nii.gz")
    save_nifti(tmp_path / "b.nii", shape=(4, 6, 5, 2))
    (tmp_path / "notes.txt").write_text("notes")
    series, broken, good, several = inspect(tmp_path)
    assert series.is_usable
    assert (broken.reason, broken.path) == (Reason.UNREADABLE, str(tmp_path / "broken.dcm"))
    assert (good.format, good.size, good.orientation) == ("NIfTI", (4, 6, 5), "RAS")
    assert good.spacing_mm == (2, 2, 3)
    assert (several.verdict, several.reason) == (Verdict.REFUSE, Reason.NOT_3D)


def test_files_of_a_folder_that_are_damaged_alike_are_one_row(tmp_path):
    """A syntax of GE's own, which no tool reads: 300 files of a scan would be 300 rows."""
    for file in write_series(tmp_path / "ge", make_series()):
        content = file.read_bytes()
        private = b"1.2.840.113619.5.2\0\0"
        file.write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", private))
    (tmp_path / "ge" / "other.dcm").write_bytes(b"other")
    (tmp_path / "broken.dcm").write_bytes(b"broken")
    rows = inspect(tmp_path)
    assert [(row.files, row.reason) for row in rows] == [
        (1, Reason.UNREADABLE),
        (5, Reason.UNREADABLE),
        (1, Reason.UNREADABLE),
    ]
    assert rows[1].path == str(tmp_path / "ge")
    said = f"states no known transfer syntax, and likewise 4 more files of {tmp_path / 'ge'}"
    assert said in rows[1].findings[0]


def test_links_are_followed_and_lost_ones_are_rows(tmp_path):
    write_series(tmp_path / "far", make_series())
    save_nifti(tmp_path / "far" / "mr.nii.gz")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "link").symlink_to(tmp_path / "far")
    (tmp_path / "near" / "lost.nii.gz").symlink_to(tmp_path / "nowhere")
    found = [(row.format, row.reason) for row in inspect(tmp_path / "near")]
    assert found == [("DICOM", Reason.OK), ("NIfTI", Reason.OK), ("NIfTI", Reason.NOT_FOUND)]


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha", "a.mgz"])
@pytest.mark.parametrize("target", ["/dev/zero", "nowhere"])
def test_a_link_to_what_is_no_file_is_a_row_by_itself_as_in_its_folder(name, target, tmp_path):
    (tmp_path / name).symlink_to(target)
    (row,) = inspect(tmp_path / name)
    assert (row.path, row.reason) == (str(tmp_path / name), Reason.NOT_FOUND)
    assert inspect(tmp_path) == [row]


def test_a_nifti_file_is_one_row_and_its_refusal_is_that_of_load(tmp_path):
    save_nifti(tmp_path / "a.nii")
    content = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "a.nii").write_bytes(content[:-10])
    (row,) = inspect(tmp_path / "a.nii")
    with pytest.raises(IngestError) as caught:
        load(tmp_path / "a.nii")
    assert row.reason is caught.value.code is Reason.TRUNCATED


def test_a_multi_frame_file_is_listed_as_its_volume(tmp_path):
    make_enhanced(make_series()).save_as(tmp_path / "mf", enforce_file_format=True)
    (row,) = inspect(tmp_path / "mf")
    assert (row.size, row.files, row.path) == ((4, 6, 5), 1, str(tmp_path / "mf"))


def test_sizes_that_differ_are_not_made_up(tmp_path):
    slices = make_series(uid="1.2.3") + make_series(ramp((1, 8, 8)), uid="1.2.3")
    write_series(tmp_path, slices)
    (row,) = inspect(tmp_path)
    assert (row.reason, row.size) == (Reason.MIXED_SIZE, None)


def test_of_a_long_series_few_slices_are_looked_at(tmp_path, monkeypatch):
    write_series(tmp_path, make_series(ramp((60, 4, 4))))
    read, from_file = [], np.fromfile
    monkeypatch.setattr(pixels, "decode_frames", None)
    monkeypatch.setattr(np, "fromfile", lambda *a, **k: read.append(a) or from_file(*a, **k))
    assert inspect(tmp_path)[0].is_usable
    assert len(read) == MOST_SLICES


def test_the_document_for_machines_is_plain_and_whole(tmp_path):
    write_series(tmp_path, make_series(uid="1.2.3"))
    save_nifti(tmp_path / "a.nii")
    document = json.loads(json.dumps(make_document(inspect(tmp_path), tmp_path)))
    assert (document["schema"], document["usable"]) == (JSON_SCHEMA, True)
    ct, nifti = document["series"]
    assert (
        set(ct)
        == set(nifti)
        == {
            *("format", "uid", "path", "modality", "size", "spacing_mm", "orientation"),
            *("transfer_syntaxes", "files", "verdict", "reason", "findings", "remedies"),
            *("label", "object_kind"),
        }
    )
    assert (ct["uid"], ct["size"], ct["verdict"], ct["reason"]) == (
        "1.2.3",
        [4, 6, 5],
        "accept",
        "ok",
    )
    assert "ecret" not in json.dumps(document)


@pytest.mark.parametrize("has_image", [True, False])
def test_an_object_that_is_no_image_is_no_fault_beside_images(has_image, tmp_path):
    (dataset,) = make_series(ramp((1, 6, 4)), uid="1.2.9")
    dataset.SOPClassUID, dataset.Modality = SegmentationStorage, "SEG"
    dataset.SeriesDescription = "liver, segmentation"
    write_series(tmp_path / "seg", [dataset])
    if has_image:
        write_series(tmp_path / "ct", make_series(uid="1.2.3"))
    rows = inspect(tmp_path)
    assert rows[-1].object_kind == "Segmentation Storage"
    assert rows[-1].label.description == "liver, segmentation"
    assert are_usable(rows) is has_image
    assert "not-an-image" in "".join(format_findings(rows)) or has_image


def test_nothing_found_is_not_usable(tmp_path):
    assert make_document(inspect(tmp_path), tmp_path) == {
        **{"schema": JSON_SCHEMA, "path": str(tmp_path), "usable": False, "series": []}
    }
    with pytest.raises(IngestError, match="no such file or folder"):
        inspect(tmp_path / "nowhere")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_a_blank_image_is_refused_by_its_header_as_by_segment(dtype, tmp_path, monkeypatch):
    image = nib.Nifti1Image(np.zeros((110, 110, 110), dtype), np.eye(4))
    nib.save(image, tmp_path / "a.nii.gz")
    (row,) = inspect(tmp_path)
    assert row.reason is Reason.OK
    monkeypatch.setattr(voxels, "UNASKED_BYTES", 2**20)
    (row,) = inspect(tmp_path)
    assert (row.verdict, row.reason) == (Verdict.REFUSE, Reason.TOO_LARGE)
    assert "a label map may have more" in row.remedies[0]
    with pytest.raises(IngestError) as caught:
        VolumeReader().get_data([tmp_path / "a.nii.gz"])
    assert caught.value.finding == row.findings[0]


NRRD = b"""NRRD0004
type: short
dimension: 3
space: left-posterior-superior
sizes: 4 6 5
space directions: (1,0,0) (0,1,0) (0,0,1)
space origin: (0,0,0)
endian: little
encoding: gzip

"""
MHA = b"""ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = True
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = 0 0 0
ElementSpacing = 1 1 1
DimSize = 4 6 5
ElementType = MET_SHORT
ElementDataFile = LOCAL
"""


def nifti_head():
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((4, 6, 5))
    header.set_sform(np.eye(4), 1)
    header["magic"], header["vox_offset"] = b"n+1", 352
    return header.binaryblock + bytes(4)


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.nii.gz", lambda stored: gzip.compress(nifti_head() + stored)),
        ("a.nrrd", lambda stored: NRRD + gzip.compress(stored)),
        ("a.nrrd", lambda stored: NRRD.replace(b"gzip", b"bzip2") + bz2.compress(stored)),
        ("a.mha", lambda stored: MHA + zlib.compress(stored)),
    ],
    ids=["nifti-gzip", "nrrd-gzip", "nrrd-bzip2", "mha-zlib"],
)
def test_what_is_packed_behind_the_promised_voxels_is_seen(name, pack, tmp_path):
    """4 x 6 x 5 voxels of 2 bytes; 100 kB of noise behind them do not pack to less."""
    path, noise = tmp_path / name, np.random.default_rng(0).bytes(100_000)
    path.write_bytes(pack(bytes(240)))
    assert inspect(path)[0].is_usable
    path.write_bytes(pack(bytes(240) + noise))
    (row,) = inspect(path)
    assert (row.verdict, row.reason) == (Verdict.REFUSE, Reason.TRAILING_BYTES)
    with pytest.raises(IngestError) as caught:
        load(path)
    assert caught.value.finding == row.findings[0]


def test_a_gzip_that_states_to_unpack_to_more_is_unpacked_no_farther_than_its_promise(tmp_path):
    """64 MB of zeros pack to 64 kB."""
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(nifti_head() + bytes(2**26)))
    (row,) = inspect(path)
    assert row.reason is Reason.TRAILING_BYTES


def test_a_gzip_that_is_cut_is_not_said_to_go_on(tmp_path):
    """Its last four bytes are no length then, and mostly a large number."""
    path = tmp_path / "a.nii.gz"
    packed = gzip.compress(nifti_head() + np.random.default_rng(0).bytes(240))
    path.write_bytes(packed[:-100])
    (row,) = inspect(path)
    assert row.reason is Reason.TRUNCATED
