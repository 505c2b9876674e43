"""Tests of medseg.ingest.picture: a grey picture comes as stored, any other file is refused."""

from __future__ import annotations

import numpy as np
import pytest
from monai.data import CacheDataset
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
from PIL import Image

from medseg.errors import root_cause
from medseg.ingest import IngestError, Reason
from medseg.ingest.picture import PictureReader
from medseg.ingest.reader import SameGridd

READER = "medseg.ingest.picture.PictureReader"
GREY = np.arange(24, dtype=np.uint8).reshape(4, 6)


def save(array, path, **options):
    Image.fromarray(array).save(path, **options)
    return path


def noise(shape=(64, 48)):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def refusal(path, reader=None):
    reader = reader or PictureReader()
    with pytest.raises(IngestError) as caught:
        LoadImaged("image", reader=reader)({"image": path})
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".pgm"])
def test_axes_are_row_and_column_of_the_file(tmp_path, suffix):
    array, meta = PictureReader().get_data([save(GREY, tmp_path / f"a{suffix}")])
    np.testing.assert_array_equal(array, GREY)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(meta["affine"], np.eye(4))
    assert tuple(meta["spatial_shape"]) == (4, 6)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_values_are_kept(tmp_path, suffix):
    wide = GREY.astype(np.uint16) * 2500
    array, _ = PictureReader().get_data([save(wide, tmp_path / f"a{suffix}")])
    np.testing.assert_array_equal(array, wide)
    assert array.dtype.kind in "iu"
    assert array.dtype.isnative


def test_a_jpeg_is_read(tmp_path):
    array, _ = PictureReader().get_data([save(GREY, tmp_path / "a.jpg", quality=100)])
    np.testing.assert_allclose(array.astype(int), GREY, atol=2)


def test_the_reader_agrees_with_monais_own(tmp_path):
    case = {"image": save(GREY, tmp_path / "a.png")}
    theirs = LoadImaged("image", reader="PILReader", reverse_indexing=False)(case)["image"]
    ours = LoadImaged("image", reader=READER)(case)["image"]
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    np.testing.assert_array_equal(ours.affine, theirs.affine)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_cut_file_is_refused(tmp_path, suffix, share):
    path = save(noise(), tmp_path / f"a{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert refusal(path) in (Reason.TRUNCATED, Reason.UNREADABLE)


def test_a_png_cut_anywhere_is_refused(tmp_path):
    path = save(noise((8, 8)), tmp_path / "a.png")
    content = path.read_bytes()
    for size in range(len(content) - 12):
        path.write_bytes(content[:size])
        assert refusal(path) in (Reason.TRUNCATED, Reason.UNREADABLE)


def test_a_flipped_bit_in_a_png_is_noticed(tmp_path):
    path = save(noise(), tmp_path / "a.png")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert refusal(path) is Reason.TRUNCATED


def test_what_is_no_picture_is_unreadable(tmp_path):
    (tmp_path / "a.png").write_text("text")
    assert refusal(tmp_path / "a.png") is Reason.UNREADABLE
    with pytest.raises(IngestError, match=r"no such file: b\.png"):
        PictureReader().get_data(PictureReader().read("b.png"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_colour_is_refused_even_where_it_looks_grey(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    Image.fromarray(GREY).convert(mode).save(path)
    assert refusal(path) is Reason.COLOUR


@pytest.mark.parametrize("mode", ["1", "F"])
def test_bilevel_and_float_pictures_are_refused(tmp_path, mode):
    path = tmp_path / "a.tif"
    Image.fromarray(GREY).convert(mode).save(path)
    assert refusal(path) is Reason.PIXEL_FORMAT


@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif"])
def test_several_frames_are_refused(tmp_path, suffix):
    frames = [Image.fromarray(noise() // (k + 1)) for k in range(2)]
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:])
    assert refusal(tmp_path / f"a{suffix}") is Reason.MULTI_FRAME


def test_labels_stay_integers_and_others_are_refused(tmp_path):
    mask = (GREY > 9).astype(np.uint8) * 255
    reader = PictureReader(labels=[0, 255])
    array, _ = reader.get_data([save(mask, tmp_path / "mask.png")])
    np.testing.assert_array_equal(array, mask)
    assert array.dtype == np.uint8
    mask[0, 0] = 200
    path = save(mask, tmp_path / "mask.png")
    assert refusal(path, reader) is Reason.UNDECLARED_LABELS


def test_several_pictures_of_one_shape_become_channels(tmp_path):
    paths = [save(GREY + k, tmp_path / f"{k}.png") for k in range(3)]
    loaded = LoadImaged("image", reader=READER, ensure_channel_first=True)({"image": paths})
    np.testing.assert_array_equal(loaded["image"].numpy(), [GREY, GREY + 1, GREY + 2])
    paths.append(save(GREY.T, tmp_path / "t.png"))
    with pytest.raises(IngestError, match=r"0\.png has shape \(4, 6\) and .*t\.png \(6, 4\)"):
        LoadImaged("image", reader=READER)({"image": paths})


@pytest.mark.parametrize("channel_first", [True, False])
def test_a_mask_of_another_size_is_refused_by_file(tmp_path, channel_first):
    case = {"image": save(GREY, tmp_path / "a.png"), "label": save(GREY.T, tmp_path / "b.png")}
    loader = LoadImaged(case.keys(), reader=READER, ensure_channel_first=channel_first)
    words = r"a\.png and .*b\.png lie on different grids, shape \(4, 6, 1\) against \(6, 4, 1\)"
    with pytest.raises(IngestError, match=words):
        SameGridd(case.keys())(loader(case))
    case["label"] = case["image"]
    SameGridd(case.keys())(loader(case))


def test_a_bad_mask_stops_a_cache_from_being_built_with_one_line(tmp_path):
    cases = [
        {"image": save(GREY, tmp_path / f"{k}.png"), "label": save(GREY, tmp_path / f"m{k}.png")}
        for k in range(3)
    ]
    load = Compose(
        [
            LoadImaged("image", reader=READER),
            LoadImaged("label", reader=PictureReader(labels=range(23))),
            EnsureChannelFirstd(["image", "label"]),
        ]
    )
    with pytest.raises(RuntimeError) as caught:
        CacheDataset(cases, load, progress=False)
    cause = root_cause(caught.value)
    assert isinstance(cause, IngestError)
    assert "holds 23 (1 voxels), outside the declared" in str(cause)


def test_verify_suffix_takes_pictures_only():
    assert PictureReader().verify_suffix(["a.png", "b.JPG", "c.tiff"])
    assert not PictureReader().verify_suffix("a.nii.gz")
