"""Tests of medseg.inference.cases.check_result: what no training case came near is said."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Resized

from medseg.inference import CheckImaged, CheckResultd
from medseg.inference.outputs.notes import read_notes
from medseg.plausibility import TrainedOn, measure_appearance, write_trained_on

SHAPE = (20, 30, 10)
RANGES = {"share": [0.05, 0.3], "volume_ml": [0.9, 2.4], "place_1": [0.6, 0.8]}


@pytest.fixture
def weights(tmp_path):
    trained = TrainedOn({}, 9, "CT", 3, {"longest_mm": [25, 35]}, {"liver": RANGES})
    (tmp_path / "model.pt").write_bytes(b"weights")
    write_trained_on(trained, tmp_path / "model.pt")
    return tmp_path / "model.pt"


def checked(weights, where, *, affine=None):
    affine = np.eye(4) if affine is None else affine
    meta = {"original_affine": affine, "spatial_shape": np.array(SHAPE)}
    image = MetaTensor(torch.zeros(1, *SHAPE), affine=torch.tensor(affine), meta=meta)
    label = torch.zeros(1, *SHAPE)
    label[0][where] = 1
    data = {"case": "a", "image": image, "pred": label}
    return read_notes(CheckResultd("pred", classes={"liver": [1]}, weights=weights)(data)["image"])


SIDE = "the longest side of the image is 120 mm, in training it was 25 to 35 mm"
RIGHT = np.s_[10:18, 5:20, 1:9]  # 960 voxels of 1 mm, centred at 14 of 20: 0.96 mL


@pytest.mark.parametrize(
    ("window", "noted"),
    [((8, 8, 40), True), ((8, 8, 39), False), ((8, 39), False), ((8, 40), True), (None, False)],
)
def test_an_image_of_at_most_a_quarter_of_the_window_is_noted(weights, window, noted):
    """Of the image's axes, 20, 30 and 10, those of the window are the last."""
    image = MetaTensor(torch.zeros(1, *SHAPE), meta={"original_affine": np.eye(4)})
    image.meta["spatial_shape"] = np.array(SHAPE)
    label = torch.zeros(1, *SHAPE)
    label[0][RIGHT] = 1
    check = CheckResultd("pred", classes={"liver": [1]}, weights=weights, window=window)
    notes = read_notes(check({"image": image, "pred": label})["image"])
    assert ["its window" in note for note in notes] == [True] * noted
    if noted:
        size = "x".join(map(str, SHAPE[-len(window) :]))
        assert notes[0].startswith(f"the image is {size} voxels as the network sees it")


def test_a_result_as_in_training_passes(weights, caplog):
    assert checked(weights, RIGHT) == []
    assert not caplog.records


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (
            np.s_[12:16, 5:10, 4:8],
            ["liver: the volume is 0.08 mL, in training it was 0.9 to 2.4 mL"],
        ),
        (
            np.s_[2:10, 5:20, 1:9],
            ["liver lies farther to the patient's left in the image"],
        ),
        (np.s_[:0], ["liver: nothing was found, but every training case had some"]),
    ],
)
def test_another_volume_or_place_or_nothing_is_noted_and_logged(where, words, weights, caplog):
    notes = checked(weights, where)
    assert [note[: len(w)] for note, w in zip(notes, words, strict=True)] == words
    remedy = "look at the result before it is used"
    assert all(f"case a: {note}: {remedy}" in caplog.text for note in notes)


@pytest.mark.parametrize(
    ("limits", "where", "words"),
    [
        ([0.1, 0.5], RIGHT, "liver: the volume is 0.96 mL, and a whole one has 0.1 to 0.5 mL"),
        ([1, 5], RIGHT, "liver: the volume is 0.96 mL, and a whole one has 1 to 5 mL"),
        ([0.1, 5], RIGHT, None),
        ([1, 5], np.s_[12:20, 5:20, 1:9], None),  # 0.96 mL that reach the edge
        ([0.1, 0.5], np.s_[12:20, 5:20, 1:9], "liver: the volume is 0.96 mL"),
    ],
)
def test_a_volume_of_no_whole_organ_is_noted_without_any_training_case(
    limits, where, words, tmp_path
):
    meta = {"original_affine": np.eye(4), "spatial_shape": np.array(SHAPE)}
    image = MetaTensor(torch.zeros(1, *SHAPE), affine=torch.eye(4), meta=meta)
    label = torch.zeros(1, *SHAPE)
    label[0][where] = 1
    check = CheckResultd(
        "pred",
        classes={"liver": [1]},
        weights=tmp_path / "none.pt",
        organ_ml={"liver": limits},
    )
    notes = read_notes(check({"case": "a", "image": image, "pred": label})["image"])
    assert [note[: len(words)] for note in notes] == [words] if words else not notes


@pytest.mark.parametrize(("size", "is_warned"), [(1, False), (4, True)])
def test_an_organ_that_lies_in_parts_is_noted_and_specks_are_not(size, is_warned, tmp_path):
    """Beside 960 voxels, one of 1 voxel is a speck, one of 16 is not."""
    meta = {"original_affine": np.eye(4), "spatial_shape": np.array(SHAPE)}
    image = MetaTensor(torch.zeros(1, *SHAPE), affine=torch.eye(4), meta=meta)
    label = torch.zeros(1, *SHAPE)
    label[0][RIGHT] = 1
    label[0, 2 : 2 + size, 22 : 22 + size, 4] = 1
    check = CheckResultd(
        "pred",
        classes={"liver": [1]},
        weights=tmp_path / "none.pt",
        organ_ml={"liver": [0.5, 5]},
    )
    notes = read_notes(check({"case": "a", "image": image, "pred": label})["image"])
    said = "liver: 0.016 of 0.976 mL lie apart from its largest part, and an organ is in one piece"
    assert notes == [said] * is_warned


