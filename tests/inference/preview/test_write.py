"""Tests of medseg.inference.preview.write: what is drawn is what was written."""

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    LoadImaged,
    Orientationd,
    Resized,
    ScaleIntensityRanged,
    Spacingd,
)
from PIL import Image
from scipy import ndimage

from medseg.inference import (
    RestoreLabeld,
    WriteLabelMapd,
    WritePictureLabeld,
    WritePicturePreviewd,
    WritePreviewd,
)
from medseg.inference.outputs.notes import FACTS, FOUND, add_notes
from medseg.inference.preview.page import list_texts
from medseg.inference.preview.write import measure_limits
from medseg.ingest import IngestError
from medseg.ingest.pictures.load import PictureReader
from medseg.ingest.reader import VolumeReader
from medseg.labels import BRIGHT_COLOURS
from medseg.transforms import LabelInstancesd

SHAPE = (40, 33, 21)
TURN = np.array([[0.96, -0.28, 0, 0], [0.28, 0.96, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
RAS = np.array([[1.5, 0, 0, -20], [0, 2, 0, 31.5], [0, 0, 5, -400], [0, 0, 0, 1]])
GRIDS = {
    "RAS": RAS,
    "LPS": RAS @ np.diag([-1.0, -1, 1, 1]),
    "oblique": TURN @ RAS @ np.diag([-1.0, -1, 1, 1]),
    "axes in another order": RAS[:, [2, 0, 1, 3]],
}
CHANGES = {
    "as it is": [],
    "coarser": [Resized("image", spatial_size=(16, 16, -1), mode="area")],
    "spaced": [Spacingd("image", pixdim=(2.2, 2.2, 3.3), mode="bilinear")],
    "windowed": [ScaleIntensityRanged("image", 0.4, 0.5, 0, 1, clip=True)],
}


def save(array, matrix, path):
    image = nib.Nifti1Image(array, matrix)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)
    return str(path)


def pictures_of(page):
    return [p.content for p in page.parts if isinstance(p.content, Image.Image)]


def case_of(path, *changes):
    """A case as the network sees it, with a label map of what is brighter than the average."""
    read = [LoadImaged("image", reader=VolumeReader()), EnsureChannelFirstd("image")]
    turn = Orientationd("image", axcodes="RAS", labels=None)
    data = Compose([*read, turn, *changes])({"case": "a", "image": path})
    data["pred"] = (data["image"] - data["image"].mean()).as_tensor()
    return RestoreLabeld("pred")(data)


@pytest.fixture
def noise(tmp_path):
    values = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    return lambda matrix: save(
        ndimage.gaussian_filter(values, 2), matrix, tmp_path / "image.nii.gz"
    )


@pytest.mark.parametrize("matrix", GRIDS.values(), ids=GRIDS.keys())
@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_the_volume_in_the_preview_is_that_of_the_file_that_is_written(
    tmp_path, matrix, changes, captions, noise
):
    """Whatever grid the network saw: the file's voxels times the determinant of its affine."""
    case = case_of(noise(matrix), *changes)
    add_notes(case["image"], ["it is noise"])
    label_map = WriteLabelMapd("pred", tmp_path)
    told = WritePreviewd("pred", tmp_path, classes=["bright"], first=label_map)(case)
    said, facts = told[FOUND], told[FACTS]
    written = nib.load(tmp_path / "a.nii.gz")
    count = np.count_nonzero(np.asarray(written.dataobj))
    ml = count * abs(np.linalg.det(written.affine[:3, :3])) / 1000
    assert ml > 10
    assert f"bright {ml:.1f} mL" in captions()
    assert said == [f"bright {ml:.1f} mL"]
    assert facts.pop("volumes_ml") == {"bright": pytest.approx(ml, abs=1e-4)}
    assert facts == {"mask": "a.nii.gz", "preview": "a.png", "warnings": ["it is noise"]}


@pytest.mark.parametrize("matrix", GRIDS.values(), ids=GRIDS.keys())
@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_the_image_in_the_preview_is_that_of_the_file_whatever_the_network_saw(
    tmp_path, matrix, changes, pages, noise
):
    path = noise(matrix)
    for name, transforms in (("plain", []), ("changed", changes)):
        case = case_of(path, *transforms)
        case["pred"] = MetaTensor(torch.zeros(1, *SHAPE), affine=torch.from_numpy(matrix))
        WritePreviewd("pred", tmp_path / name, classes=["bright"])(case)
    for first, second in zip(*map(pictures_of, pages), strict=True):
        np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


def test_a_preview_shows_the_same_of_an_image_in_lps_and_in_ras(tmp_path, pages):
    values = np.zeros((6, 5, 4), np.float32)
    values[4:, 1:3, 1:3] = 1.0  # at the patient's right
    turned = RAS @ np.array([[-1, 0, 0, 5], [0, -1, 0, 4], [0, 0, 1, 0], [0, 0, 0, 1]])
    for stored, matrix in ((values, RAS), (values[::-1, ::-1], turned)):
        path = save(stored, matrix, tmp_path / "image.nii")
        WritePreviewd("pred", tmp_path, classes=["bright"])(case_of(path))
    for first, second in zip(*map(pictures_of, pages), strict=True):
        np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": [0.4, 0.5], "modality": "CT"}, "window 0.4 to 0.5 HU (W 0.1, L 0.45)"),
        ({"percentiles": [0, 100]}, "(percentiles 0 to 100 of the image)"),
        ({}, "(all values of the image)"),
    ],
)
def test_the_preview_states_case_bundle_and_window(tmp_path, captions, noise, options, words):
    write = WritePreviewd("pred", tmp_path, classes=["a"], made_by="liver 0.3.1", **options)
    write(case_of(noise(RAS)))
    name, made, grid, window = captions()[:4]
    assert name == "a"
    assert made.startswith("liver 0.3.1 · 20")
    assert grid == "40 x 33 x 21 voxels of 1.5 x 2 x 5 mm"
    assert words in window


