"""Tests of medseg.ingest.dicom.photograph: a DICOM photograph has the colours that were written."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from ingest.dicom_writer import make_series
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
from PIL import Image
from pydicom import Dataset, uid
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate

from medseg.ingest import IngestError, Reason
from medseg.ingest.dicom.photograph import LARGEST_PIXELS, PHOTOGRAPHS, read_colour
from medseg.ingest.pictures.load import PictureReader

NAMED = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "skin": (224, 172, 105),
    "grey": (90, 90, 90),
    "mucosa": (180, 60, 70),
}
ROW = np.array(list(NAMED.values()), dtype=np.uint8)
RGB = np.repeat(np.stack([ROW, ROW[::-1]]), 2, axis=1)  # (2, 16, 3), pairs of equal columns
FIRST = np.moveaxis(RGB, -1, 0)  # what is to be read
GREY = np.arange(32, dtype=np.uint8).reshape(4, 8)


def photograph(pixels, photometric="RGB", *, sop_class=uid.VLEndoscopicImageStorage, **elements):
    """An uncompressed photograph of `pixels`: (rows, columns, samples), or (rows, columns)."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid.generate_uid()
    dataset.PatientName, dataset.PatientID, dataset.Modality = "Secret^Name", "secret-id", "ES"
    dataset.SamplesPerPixel = 1 if pixels.ndim == 2 else pixels.shape[2]
    if dataset.SamplesPerPixel > 1:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    bits = pixels.dtype.itemsize * 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit, dataset.PixelRepresentation = bits - 1, 0
    data = np.ascontiguousarray(pixels).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if bits == 16 else "OB"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def compressed(frame, photometric, syntax, **elements):
    """A photograph that holds an encoded frame of the size of `RGB`."""
    dataset = photograph(RGB, photometric, **elements)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    return dataset


def encoded(pixels, kind, **options):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def saved(dataset, tmp_path, name="still.dcm"):
    dataset.save_as(tmp_path / name, enforce_file_format=True)
    return tmp_path / name


def read(dataset, tmp_path):
    array = read_colour(saved(dataset, tmp_path))
    assert array.dtype == np.uint8
    return array


def refusal(dataset, tmp_path, words=None):
    path = saved(dataset, tmp_path)
    with pytest.raises(IngestError, match=words) as caught:
        read_colour(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "ecret" not in str(caught.value)
    return caught.value.code


def to_ybr(rgb):
    """The equations of PS3.3 C.7.6.3.1.2 for YBR_FULL, rounded."""
    red, green, blue = np.moveaxis(rgb.astype(float), -1, 0)
    ybr = [
        0.2990 * red + 0.5870 * green + 0.1140 * blue,
        -0.1687 * red - 0.3313 * green + 0.5000 * blue + 128,
        0.5000 * red - 0.4187 * green - 0.0813 * blue + 128,
    ]
    return np.clip(np.rint(np.stack(ybr, axis=-1)), 0, 255).astype(np.uint8)


# ---- what is read


@pytest.mark.parametrize("sop_class", PHOTOGRAPHS)
def test_red_green_and_blue_are_the_first_axis(sop_class, tmp_path):
    np.testing.assert_array_equal(read(photograph(RGB, sop_class=sop_class), tmp_path), FIRST)


@pytest.mark.parametrize(
    "syntax",
    [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian],
)
def test_every_uncompressed_syntax_gives_the_same_colours(syntax, tmp_path):
    dataset = photograph(RGB)
    dataset.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(read(dataset, tmp_path), FIRST)


def test_colour_by_plane_gives_the_same_as_colour_by_pixel(tmp_path):
    dataset = photograph(RGB, PlanarConfiguration=1, PixelData=FIRST.tobytes())
    np.testing.assert_array_equal(read(dataset, tmp_path), FIRST)


@pytest.mark.parametrize("planar", [0, 1])
def test_luminance_and_chrominance_become_colours_again(planar, tmp_path):
    """Rounding to whole Y, Cb and Cr moves a colour by at most 1.4 * 0.5 + 0.5 + 0.5 < 2."""
    ybr = to_ybr(RGB)
    data = ybr if planar == 0 else np.moveaxis(ybr, -1, 0)
    dataset = photograph(RGB, "YBR_FULL", PlanarConfiguration=planar, PixelData=data.tobytes())
    np.testing.assert_allclose(read(dataset, tmp_path).astype(int), FIRST, atol=2)


def test_halved_chrominance_is_shared_by_two_pixels(tmp_path):
    """Y1 Y2 Cb Cr for two neighbours (PS3.3 C.7.6.3.1.2); here the two are of equal colour."""
    ybr = to_ybr(RGB)
    pairs = ybr.reshape(-1, 2, 3)
    data = np.column_stack([pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2]])
    dataset = photograph(RGB, "YBR_FULL_422", PixelData=data.astype(np.uint8).tobytes())
    np.testing.assert_allclose(read(dataset, tmp_path).astype(int), FIRST, atol=2)


