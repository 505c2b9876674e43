"""Tests of medseg.inference.cases.check_image: what contradicts is refused, and force is not
silent."""

import logging

import numpy as np
import pytest
import torch
from ingest.dicom_writer import make_series, write_series
from monai.data import MetaTensor
from monai.transforms import EnsureChannelFirstd, LoadImaged
from plausibility.scans import make_scan
from pydicom.uid import PositronEmissionTomographyImageStorage

from medseg.base.channels.missing import MISSING
from medseg.inference import CheckImaged
from medseg.inference.outputs.notes import read_notes
from medseg.ingest.reader import VolumeReader
from medseg.plausibility import TrainedOn, write_trained_on


def image(values, **meta):
    spacing = np.diag([1.0, 1.0, 2.5, 1.0])
    return MetaTensor(torch.from_numpy(np.array(values, np.float32)), affine=spacing, meta=meta)


def checked(values, modality="CT", *, header=None, **options):
    data = {"case": "a", "image": image(values, **(header or {}))}
    return CheckImaged("image", modality=modality, **options)(data)["image"]


def resonance():
    return np.random.default_rng(0).normal(300, 80, (1, 20, 24, 20)).clip(0)


def mask():
    label = np.zeros((1, 20, 24, 20))
    label[:, 5:10, 5:10, 5:10] = 2
    return label


def test_images_of_the_kind_pass_unchanged_and_without_a_note(caplog):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 30, 30))
    for values, modality in ((make_scan(), "CT"), (resonance(), "MR"), (pictures, "picture")):
        found = checked(values, modality)
        assert np.array_equal(found.numpy(), np.array(values, np.float32))
        assert read_notes(found) == []
    assert not caplog.records


@pytest.mark.parametrize(
    ("values", "modality", "words"),
    [
        (resonance(), "CT", "not a CT in Hounsfield units: .* below -50"),
        (make_scan(), "MR", "this is a CT"),
        (mask(), "CT", "a label map or mask, not an image: it holds only 2 values from 0 to 2"),
        (mask(), "MR", "a label map or mask"),
        (mask()[..., 7], "picture", "a label map or mask"),
        (mask() / 2, "MR", "2 values from 0 to 1"),
    ],
)
def test_what_contradicts_is_refused_with_the_remedy(values, modality, words):
    with pytest.raises(ValueError, match=f"{words}.*: pass what .*{modality}.*or --force True"):
        checked(values, modality)


@pytest.mark.parametrize("stated", ["MR", "PT", "RTDOSE", "SEG"])
def test_a_header_of_another_modality_is_refused(stated):
    with pytest.raises(ValueError, match=f"header says {stated}, the network was trained on CT"):
        checked(make_scan(), header={"modality": stated})


def test_a_header_that_says_nothing_or_the_same_passes():
    for stated in ("", "CT"):
        checked(make_scan(), header={"modality": stated})


def test_a_header_that_states_another_unit_is_a_warning(caplog):
    checked(make_scan(), header={"modality": "CT", "value_unit": "US"})
    assert "states values in US, not HU: measured values have no unit" in caplog.text


@pytest.mark.parametrize("part", ["Head", "FOOT", "HAND"])
def test_a_body_part_far_from_that_of_the_network_is_refused(part):
    with pytest.raises(ValueError, match=f"header says {part.upper()}, .*--force True"):
        checked(make_scan(), header={"body_part": part}, body_part=["ABDOMEN", "LIVER"])


def test_a_body_part_next_to_it_is_a_warning_that_is_kept_with_the_image(caplog):
    header = {"modality": "CT", "body_part": "Chest"}
    found = checked(make_scan(), header=header, body_part=["ABDOMEN", "LIVER"])
    assert read_notes(found) == [
        "the DICOM header says CHEST, the network was trained on the abdomen"
    ]
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "case a: the DICOM header says CHEST" in caplog.text
    assert "look at the image and its result before you use it" in caplog.text
    for same in ("LIVER", "liver", ""):
        assert not read_notes(checked(make_scan(), header={"body_part": same}, body_part=["LIVER"]))


@pytest.mark.parametrize("modality", ["CT", "MR", "picture"])
def test_one_value_and_noise_are_refused_for_every_network(modality):
    shape = (3, 200, 200) if modality == "picture" else (1, 40, 40, 40)
    noise = np.random.default_rng(0).normal(0, 300, shape)
    for values, why in ((np.zeros(shape), "every value is 0"), (noise, "it is noise")):
        with pytest.raises(ValueError, match=f"this is not an image: {why}"):
            checked(values, modality)


def test_whole_numbers_below_zero_are_warned_of_where_mr_is_meant():
    cube = np.random.default_rng(0).normal(40, 30, (1, 20, 20, 20)).round()
    assert "it may be a CT" in read_notes(checked(cube, "MR"))[0]


def test_what_is_forced_goes_on_and_is_noted(caplog):
    found = checked(mask(), force=True)
    assert read_notes(found) == [
        "forced: this is a label map or mask, not an image: it holds only 2 values from 0 to 2"
    ]
    assert "case a: forced: this is a label map" in caplog.text


@pytest.mark.parametrize("force", ["false", 1, None])
def test_force_is_true_or_false(force):
    with pytest.raises(TypeError, match="force must be True or False"):
        CheckImaged("image", modality="CT", force=force)