def test_the_patient_is_named_by_the_name_of_the_output_file_alone(tmp_path, captions, noise):
    """Neither the path of the image nor anything of its header is shown."""
    case = case_of(noise(RAS)) | {"case": "p17"}
    case["image"].meta["PatientName"] = "Doe"
    WritePreviewd("pred", tmp_path, classes=["a"])(case)
    assert captions()[0] == "p17"
    assert not any("Doe" in text or "image.nii" in text for text in captions())


@pytest.mark.parametrize(
    ("options", "limits"),
    [({"window": [-7, 9]}, (-7, 9)), ({"percentiles": [0, 50]}, (-4, 0)), ({}, (-4, 9))],
)
def test_a_window_or_percentiles_become_black_and_white(options, limits):
    write = WritePreviewd("pred", "out", classes=["liver"], **options)
    image = np.array([-4.0, -2.0, 0.0, 7.0, 9.0])
    assert measure_limits(image, window=write.window, percentiles=write.percentiles) == limits


@pytest.mark.parametrize("percentiles", [[1], [99, 1], [-1, 99], [1, 101]])
def test_percentiles_out_of_range_are_refused(percentiles, tmp_path):
    with pytest.raises(ValueError, match="two increasing numbers from 0 to 100, got"):
        WritePreviewd("pred", tmp_path, classes=["liver"], percentiles=percentiles)


def test_a_window_beside_percentiles_and_one_that_falls_are_refused(tmp_path):
    options = {"window": [0, 1], "percentiles": [1, 99]}
    with pytest.raises(ValueError, match="not both: set preview_window or preview_percentiles"):
        WritePreviewd("pred", tmp_path, classes=["liver"], **options)
    with pytest.raises(ValueError, match="low end below its high end"):
        WritePreviewd("pred", tmp_path, classes=["liver"], window=[240, -160])


def test_a_preview_of_labels_on_the_networks_grid_is_refused(tmp_path, noise):
    case = case_of(noise(RAS))
    case["pred"] = MetaTensor(torch.zeros(1, 3, 5, 4), affine=torch.from_numpy(RAS))
    with pytest.raises(ValueError, match=r"a\.png is not on the source grid"):
        WritePreviewd("pred", tmp_path / "out", classes=["liver"])(case)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_another_image_by_now_is_refused(tmp_path, noise):
    case = case_of(noise(RAS))
    save(np.zeros((4, 5, 6), np.float32), RAS, tmp_path / "image.nii.gz")
    with pytest.raises(ValueError, match=r"image\.nii\.gz has the shape \(4, 5, 6\) and had"):
        WritePreviewd("pred", tmp_path / "out", classes=["liver"])(case)
    assert not (tmp_path / "out").exists()


def test_the_label_map_takes_its_place_before_the_preview_and_after_it_is_drawn(tmp_path, noise):
    seen = []

    class Note:
        def __call__(self, data):
            seen.extend(path.name for path in (tmp_path / "out").rglob("*.png"))
            assert not (tmp_path / "out" / "a.png").exists()
            WriteLabelMapd("pred", tmp_path / "out")(data)

    WritePreviewd("pred", tmp_path / "out", classes=["liver"], first=Note())(case_of(noise(RAS)))
    assert len(seen) == 1  # the drawn preview, in its folder beside its place
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.nii.gz", "a.png"]


def test_a_label_map_that_cannot_be_written_leaves_no_preview(tmp_path, noise):
    def fail(data):
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        WritePreviewd("pred", tmp_path / "out", classes=["liver"], first=fail)(case_of(noise(RAS)))
    assert not list((tmp_path / "out").iterdir())