@pytest.mark.parametrize(
    ("photometric", "syntax"),
    [("YBR_FULL_422", uid.JPEGBaseline8Bit), ("YBR_FULL", uid.JPEGBaseline8Bit)],
)
@pytest.mark.parametrize("subsampling", [0, 1])
def test_a_jpeg_has_the_colours_that_pillow_decodes(photometric, syntax, subsampling, tmp_path):
    frame = encoded(RGB, "JPEG", quality=95, subsampling=subsampling)
    expected = np.moveaxis(np.asarray(Image.open(BytesIO(frame))), -1, 0).astype(int)
    array = read(compressed(frame, photometric, syntax), tmp_path)
    np.testing.assert_allclose(array.astype(int), expected, atol=3)


@pytest.mark.parametrize(
    ("photometric", "syntax", "options", "tolerance"),
    [
        ("YBR_RCT", uid.JPEG2000Lossless, {"irreversible": False, "mct": 1}, 0),
        ("YBR_ICT", uid.JPEG2000, {"irreversible": True, "mct": 1}, 1),
        ("RGB", uid.JPEG2000Lossless, {"irreversible": False, "mct": 0}, 0),
    ],
)
def test_jpeg_2000_undoes_its_own_colour_transform(
    photometric, syntax, options, tolerance, tmp_path
):
    frame = encoded(RGB, "JPEG2000", no_jp2=True, num_resolutions=1, **options)
    array = read(compressed(frame, photometric, syntax), tmp_path)
    np.testing.assert_allclose(array.astype(int), FIRST, atol=tolerance)


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless])
def test_lossless_compression_changes_no_colour(syntax, tmp_path):
    dataset = photograph(RGB)
    dataset.compress(syntax, generate_instance_uid=False)
    np.testing.assert_array_equal(read(dataset, tmp_path), FIRST)


def test_grey_has_three_equal_channels_and_monochrome1_is_inverted(tmp_path):
    np.testing.assert_array_equal(read(photograph(GREY, "MONOCHROME2"), tmp_path), [GREY] * 3)
    inverted = read(photograph(GREY, "MONOCHROME1"), tmp_path)
    np.testing.assert_array_equal(inverted, [255 - GREY] * 3)


def test_an_odd_number_of_bytes_is_padded(tmp_path):
    odd = RGB[:1, :5]  # 15 bytes, written as 16
    np.testing.assert_array_equal(read(photograph(odd), tmp_path), FIRST[:, :1, :5])


# ---- palettes


def palette(entries, *, first=0, bits=8, layout="u1"):
    """The palette elements of `entries`, (n, 3), stored in `layout`."""
    elements = {}
    for colour, values in zip(("Red", "Green", "Blue"), entries.T, strict=True):
        name = f"{colour}PaletteColorLookupTable"
        elements[f"{name}Descriptor"] = [len(values) % 2**16, first, bits]
        data = np.ascontiguousarray(values).astype(layout).tobytes()
        elements[f"{name}Data"] = data + b"\0" * (len(data) % 2)
    return elements


INDEX = np.arange(16, dtype=np.uint8).reshape(2, 8) % 8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("bits", "layout", "factor"), [(8, "u1", 1), (8, "<u2", 1), (16, "<u2", 257)]
)
def test_a_palette_gives_the_colours_it_stands_for(bits, layout, factor, dtype, tmp_path):
    entries = palette(ROW.astype(int) * factor, bits=bits, layout=layout)
    dataset = photograph(INDEX.astype(dtype), "PALETTE COLOR", **entries)
    expected = np.moveaxis(ROW[INDEX], -1, 0)
    np.testing.assert_array_equal(read(dataset, tmp_path), expected)


