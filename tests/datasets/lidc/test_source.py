"""Tests of medseg.datasets.lidc.source."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from medseg.datasets.lidc import source
from medseg.datasets.lidc.source import (
    find_annotations,
    find_ct,
    hash_content,
    make_stack,
    name_case,
    read_copies,
    read_patient,
)
from medseg.geometry import Geometry


@dataclass
class _Series:
    """Stands for `medseg.ingest.Series`."""

    uid: str = "1.2"
    modality: str = "CT"
    files: list[Path] = field(default_factory=list)
    message: str = ""
    geometry: Geometry | None = None
    resampling: object = None
    slices: tuple[SimpleNamespace, ...] = ()


def _xml(path, uid="1.2", *, root="LidcReadMessage", sessions=4, extra=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<{root}>{extra}<ResponseHeader><SeriesInstanceUid>{uid}</SeriesInstanceUid>"
        f"</ResponseHeader>{'<readingSession/>' * sessions}</{root}>"
    )
    return path


def _dicom(path, *, patient="LIDC-IDRI-0001"):
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID, image.PatientID = CTImageStorage, "1.2.1", patient
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, image, enforce_file_format=True)
    return path


def test_xml_files_are_found_beside_the_images_and_in_a_tree_of_their_own(tmp_path):
    beside = _xml(tmp_path / "LIDC-IDRI/LIDC-IDRI-0001/study/series/069.xml")
    copy = _xml(tmp_path / "LIDC-XML-only/tcia-lidc-xml/157/158.XML")
    other = _xml(tmp_path / "LIDC-XML-only/tcia-lidc-xml/157/159.xml", "1.3")
    _xml(tmp_path / "LIDC-XML-only/._159.xml", "1.4")
    found = find_annotations([tmp_path])
    assert found.ct == {"1.2": [beside, copy], "1.3": [other]}
    assert (found.radiographs, found.faults) == (0, {})


def test_a_folder_given_twice_counts_once(tmp_path):
    path = _xml(tmp_path / "a/1.xml")
    assert find_annotations([tmp_path, tmp_path / "a"]).ct == {"1.2": [path]}


def test_radiographs_are_counted_and_unreadable_files_named(tmp_path):
    _xml(tmp_path / "1.xml", root="IdriReadMessage")
    bad = tmp_path / "2.xml"
    bad.write_text("<cut")
    found = find_annotations([tmp_path])
    assert (found.ct, found.radiographs) == ({}, 1)
    assert list(found.faults) == [bad]
    assert "2.xml cannot be read" in found.faults[bad]


def test_copies_that_say_the_same_are_one_whatever_else_is_in_them(tmp_path):
    paths = [_xml(tmp_path / "1.xml"), _xml(tmp_path / "2.xml", extra="<!-- another -->")]
    assert read_copies(paths).readers == 4


def test_copies_that_differ_are_refused(tmp_path):
    paths = [_xml(tmp_path / "1.xml"), _xml(tmp_path / "2.xml", sessions=3)]
    with pytest.raises(ValueError, match=r"1\.xml and .*2\.xml are of one series and differ"):
        read_copies(paths)


def test_the_series_of_a_patient_are_found_by_the_topmost_folder_with_dicom(tmp_path, monkeypatch):
    _dicom(tmp_path / "LIDC-IDRI/a/study/series/1.dcm")
    _dicom(tmp_path / "LIDC-IDRI/b/study/first/image")
    _dicom(tmp_path / "LIDC-IDRI/b/study/second/1.DCM")
    _dicom(tmp_path / "LIDC-IDRI/b/study/second/deeper/1.dcm")
    (tmp_path / "LICENSE").write_text("x" * 200)
    _xml(tmp_path / "1.xml")
    asked = []

    def find_series(folder, *, resample):
        asked.append(folder.relative_to(tmp_path / "LIDC-IDRI").as_posix())
        kinds = ("CT", "DX", "SEG", "")
        return [_Series(uid=f"{len(asked)}.{n}", modality=m) for n, m in enumerate(kinds)]

    monkeypatch.setattr(source, "find_series", find_series)
    found = list(find_ct(tmp_path))
    assert asked == ["a/study/series", "b/study/first", "b/study/second"]
    assert [series.modality for series in found] == ["CT", ""] * 3


def test_what_has_no_uid_comes_last_of_its_folder_and_a_link_to_nothing_is_no_dicom(
    tmp_path, monkeypatch
):
    _dicom(tmp_path / "a/b/1.dcm")
    (tmp_path / "a/link").symlink_to(tmp_path / "absent")
    found = [_Series(uid=uid) for uid in ("", "1.1", "1.2")]
    monkeypatch.setattr(source, "find_series", lambda folder, *, resample: found)
    assert [series.uid for series in find_ct(tmp_path)] == ["1.1", "1.2", ""]


def test_a_case_is_named_by_its_whole_uid(tmp_path):
    files = [_dicom(tmp_path / "1.dcm")]
    names = [name_case(_Series(uid=uid, files=files)) for uid in ("1.2.1.123", "1.2.2.123")]
    # printf 1.2.1.123 | sha256sum
    assert names == ["LIDC-IDRI-0001_123-bc303931", "LIDC-IDRI-0001_123-600fd795"]


def test_content_is_told_by_bytes_and_not_by_names_dates_or_order(tmp_path):
    for name, content in {"a": b"1", "b": b"2", "c": b"1", "d": b"2", "e": b"22"}.items():
        (tmp_path / name).write_bytes(content)
    a, b, c, d, e = (tmp_path / name for name in "abcde")
    assert hash_content([a, b]) == hash_content([d, c])
    others = [[a, e], [a], [a, a, b], [b, d], [], [a, tmp_path / "absent"], [a, tmp_path]]
    assert len({hash_content(files) for files in [[a, b], *others]}) == 1 + len(others)


def test_every_byte_of_a_long_file_counts(tmp_path):
    content = bytearray(3 * 2**20 + 5)
    contents = set()
    for changed in (None, 0, 2**20 - 1, 2**20, 3 * 2**20 + 4):
        file = tmp_path / str(changed)
        file.write_bytes(content if changed is None else bytes(content[:changed]) + b"1"
                         + bytes(content[changed + 1 :]))  # fmt: skip
        assert file.stat().st_size == len(content)
        contents.add(hash_content([file]))
    assert len(contents) == 5


@pytest.mark.parametrize("patient", ["Doe^Jane 1970", "LIDC-IDRI-0314 Doe", ""])
def test_only_the_pseudonym_of_the_collection_is_shown(tmp_path, patient):
    file = _dicom(tmp_path / "1.dcm", patient=patient)
    shown = read_patient(_Series(files=[file]))
    assert shown.startswith("patient-")
    assert "Doe" not in shown
    assert shown == read_patient(_Series(files=[file]))
    public = _dicom(tmp_path / "2.dcm", patient="LIDC-IDRI-0314")
    assert read_patient(_Series(files=[public])) == "LIDC-IDRI-0314"


def test_each_uid_is_in_the_slice_at_its_position():
    affine = np.diag([0.7, 0.7, 2.0, 1.0])
    affine[:3, 3] = (-100, -90, -50)
    geometry = Geometry.from_lps((4, 4, 3), affine)
    slices = [
        SimpleNamespace(instance=f"1.2.{n}", position=np.array([-100, -90, z]), frame=None)
        for n, z in enumerate((-46, -50, -48, -52))
    ]
    stack = make_stack(_Series(slices=tuple(slices)), geometry)
    assert stack.slice_of == {"1.2.0": 2, "1.2.1": 0, "1.2.2": 1}
    assert (stack.shape, stack.z_mm.tolist(), stack.spacing_mm) == ((4, 4, 3), [-50, -48, -46], 2)
    assert stack.interpolated_slices is None