def test_a_region_is_judged_with_those_within_it(weights):
    """As it was measured in training: the voxels of the tumour are of the liver, too."""
    meta = {"original_affine": np.eye(4), "spatial_shape": np.array(SHAPE)}
    image = MetaTensor(torch.zeros(1, *SHAPE), affine=torch.eye(4), meta=meta)
    label = torch.zeros(1, *SHAPE)
    label[0][RIGHT] = 1
    label[0][11:17, 6:19, 2:8] = 2
    classes = {"liver": [1, 2], "tumour": [2]}
    check = CheckResultd("pred", classes=classes, weights=weights, organ_ml={"liver": [0.9, 5]})
    assert read_notes(check({"case": "a", "image": image, "pred": label})["image"]) == []


def test_the_place_is_that_in_the_patient_whatever_way_the_file_lies(weights):
    """Stored from right to left, the same voxels lie at the other side."""
    turned = np.diag([-1.0, 1.0, 1.0, 1.0])
    assert checked(weights, np.s_[2:10, 5:20, 1:9], affine=turned) == []
    assert "patient's left in the image" in checked(weights, RIGHT, affine=turned)[0]


def test_the_volume_is_that_of_the_file(weights):
    large = np.diag([2.0, 1.0, 2.0, 1.0])  # 3.84 mL
    assert checked(weights, RIGHT, affine=large) == [
        "liver: the volume is 3.84 mL, in training it was 0.9 to 2.4 mL"
    ]


@pytest.mark.parametrize(("pieces", "is_warned"), [(1, False), (6, False), (7, True)])
def test_a_volume_in_more_pieces_than_three_times_those_of_a_slice_is_noted(
    pieces, is_warned, tmp_path
):
    weights = tmp_path / "slices.pt"
    weights.write_bytes(b"weights")
    ranges = {"share": [0.001, 0.3], "pieces": [1, 2]}
    write_trained_on(TrainedOn({}, 9, "CT", 2, {}, {"liver": ranges}), weights)
    notes = checked(weights, np.s_[4 : 4 + 2 * pieces : 2, 5:20, 1:9])
    assert (
        notes == [f"liver: the number of pieces is {pieces}, in training it was 1 to 2"] * is_warned
    )


def test_weights_without_ranges_check_nothing(tmp_path):
    assert checked(tmp_path / "other.pt", np.s_[:0]) == []


def test_ranges_of_other_weights_compare_nothing_and_every_output_says_so(weights):
    weights.write_bytes(b"other weights")
    assert checked(weights, np.s_[:0]) == []
    hu = np.random.default_rng(0).normal(40, 100, (1, *SHAPE))
    affine = np.diag([4.0, 4.0, 4.0, 1.0])  # 120 mm, trained on 25 to 35 mm
    meta = {"original_affine": affine, "spatial_shape": np.array(SHAPE)}
    image = MetaTensor(torch.from_numpy(hu), affine=torch.from_numpy(affine), meta=meta)
    checked_image = CheckImaged("image", modality="CT", weights=weights)({"image": image})["image"]
    [note] = read_notes(checked_image)
    assert note.startswith("model.trained_on.json was written for other weights than model.pt")


def test_an_image_is_compared_with_the_ranges_beside_the_weights(weights):
    hu = np.full((1, *SHAPE), -1000.0)
    hu[:, :, 5:] = np.random.default_rng(0).normal(40, 10, (20, 25, 10))
    for scale, refused in ((1.0, False), (4.0, True)):
        affine = np.diag([scale] * 3 + [1.0])
        meta = {"original_affine": affine, "spatial_shape": np.array(SHAPE)}
        image = MetaTensor(torch.from_numpy(hu), affine=torch.from_numpy(affine), meta=meta)
        found = CheckImaged("image", modality="CT", weights=weights).list_findings(image)
        assert found.refusals == [SIDE] * refused


def picture(side, step):
    """Waves from 40 to 200 that are so many pixels long."""
    row = 120 - 80 * np.cos((np.arange(side) + 0.5) * 2 * np.pi / step)
    return np.broadcast_to(row, (1, side, side)).copy()


def test_a_picture_like_no_training_case_is_refused_and_a_fitted_one_is_compared_as_fitted(
    tmp_path,
):
    """Trained on 256 pixels: one of 512 shows all at twice the size, until it is fitted."""
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"weights")
    cases = [measure_appearance(picture(256, 48))] * 50
    trained = TrainedOn({}, 50, "picture", 2, {"longest_px": [256, 256]}, appearance=cases)
    write_trained_on(trained, weights)
    fit = Resized("image", spatial_size=(256, 256), mode="area")
    for step, fitted, is_refused in ((96, fit, False), (96, None, True), (24, fit, True)):
        image = MetaTensor(torch.from_numpy(picture(512, step)))
        check = CheckImaged("image", modality="picture", weights=weights, fit=fitted)
        found = check.list_findings(image)
        assert bool(found.refusals) == is_refused
        assert image.shape == (1, 512, 512)
        assert not found.warnings
    assert "does not look like any of the 50 images" in found.refusals[0]
