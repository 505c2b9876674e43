"""Tests of medseg.inference.preview.redraw: a missing preview comes from the label map there is."""

import functools
import logging

import nibabel as nib
import numpy as np
import pytest
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged, Orientationd
from PIL import Image

from medseg.inference import (
    WritePicturePreviewd,
    WritePreviewd,
    draw_missing_previews,
    find_channel_cases,
)
from medseg.ingest.pictures.load import PictureReader
from medseg.ingest.reader import VolumeReader

AFFINE = np.diag([-1.5, -2.0, 5.0, 1.0])  # LPS, which the network sees turned to RAS
READ = Compose(
    [
        LoadImaged("image", reader=VolumeReader()),
        EnsureChannelFirstd("image"),
        Orientationd("image", axcodes="RAS", labels=None),
    ]
)
READ_PICTURE = Compose(
    [LoadImaged("image", reader=PictureReader(colour=True)), EnsureChannelFirstd("image")]
)


def save(array, path, affine=AFFINE):
    path.parent.mkdir(exist_ok=True)
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


@pytest.fixture
def volumes(tmp_path):
    """Three images, of which the first has its label map, the second that and a preview."""
    values = np.random.default_rng(0).random((12, 10, 4)).astype(np.float32)
    label = (values > 0.5).astype(np.uint8)
    for name in "abc":
        save(values, tmp_path / "in" / f"{name}.nii.gz")
    for name in "ab":
        save(label, tmp_path / "out" / f"{name}.nii.gz")
    (tmp_path / "out" / "b.png").write_bytes(b"as it was")
    return tmp_path


def draw(folder, *, existing="skip"):
    writer = WritePreviewd("pred", folder / "out", classes=["bright"], made_by="liver 0.1.0")
    return draw_missing_previews(writer, READ, folder / "in", existing=existing)


def test_the_preview_that_is_missing_is_drawn_and_no_other(volumes, caplog):
    before = (volumes / "out" / "a.nii.gz").read_bytes()
    with caplog.at_level(logging.INFO):
        assert draw(volumes) == 1
    assert {path.name for path in (volumes / "out").glob("*.png")} == {"a.png", "b.png"}
    assert Image.open(volumes / "out" / "a.png").size > (0, 0)
    assert (volumes / "out" / "b.png").read_bytes() == b"as it was"
    assert (volumes / "out" / "a.nii.gz").read_bytes() == before
    assert "case a: its preview is drawn again from its label map" in caplog.text
    assert draw(volumes) == 0


def test_the_writer_of_the_run_stays_as_it_was(volumes):
    writer = WritePreviewd(
        "pred", volumes / "out", classes=["bright"], made_by="liver", first=lambda data: 1 / 0
    )
    assert draw_missing_previews(writer, READ, volumes / "in", existing="skip") == 1
    assert writer.first is not None
    assert writer.made_by == "liver"


@pytest.mark.parametrize("existing", ["refuse", "overwrite", None])
def test_nothing_is_drawn_unless_finished_cases_are_skipped(volumes, existing):
    assert draw(volumes, existing=existing) == 0
    assert not (volumes / "out" / "a.png").exists()


def test_a_label_map_of_another_grid_is_left_as_it_is(volumes, caplog):
    save(np.zeros((12, 10, 5), np.uint8), volumes / "out" / "a.nii.gz")
    with caplog.at_level(logging.WARNING):
        assert draw(volumes) == 0
    assert "preview of case a cannot be drawn again: label map a.png is not on" in caplog.text


def test_that_of_a_picture_is_drawn_too(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (24, 30, 3), np.uint8)
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    Image.fromarray((pixels[..., 0] > 99).astype(np.uint8)).save(tmp_path / "out" / "a_label.png")
    writer = WritePicturePreviewd("pred", tmp_path / "out", classes=["cell"])
    assert draw_missing_previews(writer, READ_PICTURE, tmp_path / "in", existing="skip") == 1
    assert (tmp_path / "out" / "a.png").is_file()


def test_an_input_that_is_gone_is_left_to_the_run_to_refuse(tmp_path):
    assert draw(tmp_path) == 0


def test_cases_of_several_channels_are_found_as_the_run_found_them(tmp_path):
    values = np.random.default_rng(0).random((12, 10, 4)).astype(np.float32)
    for name in ("a_0000", "a_0001"):
        save(values, tmp_path / "in" / f"{name}.nii.gz")
    save((values > 0.5).astype(np.uint8), tmp_path / "out" / "a.nii.gz")
    writer = WritePreviewd("pred", tmp_path / "out", classes=["bright"])
    find = functools.partial(find_channel_cases, channels=["flair", "t1"])
    drawn = draw_missing_previews(writer, READ, tmp_path / "in", existing="skip", find=find)
    assert drawn == 1
    assert (tmp_path / "out" / "a.png").exists()
