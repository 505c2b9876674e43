"""Tests of medseg.cli.nothing_found: what is said of a path without DICOM and NIfTI."""

import json
import re

import pytest
from cli.commands import run_medseg
from ingest.dicom_writer import make_series, write_series
from PIL import Image

from medseg.cli.nothing_found import refuse_no_image, refuse_nothing_found
from medseg.cli.usage import BAD_ARGUMENTS
from medseg.ingest import IngestError, Reason


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (["b/c.TIF", "a.jpg", ".a.jpg", "a.txt"], "holds 2 pictures and no DICOM"),
        (["scans.tar.gz"], "holds 1 archive and no DICOM or volume file: unpack it"),
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
        ("scan", bytes(344) + b"n+1\0", "scan is NIfTI, despite its name"),
        ("a.img", bytes(9), r"half of an \.hdr and \.img pair"),
        ("notes", b"text", "neither NIfTI nor DICOM"),
    ],
)
def test_a_file_is_told_by_its_content(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IngestError, match=said):
        refuse_nothing_found(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("notes.txt", b"text", r"neither NIfTI nor DICOM: pass DICOM, .* one of \.png, \.jpg"),
        ("report", b"%PDF-1.7", "is a PDF document"),
        ("scan", bytes(344) + b"n+1\0", "scan is NIfTI, despite its name: give it the right"),
        ("scan.nii.gz", b"", "is empty: copy or download the file again"),
        ("cell.png", b"", "is empty: copy or download the file again"),
    ],
)
def test_a_file_that_is_no_image_is_refused_before_a_network_is_made(
    tmp_path, monkeypatch, name, content, said
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(IngestError, match=said):
        refuse_no_image(tmp_path / name)
    monkeypatch.setattr("medseg.bundles.run.run_bundle", lambda *_, **__: pytest.fail("it ran"))
    ended = run_medseg("segment", tmp_path / name, "-b", "liver_slices", "-o", tmp_path / "out")
    assert ended.exit_code == BAD_ARGUMENTS
    assert re.search(said, ended.stderr)


def test_whatever_may_be_an_image_is_judged_when_it_is_read(tmp_path):
    for name, content in (
        ("scan.nii.gz", b"text"),
        ("cell.png", b"text"),
        ("slice.dcm", b"text"),
        ("DICOMDIR", bytes(128) + b"DICM"),
    ):
        (tmp_path / name).write_bytes(content)
        refuse_no_image(tmp_path / name)
    refuse_no_image(write_series(tmp_path / "ct", make_series())[0])
    refuse_no_image(tmp_path)
    refuse_no_image(tmp_path / "absent")


def test_pictures_are_pointed_to_what_takes_them(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("a.PNG", "below/b.jpg", ".hidden.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("what they are")
    for path, held in (
        (tmp_path, "holds 2 pictures and no DICOM"),
        (tmp_path / "a.PNG", "is a picture"),
    ):
        ended = run_medseg("inspect", path)
        assert ended.exit_code == BAD_ARGUMENTS
        assert ended.stderr.startswith(f"error: {path} {held}")
        assert "`medseg prepare NAME`" in ended.stderr
        assert ended.stderr.count("\n") == 1


def test_archives_are_pointed_to_what_takes_them(tmp_path):
    (tmp_path / "stage1_train.ZIP").write_bytes(b"PK")
    for path, held in (
        (tmp_path, "holds 1 archive and no DICOM"),
        (*tmp_path.iterdir(), "is an archive"),
    ):
        ended = run_medseg("inspect", path)
        assert ended.exit_code == BAD_ARGUMENTS
        assert ended.stderr.startswith(f"error: {path} {held}")
        assert ended.stderr.endswith("`medseg prepare NAME` (see docs/how-to/read-a-refusal.md)\n")
        assert ended.stderr.count("\n") == 1


def test_the_picture_bundles_that_are_named_segment_pictures(tmp_path, repository):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    named = re.findall(r"bundles/\w+", run_medseg("inspect", tmp_path).stderr)
    assert len(named) == 2
    for bundle in named:
        config = json.loads((repository / bundle / "configs" / "inference.json").read_text())
        assert "find_pictures" in config["cases"]