def test_a_big_endian_palette_is_read_in_its_byte_order(tmp_path):
    entries = palette(ROW.astype(int) * 256, bits=16, layout=">u2")
    dataset = photograph(INDEX, "PALETTE COLOR", **entries)
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    np.testing.assert_array_equal(read(dataset, tmp_path), np.moveaxis(ROW[INDEX], -1, 0))


def test_values_before_and_after_a_palette_take_its_ends(tmp_path):
    """PS3.3 C.7.6.3.1.5: below the first value mapped the first entry, above the last the last."""
    dataset = photograph(INDEX, "PALETTE COLOR", **palette(ROW[2:5], first=2))
    expected = ROW[2:5][np.clip(INDEX.astype(int) - 2, 0, 2)]
    np.testing.assert_array_equal(read(dataset, tmp_path), np.moveaxis(expected, -1, 0))


def test_a_palette_of_65536_entries_states_0(tmp_path):
    entries = np.zeros((2**16, 3), int)
    entries[[3, 2**16 - 1]] = [[256, 512, 768], [65535, 0, 0]]
    index = np.array([[3, 2**16 - 1]], np.uint16)
    dataset = photograph(index, "PALETTE COLOR", **palette(entries, bits=16, layout="<u2"))
    np.testing.assert_array_equal(read(dataset, tmp_path)[:, 0].T, [[1, 2, 3], [255, 0, 0]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"RedPaletteColorLookupTableDescriptor": [9, 0, 8]}, "9 entries of 8 bits in 8 bytes"),
        ({"RedPaletteColorLookupTableDescriptor": [8, 0, 12]}, "8 entries of 12 bits"),
        ({"BluePaletteColorLookupTableData": b""}, "blue palette|no plain blue palette"),
    ],
)
def test_a_palette_whose_numbers_do_not_fit_is_refused(change, words, tmp_path):
    dataset = photograph(INDEX, "PALETTE COLOR", **{**palette(ROW), **change})
    assert refusal(dataset, tmp_path, words) is Reason.PIXEL_FORMAT


def test_a_missing_or_black_palette_is_refused(tmp_path):
    missing = photograph(INDEX, "PALETTE COLOR")
    assert refusal(missing, tmp_path, "no plain red palette") is Reason.PIXEL_FORMAT
    dark = photograph(INDEX, "PALETTE COLOR", **palette(ROW, bits=16, layout="<u2"))
    assert refusal(dark, tmp_path, "is black") is Reason.PIXEL_FORMAT


# ---- what is refused


def test_several_frames_are_refused_with_the_way_out(tmp_path):
    dataset = photograph(RGB, NumberOfFrames=2, PixelData=RGB.tobytes() * 2)
    assert refusal(dataset, tmp_path, "2 frames in .*single pictures") is Reason.CINE


def test_a_ct_slice_is_no_photograph(tmp_path):
    (dataset,) = make_series(np.zeros((1, 4, 4), np.uint8))
    assert refusal(dataset, tmp_path, "CT Image Storage: .*volume") is Reason.NOT_A_PHOTOGRAPH


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (photograph(RGB, "HSV"), "3 samples of HSV"),
        (photograph(RGB, "MONOCHROME2"), "3 samples of MONOCHROME2"),
        (photograph(GREY, "RGB"), "1 samples of RGB"),
        (photograph(GREY.astype(np.uint16), "MONOCHROME2"), "16 of 16 bits"),
        (photograph(RGB, BitsStored=6, HighBit=5), "6 of 8 bits"),
        (photograph(RGB, PixelRepresentation=1), "signed samples"),
        (photograph(RGB, Rows=0), "0x16 pixels"),
        (photograph(RGB, Rows=65535, Columns=65535), f"at most {LARGEST_PIXELS}"),
    ],
)
def test_what_is_not_8_bit_colour_is_refused(dataset, words, tmp_path):
    assert refusal(dataset, tmp_path, words) is Reason.PIXEL_FORMAT


def test_too_few_and_too_many_bytes_are_refused(tmp_path):
    short = photograph(RGB, PixelData=RGB.tobytes()[:-2])
    assert refusal(short, tmp_path, "holds 94 of 96 bytes") is Reason.TRUNCATED
    long = photograph(RGB, PixelData=RGB.tobytes() + b"\0\0")
    assert refusal(long, tmp_path, "holds 98 bytes .* 96 are stated") is Reason.TRAILING_BYTES
    whole = photograph(RGB, "YBR_FULL_422")  # three bytes a pixel where two are meant
    assert refusal(whole, tmp_path) is Reason.TRAILING_BYTES


