"""Tests of medseg.inference.outputs.picture: the label map fits its picture pixel by pixel."""

import numpy as np
import pytest
import SimpleITK
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.transforms import (
    Compose,
    EnsureChannelFirstd,
    Invertd,
    LoadImage,
    LoadImaged,
    Resized,
    ScaleIntensityRanged,
)
from PIL import Image

from medseg.inference import WritePictureLabeld, WritePicturePreviewd
from medseg.inference.outputs.picture import write_picture_label
from medseg.ingest.pictures.load import PictureReader
from medseg.transforms import LabelFromLogitsd

SHAPE = (6, 9)
TRUTH = np.random.default_rng(0).random(SHAPE) > 0.5


def segment(picture, out, *, extra=()):
    """Run the transforms of the bundle around a network that finds what is bright in red."""
    scale = ScaleIntensityRanged("image", a_min=0, a_max=255, b_min=0, b_max=1, clip=True)
    read = LoadImaged("image", reader=PictureReader(colour=True))
    before = Compose([read, EnsureChannelFirstd("image"), scale, *extra])
    after = Compose(
        [
            Invertd("pred", before, orig_keys="image", nearest_interp=False),
            LabelFromLogitsd("pred"),
            WritePictureLabeld("pred", out),
            WritePicturePreviewd("pred", out, classes=["bright"]),
        ]
    )
    data = Dataset([{"case": "a", "image": str(picture)}], before)
    SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(data, batch_size=1),
        network=torch.nn.Identity(),
        inferer=lambda image, _: image[:, :1] - 0.5,
        postprocessing=after,
    ).run()
    return out / "a_label.png"


def read_with_simpleitk(path):
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


@pytest.fixture
def picture(tmp_path):
    """Red where `TRUTH`, blue elsewhere."""
    rgb = np.zeros((*SHAPE, 3), np.uint8)
    rgb[TRUTH, 0] = rgb[~TRUTH, 2] = 255
    Image.fromarray(rgb).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_the_label_map_is_8_bit_grey_and_holds_the_class_of_every_pixel(picture, tmp_path):
    written = Image.open(segment(picture, tmp_path / "out"))
    assert (written.mode, written.size) == ("L", (9, 6))
    np.testing.assert_array_equal(np.asarray(written), TRUTH)


def test_other_readers_get_the_class_of_every_pixel(picture, tmp_path):
    """Of a PNG with a palette SimpleITK gives colours."""
    path = segment(picture, tmp_path / "out")
    for read in (read_with_simpleitk(path), LoadImage()(path).T.numpy()):
        np.testing.assert_array_equal(read, TRUTH)


def test_our_own_reader_accepts_what_is_written(picture, tmp_path):
    path = segment(picture, tmp_path / "out")
    label, _ = PictureReader(labels=[0, 1]).get_data([path])
    np.testing.assert_array_equal(label, TRUTH)


def test_a_resized_picture_gets_a_label_map_of_its_own_size(picture, tmp_path):
    double = Resized("image", spatial_size=(12, 18), mode="nearest")
    written = Image.open(segment(picture, tmp_path / "out", extra=[double]))
    assert written.size == (9, 6)


def test_only_finished_files_are_left_in_the_folder(picture, tmp_path):
    segment(picture, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "a_label.png"]


def test_a_write_that_fails_leaves_the_label_map_before_it(tmp_path, monkeypatch):
    path = tmp_path / "a_label.png"
    write_picture_label(torch.ones(1, *SHAPE), path, shape=SHAPE)
    before = path.read_bytes()

    def full(image, target, **_):
        target.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="no space left"):
        write_picture_label(torch.zeros(1, *SHAPE), path, shape=SHAPE)
    assert [p.name for p in tmp_path.iterdir()] == ["a_label.png"]
    assert path.read_bytes() == before


def test_a_label_map_of_another_size_is_refused(tmp_path):
    words = r"a_label\.png has shape \(6, 9\) and its picture \(9, 6\): invert the spatial"
    with pytest.raises(ValueError, match=words):
        write_picture_label(torch.zeros(1, *SHAPE), tmp_path / "a_label.png", shape=SHAPE[::-1])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [256, -1, 0.5, float("nan")])
def test_values_that_are_no_class_index_are_refused(tmp_path, value):
    with pytest.raises(ValueError, match="write class indices of 0 to 255"):
        write_picture_label(torch.full((1, 2, 2), value), tmp_path / "a.png", shape=(2, 2))
    assert not list(tmp_path.iterdir())


def test_every_class_index_is_written_as_it_is(tmp_path):
    label = torch.arange(256).reshape(1, 16, 16)
    write_picture_label(label, tmp_path / "a.png", shape=(16, 16))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), label[0].numpy())