def test_a_preview_that_cannot_be_drawn_leaves_no_label_map(tmp_path, noise):
    case = case_of(noise(RAS))
    (tmp_path / "image.nii.gz").unlink()
    write = WriteLabelMapd("pred", tmp_path / "out")
    with pytest.raises(IngestError, match="no such file"):
        WritePreviewd("pred", tmp_path / "out", classes=["liver"], first=write)(case)
    assert not (tmp_path / "out").exists()


# ---- pictures


def picture_case(tmp_path, pixels, *changes, colour=False):
    """A picture as the network sees it, with an empty label map."""
    Image.fromarray(pixels).save(tmp_path / "a.png")
    read = LoadImaged("image", reader=PictureReader(colour=colour))
    data = {"case": "a", "image": str(tmp_path / "a.png")}
    data = Compose([read, EnsureChannelFirstd("image"), *changes])(data)
    return {**data, "pred": torch.zeros(1, *pixels.shape[:2])}


def test_a_picture_is_shown_in_colour_with_the_class_on_top(tmp_path, pages):
    rgb = np.zeros((6, 9, 3), np.uint8)
    rgb[..., 2] = 255
    case = picture_case(tmp_path, rgb, colour=True)
    case["pred"][:, 2:4, 2:4] = 1
    label = WritePictureLabeld("pred", tmp_path / "out")
    told = WritePicturePreviewd("pred", tmp_path / "out", classes=["bright"], first=label)(case)
    assert told[FOUND] == ["bright 4 pixels, 7.4 %"]  # of 54
    assert told[FACTS] == {
        "mask": "a_label.png",
        "preview": "a.png",
        "areas_pixels": {"bright": 4},
        "warnings": [],
    }
    shown = np.asarray(pictures_of(pages[0])[0])
    assert (shown == BRIGHT_COLOURS[0]).all(axis=-1).any()
    assert shown[0, 0].tolist() == [0, 0, 255]
    assert Image.open(tmp_path / "out" / "a.png").width > 1024


def test_a_picture_is_shown_as_its_file_has_it_whatever_size_the_network_saw(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9), np.uint8)
    double = Resized("image", spatial_size=(12, 18), mode="nearest")
    files = []
    for name, changes in (("plain", []), ("resized", [double])):
        case = picture_case(tmp_path, pixels, *changes)
        WritePicturePreviewd("pred", tmp_path / name, classes=["bright"])(case)
        files.append((tmp_path / name / "a.png").read_bytes())
    assert files[0] == files[1]


def test_a_grey_picture_of_16_bits_is_drawn_from_dark_to_bright(tmp_path, pages):
    grey = np.linspace(2000, 9000, 600).reshape(20, 30).astype(np.uint16)
    case = picture_case(tmp_path, grey)
    WritePicturePreviewd("pred", tmp_path / "out", classes=["bright"])(case)
    shown = np.asarray(pictures_of(pages[0])[0].convert("L"))
    assert (shown.min(), shown.max()) == (0, 255)
    assert np.ptp(shown[100:300, 600]) > 20


@pytest.mark.parametrize("colour", [False, True])
def test_a_dark_picture_is_drawn_bright(tmp_path, pages, captions, colour):
    dark = np.zeros((20, 30, 3), np.uint8)
    dark[5:15, :, 1], dark[:, 0, 1] = 20, 10
    case = picture_case(tmp_path, dark if colour else dark[..., 1].copy(), colour=colour)
    write = WritePicturePreviewd("pred", tmp_path / "out", classes=["bright"], made_by="b 1")
    write(case)
    shown = pictures_of(pages[0])[0].convert("RGB")
    assert shown.getpixel((600, 380)) == ((0, 255, 0) if colour else (255, 255, 255))
    assert 120 < shown.getpixel((1, 60))[1] < 136  # half as bright
    assert "values from 0 (black) to 20 (white), orientation as in the file" in captions()
    assert captions()[0] == "a"
    assert captions()[1].startswith("b 1 · 20")


def test_the_objects_of_a_picture_are_those_of_the_case_or_else_are_numbered(tmp_path, pages):
    case = picture_case(tmp_path, np.zeros((6, 9), np.uint8))
    case["pred"][:, :2, :6] = case["pred"][:, 4, 4] = 1
    numbered = case["pred"].int()
    numbered[:, :2, 3:6], numbered[:, 4, 4] = 2, 3
    number = LabelInstancesd("pred", keep=True)
    write = WritePicturePreviewd("pred", tmp_path / "out", classes=["bright"], objects=number)
    for given in (case, {**case, "instances": numbered}):
        write(given)
    counted = [text for page in pages for text in list_texts(page) if "bright" in text]
    assert counted == [f"bright 13 pixels, 24.1 %, {n} objects" for n in (2, 3)]