def test_a_cut_file_is_refused(tmp_path):
    path = saved(photograph(RGB), tmp_path)
    content = path.read_bytes()
    for size in (0, 100, 140, 500, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(IngestError):
            read_colour(path)


@pytest.mark.parametrize(
    ("syntax", "photometric", "kind", "options"),
    [
        (uid.JPEGBaseline8Bit, "YBR_FULL_422", "JPEG", {}),
        (uid.JPEG2000Lossless, "YBR_RCT", "JPEG2000", {"no_jp2": True}),
    ],
)
def test_a_frame_of_another_size_is_not_even_decoded(
    syntax, photometric, kind, options, tmp_path, monkeypatch
):
    dataset = compressed(encoded(RGB, kind, **options), photometric, syntax, Rows=3)
    monkeypatch.setattr(
        "medseg.ingest.dicom.photograph.decode_frames", lambda *_: pytest.fail("decoded")
    )
    words = r"holds a codestream of \(2, 16\), not \(3, 16\) pixels"
    assert refusal(dataset, tmp_path, words) is Reason.UNDECODABLE


def test_a_codestream_deeper_than_its_picture_is_refused(tmp_path):
    """Grey of 16 bits under a header of 8, of which a decoder would keep the lower ones."""
    dataset = photograph(np.arange(4096, dtype=np.uint16).reshape(64, 64), "MONOCHROME2")
    dataset.compress(uid.JPEGLSLossless, generate_instance_uid=False)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    assert refusal(dataset, tmp_path, "a codestream of 16 bits in 8") is Reason.UNDECODABLE


def test_a_run_length_code_too_short_for_its_picture_is_refused(tmp_path):
    dataset = photograph(RGB)
    dataset.compress(uid.RLELossless, generate_instance_uid=False)
    dataset.Rows, dataset.Columns = 8000, 8000
    assert refusal(dataset, tmp_path, "of 192000000 bytes") is Reason.TRUNCATED


def test_a_codestream_that_is_garbage_is_refused(tmp_path):
    dataset = compressed(b"garbage!", "YBR_FULL_422", uid.JPEGBaseline8Bit)
    assert refusal(dataset, tmp_path) is Reason.UNDECODABLE


def test_what_is_no_dicom_is_refused(tmp_path):
    with pytest.raises(IngestError, match="no such file") as caught:
        read_colour(tmp_path / "none.dcm")
    assert caught.value.code is Reason.NOT_FOUND
    Image.fromarray(RGB).save(tmp_path / "a.png")
    with pytest.raises(IngestError, match=r"a\.png is not a DICOM image") as caught:
        read_colour(tmp_path / "a.png")
    assert caught.value.code is Reason.UNKNOWN_FORMAT


# ---- behind MONAI


def test_the_picture_reader_takes_dicom_in_colour(tmp_path):
    path = saved(photograph(RGB), tmp_path)
    case = Compose(
        [
            LoadImaged("image", reader=PictureReader(colour=True)),
            EnsureChannelFirstd("image"),
        ]
    )({"image": path})
    np.testing.assert_array_equal(case["image"].numpy(), FIRST)
    np.testing.assert_array_equal(case["image"].affine, np.eye(4))
    Image.fromarray(RGB).save(tmp_path / "same.png")
    png, _ = PictureReader(colour=True).get_data([tmp_path / "same.png"])
    np.testing.assert_array_equal(case["image"].numpy(), png)


def test_names_of_dicom_are_pictures_in_colour_only():
    assert PictureReader(colour=True).verify_suffix(["a.dcm", "b.DICOM", "c.png"])
    assert not PictureReader().verify_suffix("a.dcm")
    assert not PictureReader(colour=True).verify_suffix("a.nii.gz")


def test_a_grey_reader_does_not_take_dicom(tmp_path):
    path = saved(photograph(GREY, "MONOCHROME2"), tmp_path)
    with pytest.raises(IngestError) as caught:
        PictureReader().get_data([path])
    assert caught.value.code is Reason.UNREADABLE