def test_a_refusal_says_first_that_the_image_is_of_another_kind():
    with pytest.raises(ValueError, match=r"^this does not look like what .* on: the DICOM header"):
        checked(make_scan(), header={"modality": "MR"})
    with pytest.raises(ValueError, match=r"^this is a label map"):
        checked(mask(), "MR")


def test_the_remedy_names_the_body_part_and_the_data_of_the_training(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"weights")
    ranges = {"longest_mm": [10, 20]}
    trained = TrainedOn({"name": "hippocampus"}, 9, "MR", 3, ranges)
    write_trained_on(trained, tmp_path / "model.pt")
    options = {"body_part": ["BRAIN", "HEAD"], "weights": tmp_path / "model.pt"}
    with pytest.raises(
        ValueError,
        match=r"\(an MR of the brain; `medseg bundles info hippocampus` says of what\), or",
    ):
        checked(mask(), "MR", **options)


def test_weights_used_with_other_settings_leave_a_note_on_every_image(tmp_path, caplog):
    (tmp_path / "model.pt").write_bytes(b"weights")
    trained = TrainedOn({}, 9, "MR", 3, settings={"classes": {"liver": [1]}, "in_channels": 1})
    write_trained_on(trained, tmp_path / "model.pt")
    options = {"weights": tmp_path / "model.pt"}
    same = {"classes": {"liver": [1, 2]}, "fold": 3}
    assert read_notes(checked(resonance(), "MR", choices=same, **options)) == []
    with caplog.at_level(logging.WARNING):
        found = checked(resonance(), "MR", choices={"classes": {"spleen": [1]}}, **options)
    said = "other settings than in training (classes: trained with liver, used with spleen)"
    assert read_notes(found) == [f"forced: {said}"]
    assert f"case a: forced: {said}: look at the image and its result" in caplog.text


def test_an_unknown_modality_is_refused():
    with pytest.raises(ValueError, match="one of CT, MR, picture, got 'XR'"):
        CheckImaged("image", modality="XR")


def test_a_plain_tensor_is_judged_by_its_values():
    check = CheckImaged("image", modality="CT", body_part=["ABDOMEN"])
    check({"image": torch.from_numpy(make_scan())})
    with pytest.raises(ValueError, match="not a CT"):
        check({"image": torch.from_numpy(resonance())})


@pytest.mark.parametrize("value", [0.0, -1000.0, 40.0])
def test_a_constant_image_is_left_to_the_check_of_blank_images(value):
    checked(np.full((1, 8, 8, 8), value))


def test_the_reader_keeps_what_a_dicom_header_says(tmp_path):
    series = make_series()
    for each in series:
        each.BodyPartExamined = "ABDOMEN"
    write_series(tmp_path / "ct", series)
    data = {"image": str(tmp_path / "ct")}
    read = LoadImaged("image", reader=VolumeReader())(data)["image"]
    assert (read.meta["modality"], read.meta["body_part"]) == ("CT", "ABDOMEN")
    assert EnsureChannelFirstd("image")({"image": read})["image"].meta["modality"] == "CT"


def test_that_a_series_was_resampled_reaches_the_outputs(tmp_path, caplog):
    series = make_series()
    del series[2]
    write_series(tmp_path / "ct", series)
    data = {"image": str(tmp_path / "ct")}
    read = LoadImaged("image", reader=VolumeReader(resample=True))(data)["image"]
    with caplog.at_level(logging.WARNING):
        found = checked(make_scan(), header={"resampled": read.meta["resampled"]})
    assert read_notes(found) == ["resampled: 1 slice missing"]
    assert "case a: resampled: 1 slice missing: look at the image" in caplog.text


def test_a_sop_class_that_contradicts_modality_reaches_the_outputs(tmp_path):
    series, pet = make_series(), PositronEmissionTomographyImageStorage
    for each in series:
        each.SOPClassUID = each.file_meta.MediaStorageSOPClassUID = pet
    write_series(tmp_path / "ct", series)
    read = LoadImaged("image", reader=VolumeReader())({"image": str(tmp_path / "ct")})["image"]
    assert read.meta["modality"] == "CT"
    header = {key: read.meta[key] for key in ("modality", "contradiction")}
    [note] = read_notes(checked(make_scan(), header=header))
    assert "Positron Emission Tomography Image Storage and Modality says CT" in note
    assert note.endswith("it is treated as CT")


def test_of_several_channels_the_first_is_compared_and_each_is_an_image():
    scan = make_scan()
    uptake = np.abs(scan) / 100
    checked(np.concatenate([scan, uptake]))
    with pytest.raises(ValueError, match="not a CT in Hounsfield units"):
        checked(np.concatenate([uptake, scan]))
    masked = (scan > 0).astype(float)
    with pytest.raises(ValueError, match="channel 2 is a mask, it holds only 2 values"):
        checked(np.concatenate([scan, masked]))


def test_a_missing_channel_is_noted_and_not_compared():
    scan = make_scan()
    nothing = np.zeros_like(scan)
    for values, name in (([scan, nothing], "pet"), ([nothing, scan], "ct")):
        found = checked(np.concatenate(values), header={MISSING: name})
        assert read_notes(found) == [f"channel {name} is missing"]
