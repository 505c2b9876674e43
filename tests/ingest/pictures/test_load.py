"""Tests of medseg.ingest.pictures.load: a picture comes as stored, any other file is refused."""

from __future__ import annotations

import numpy as np
import pytest
from monai.data import CacheDataset
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
from PIL import Image

from medseg.base.errors import find_root_cause
from medseg.ingest import IngestError, Reason
from medseg.ingest.pictures.load import PictureReader
from medseg.ingest.reader import SameGridd

READER = "medseg.ingest.pictures.load.PictureReader"
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
    cause = find_root_cause(caught.value)
    assert isinstance(cause, IngestError)
    assert "holds 23 (1 voxels), outside the declared" in str(cause)


def test_verify_suffix_takes_pictures_only():
    assert PictureReader().verify_suffix(["a.png", "b.JPG", "c.tiff"])
    assert not PictureReader().verify_suffix("a.nii.gz")


# ---- colour


RGB = np.stack([GREY, GREY + 50, GREY + 100], axis=-1)  # (rows, columns, channels)
COLOUR = PictureReader(colour=True)


def in_colour(path):
    array, meta = COLOUR.get_data([path])
    assert tuple(meta["spatial_shape"]) == GREY.shape
    assert meta["original_channel_dim"] == 0
    np.testing.assert_array_equal(meta["affine"], np.eye(4))
    return array


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_red_green_and_blue_become_the_first_axis(tmp_path, suffix):
    array = in_colour(save(RGB, tmp_path / f"a{suffix}"))
    np.testing.assert_array_equal(array, np.moveaxis(RGB, -1, 0))
    assert array.dtype == np.uint8


def test_a_colour_jpeg_is_read(tmp_path):
    path = save(RGB, tmp_path / "a.jpg", quality=100, subsampling=0)
    np.testing.assert_allclose(in_colour(path).astype(int), np.moveaxis(RGB, -1, 0), atol=4)


def test_a_grey_picture_has_three_equal_channels(tmp_path):
    np.testing.assert_array_equal(in_colour(save(GREY, tmp_path / "a.png")), [GREY] * 3)


def test_an_opaque_alpha_channel_is_left_out(tmp_path):
    for mode, expected in (("RGBA", np.moveaxis(RGB, -1, 0)), ("LA", [GREY] * 3)):
        source = RGB if mode == "RGBA" else GREY
        Image.fromarray(source).convert(mode).save(tmp_path / "a.png")
        np.testing.assert_array_equal(in_colour(tmp_path / "a.png"), expected)


def test_one_transparent_pixel_is_refused_and_counted(tmp_path):
    rgba = np.dstack([RGB, np.full(GREY.shape, 255, np.uint8)])
    rgba[2, 3, 3] = 254
    path = save(rgba, tmp_path / "a.png")
    assert refusal(path, COLOUR) is Reason.PIXEL_FORMAT
    with pytest.raises(IngestError, match=r"1 pixels of .*a\.png are transparent: store"):
        COLOUR.get_data([path])


def test_a_palette_gives_the_colours_it_stands_for(tmp_path):
    picture = Image.fromarray((GREY > 9).astype(np.uint8))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.save(tmp_path / "a.png")
    expected = np.where(GREY > 9, np.reshape([200, 100, 50], (3, 1, 1)), [[[10]], [[20]], [[30]]])
    np.testing.assert_array_equal(in_colour(tmp_path / "a.png"), expected)
    picture.save(tmp_path / "clear.png", transparency=0)
    assert refusal(tmp_path / "clear.png", COLOUR) is Reason.PIXEL_FORMAT


@pytest.mark.parametrize("kind", ["16 bit", "CMYK", "1", "F"])
def test_what_is_not_8_bit_colour_is_refused_and_not_scaled(tmp_path, kind):
    path = tmp_path / "a.tif"
    if kind == "16 bit":
        save(GREY.astype(np.uint16) * 2500, path)
    else:
        Image.fromarray(GREY).convert(kind).save(path)
    assert refusal(path, COLOUR) is Reason.PIXEL_FORMAT


def test_a_cut_colour_picture_is_refused(tmp_path):
    path = save(noise((64, 48, 3)), tmp_path / "a.png")
    path.write_bytes(path.read_bytes()[:3000])
    assert refusal(path, COLOUR) is Reason.TRUNCATED


def test_several_colour_pictures_for_one_case_are_refused(tmp_path):
    paths = [save(RGB, tmp_path / f"{k}.png") for k in range(2)]
    with pytest.raises(ValueError, match="one colour picture, got 2: give one path"):
        COLOUR.get_data(paths)


def test_load_imaged_adds_no_axis_to_the_channels_of_a_colour_picture(tmp_path):
    case = {"image": save(RGB, tmp_path / "a.png"), "label": save(GREY, tmp_path / "m.png")}
    read = Compose(
        [
            LoadImaged("image", reader=COLOUR),
            LoadImaged("label", reader=PictureReader(labels=range(24))),
            EnsureChannelFirstd(["image", "label"]),
            SameGridd(["image", "label"]),
        ]
    )
    loaded = read(case)
    assert tuple(loaded["image"].shape) == (3, 4, 6)
    assert tuple(loaded["label"].shape) == (1, 4, 6)


def test_a_picture_of_more_pixels_than_are_decoded_is_refused(tmp_path, monkeypatch):
    path = save(noise((9, 9)), tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)  # Pillow refuses twice as many
    for reader in (PictureReader(), COLOUR):
        assert refusal(path, reader) is Reason.UNREADABLE
    with pytest.raises(IngestError, match=r"bomb\.png claims more pixels than are decoded \(80\)"):
        COLOUR.get_data([path])


# ---- what a file of its size cannot hold


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_an_empty_mask_of_any_format_is_read(tmp_path, suffix):
    """The most that a compressor can do is still believed."""
    best = {".tif": {"compression": "tiff_adobe_deflate"}, ".jpg": {"progressive": True}}
    empty = np.zeros((3000, 2000), np.uint8)
    path = save(empty, tmp_path / f"a{suffix}", **best.get(suffix, {}))
    array, _ = PictureReader().get_data([path])
    assert array.shape == (3000, 2000)
    assert not array.any()


def test_a_header_that_claims_what_the_file_cannot_hold_is_refused_undecoded(tmp_path, monkeypatch):
    path = save(noise((8, 8, 3)), tmp_path / "a.bmp")
    content = bytearray(path.read_bytes())
    content[18:26] = np.array([9000, 9000], "<i4").tobytes()  # width and height of a BMP
    path.write_bytes(content)
    monkeypatch.setattr(Image.Image, "verify", lambda _: pytest.fail("went on"))
    with pytest.raises(IngestError, match=r"claims 9000x9000 pixels in 246 bytes") as caught:
        COLOUR.get_data([path])
    assert caught.value.code is Reason.UNREADABLE


def test_pages_of_a_tiff_are_counted_no_farther_than_it_takes(tmp_path, monkeypatch):
    """A directory of 18 bytes stands for a page, and reading 100,000 takes minutes."""
    path = tmp_path / "pages.tif"
    page = Image.new("L", (4, 4))
    page.save(path, save_all=True, append_images=[page] * 150)
    with pytest.raises(IngestError, match=r"^100 frames in") as caught:
        PictureReader().get_data([path])
    assert caught.value.code is Reason.MULTI_FRAME
