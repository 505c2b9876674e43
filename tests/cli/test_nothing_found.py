"""Tests of medseg.cli.nothing_found: what is said of a path without DICOM and NIfTI."""

import pytest

from medseg.cli.nothing_found import refuse_nothing_found
from medseg.ingest import IngestError, Reason


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (["b/c.TIF", "a.jpg", ".a.jpg", "a.txt"], "holds 2 pictures and neither"),
        (["scans.tar.gz"], "holds 1 archive and neither DICOM nor a volume file: unpack it"),
        (["a.jpg", "scans.zip"], "holds 1 picture"),
        (["a.txt"], "neither DICOM nor a volume file in"),
        ([], "neither DICOM nor a volume file in"),
    ],
)
def test_a_folder_is_told_by_what_it_holds(tmp_path, held, said):
    (tmp_path / "d.png").mkdir()  # a folder, whatever its name
    for name in held:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=said):
        refuse_nothing_found(tmp_path)


@pytest.mark.parametrize(("name", "said"), [("a.PNG", "is a picture"), ("a.zip", "is an archive")])
def test_a_file_is_told_by_its_name(tmp_path, name, said):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=f"{name} {said}"):
        refuse_nothing_found(tmp_path / name)


def test_an_empty_folder_has_its_reason_code(tmp_path):
    with pytest.raises(IngestError) as caught:
        refuse_nothing_found(tmp_path)
    assert caught.value.code is Reason.EMPTY_FOLDER


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("scan", bytes(344) + b"n+1\0", "scan is NIfTI, whatever its name says"),
        ("a.img", bytes(9), r"half of an \.hdr and \.img pair"),
        ("notes", b"text", "neither NIfTI nor DICOM"),
    ],
)
def test_a_file_is_told_by_its_content(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IngestError, match=said):
        refuse_nothing_found(tmp_path / name)
