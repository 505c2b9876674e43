"""Tests of medseg.inference.outputs.notes: what must be known of a case is in all that is
written."""

import json

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor, decollate_batch, list_data_collate
from PIL import Image

from medseg.inference import (
    ProbabilityFiles,
    WriteInstancesd,
    WriteLabelMapd,
    WritePictureLabeld,
    WritePicturePreviewd,
    WritePreviewd,
)
from medseg.inference.outputs.notes import add_notes, read_notes, shorten
from medseg.inference.preview.caption import RESEARCH_USE

NOTES = ["forced: this is a label map", "the DICOM header says HEAD"]
SHOWN = ["FORCED: this is a label map", "WARNING: the DICOM header says HEAD"]
SHAPE = (24, 24, 12)


def volume(notes, *, file="a.nii.gz"):
    meta = {"original_affine": np.eye(4), "spatial_shape": np.array(SHAPE), "filename_or_obj": file}
    image = MetaTensor(torch.rand(1, *SHAPE), affine=torch.eye(4), meta=meta)
    add_notes(image, notes)
    return {"case": "a", "image": image, "pred": MetaTensor(torch.zeros(1, *SHAPE))}


def picture(tmp_path, notes):
    Image.new("L", SHAPE[1::-1], 100).save(tmp_path / "source.png")
    meta = {"spatial_shape": SHAPE[:2], "filename_or_obj": str(tmp_path / "source.png")}
    image = MetaTensor(torch.rand(1, *SHAPE[:2]), meta=meta)
    add_notes(image, notes)
    label = torch.zeros(1, *SHAPE[:2])
    return {"case": "a", "image": image, "pred": label, "instances": label.int()}


@pytest.mark.parametrize("notes", [[], NOTES[1:], NOTES])
def test_notes_are_added_and_survive_a_batch(notes):
    case = volume(notes)
    add_notes(case["image"], ["more"])
    batch = list_data_collate([case])
    assert read_notes(batch["image"]) == [*notes, "more"]
    assert read_notes(decollate_batch(batch)[0]["image"]) == [*notes, "more"]


def test_a_plain_tensor_has_no_notes():
    plain = torch.zeros(1)
    add_notes(plain, NOTES)
    assert read_notes(plain) == []


def test_a_label_map_and_its_preview_repeat_the_notes(tmp_path, captions):
    nib.save(nib.Nifti1Image(np.zeros(SHAPE, np.float32), np.eye(4)), tmp_path / "image.nii")
    case = volume(NOTES, file=str(tmp_path / "image.nii"))
    WriteLabelMapd("pred", tmp_path)(case)
    WritePreviewd("pred", tmp_path, classes=["liver"])(case)
    header = nib.load(tmp_path / "a.nii.gz").header
    assert header["descrip"].item().decode() == "; ".join(NOTES)
    assert header["intent_name"].item() == b"forced"
    assert captions()[-4:] == ["liver: none", *SHOWN, RESEARCH_USE]


def test_long_notes_and_other_letters_are_cut_and_replaced_in_the_header(tmp_path):
    case = volume(["größer " + "x " * 100])
    WriteLabelMapd("pred", tmp_path)(case)
    header = nib.load(tmp_path / "a.nii.gz").header
    assert header["descrip"].item() == b"gr??er " + b"x " * 34 + b"x..."
    assert header["intent_name"].item() == b"warned"


@pytest.mark.parametrize(
    ("notes", "most", "words"),
    [
        (["one", "two"], 8, b"one; two"),
        (["one two three"], 12, b"one two..."),
        (["one two three"], 10, b"one two..."),
        (["onetwothree"], 6, b"one..."),
        ([], 6, b""),
    ],
)
def test_notes_too_long_for_a_header_end_behind_a_word(notes, most, words):
    assert shorten(notes, most) == words


def test_the_files_of_a_picture_repeat_the_notes(tmp_path, captions):
    case = picture(tmp_path, NOTES)
    WritePictureLabeld("pred", tmp_path)(case)
    WritePicturePreviewd("pred", tmp_path, classes=["nucleus"])(case)
    WriteInstancesd("instances", tmp_path)(case)
    for name in ("a_label.png", "a_instances.png"):
        assert Image.open(tmp_path / name).text == {"Comment": "\n".join(NOTES)}
    assert captions()[-4:] == ["nucleus: none", *SHOWN, RESEARCH_USE]


def test_the_probabilities_repeat_the_notes(tmp_path):
    for notes in ([], NOTES):
        case = volume(notes)
        batch = list_data_collate([case])["image"]
        with ProbabilityFiles(tmp_path, classes={"liver": [1]})(batch) as path:
            path.touch()
        about = json.loads((tmp_path / "a_probabilities.json").read_text())
        assert about.get("notes", []) == notes


def test_files_of_a_case_without_notes_are_as_ever(tmp_path):
    WriteLabelMapd("pred", tmp_path)(volume([]))
    case = picture(tmp_path, [])
    WritePictureLabeld("pred", tmp_path)(case)
    assert nib.load(tmp_path / "a.nii.gz").header["descrip"] == b""
    assert Image.open(tmp_path / "a_label.png").text == {}


def test_a_note_keeps_no_control_character_of_a_header():
    image = MetaTensor(torch.zeros(1, 4, 4, 4))
    add_notes(image, ["the DICOM header says HE\x1b[31mAD"])
    assert read_notes(image) == ["the DICOM header says HE\\x1b[31mAD"]
