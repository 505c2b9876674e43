"""Tests of medseg.plausibility.label_maps: maps are known by their values, and images are not."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from medseg.ingest import load
from medseg.plausibility import describe_few_values, describe_label_map


def regions(count, shape=(1, 40, 40, 12)):
    """Blocks of 8 voxels a side with values from 0 on, drawn at random."""
    blocks = np.random.default_rng(0).integers(0, count, [-(-n // 8) for n in shape[1:]])
    for axis in range(blocks.ndim):
        blocks = blocks.repeat(8, axis=axis)
    return blocks[tuple(slice(n) for n in shape[1:])][None]


def noise(shape=(1, 40, 40, 12)):
    smooth = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=shape), (0, 1, 1, 0))
    return (100 + 300 * smooth).round().clip(0)


@pytest.mark.parametrize("count", [2, 3, 8, 60])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_regions_of_few_values_are_a_label_map_in_any_type(count, dtype):
    label = regions(count).astype(dtype)
    assert describe_label_map(label) == f"{len(np.unique(label))} values from 0 to {label.max():g}"


@pytest.mark.parametrize("slope", [0.01, 1 / 3, 255])
def test_a_scaled_label_map_is_one_still(slope):
    assert describe_label_map((regions(5) * slope).astype(np.float32))


def test_a_label_map_in_a_few_slices_of_a_large_volume_is_one():
    label = np.zeros((1, 64, 64, 300), np.uint8)
    label[:, 20:24, 20:24, 151] = 1
    assert describe_label_map(label) == "2 values from 0 to 1"


def test_a_few_values_in_disorder_are_a_mask_too():
    assert describe_label_map(np.random.default_rng(0).integers(0, 2, (1, 30, 30)))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_mask_in_colour_is_a_label_map_and_a_picture_is_none(channels):
    label = regions(20, (1, 64, 64))
    colours = np.random.default_rng(0).integers(0, 256, (20, channels))
    assert describe_label_map(np.moveaxis(colours[label[0]], -1, 0))
    picture = np.random.default_rng(0).integers(0, 256, (channels, 64, 64))
    assert describe_label_map(picture) is None


@pytest.mark.parametrize("levels", [12, 100, 4000])
def test_noise_of_few_or_many_levels_is_an_image(levels):
    image = noise()
    assert describe_label_map(np.round(image / image.max() * levels)) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda label: label - 1.0, "3 values from -1 to 1"),
        (lambda label: -1.0 * label, "3 values from -2 to 0"),
        (lambda label: label - 1000.0, "3 values from -1000 to -998"),
    ],
    ids=["-1 is ignored", "negated", "shifted"],
)
def test_a_label_map_is_known_below_zero_too(change, words):
    assert describe_label_map(change(regions(3))) == words


@pytest.mark.parametrize("shape", [(1, 8, 8, 8), (3, 8, 8), (1, 8, 8, 0)])
def test_an_array_of_one_value_or_none_is_no_label_map(shape):
    assert describe_label_map(np.zeros(shape)) is None


def as_jpeg(picture, quality=75):
    """(C, I, J) after it was stored in a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(np.moveaxis(picture, 0, -1)).save(buffer, "JPEG", quality=quality)
    return np.moveaxis(np.asarray(Image.open(buffer)), -1, 0)


def dark_picture(size=60, levels=30):
    """(1, size, size): two round, soft objects on a dark ground, values from 3 on."""
    y, x = np.indices((size, size)) / size
    bright = np.exp(-40 * ((x - 0.3) ** 2 + (y - 0.4) ** 2))
    bright = bright + np.exp(-90 * ((x - 0.7) ** 2 + (y - 0.6) ** 2))
    return (3 + levels * bright).astype(np.uint8)[None]


@pytest.mark.parametrize("zoom", [1, 2, 4])
def test_a_dark_smooth_picture_of_few_grey_values_is_an_image_enlarged_too(zoom):
    picture = dark_picture().repeat(zoom, 1).repeat(zoom, 2)
    assert len(np.unique(picture)) < 33
    assert describe_label_map(picture) is None
    assert describe_label_map(picture.repeat(3, 0)) is None
    assert describe_few_values(picture) is None


def test_a_dark_picture_is_an_image_after_jpeg():
    for quality in (50, 75, 95):
        assert describe_label_map(as_jpeg(dark_picture(200).repeat(3, 0), quality)) is None


def test_noise_of_few_values_is_doubtful_but_no_label_map_for_certain():
    crop = np.random.default_rng(0).integers(4, 8, (1, 32, 32))
    assert describe_label_map(crop) is None
    assert describe_few_values(crop) == "4 values from 4 to 7"
    assert describe_few_values(np.zeros((1, 8, 8))) is None


def test_touching_objects_with_a_number_each_are_a_label_map():
    """As instances: 100 blocks without background, numbered in any order."""
    numbers = np.random.default_rng(0).permutation(100).reshape(10, 10) + 1
    assert describe_label_map(numbers.repeat(8, 0).repeat(8, 1)[None])


@pytest.mark.realdata
def test_no_real_volume_is_taken_for_a_label_map_and_each_label_map_is(data_root):
    images = sorted((data_root / "hippocampus/imagesTr").glob("*.nii.gz"))[::4]
    labels = sorted((data_root / "hippocampus/labelsTr").glob("*.nii.gz"))[::4]
    images += [data_root / "ct_small" / f"example_{n}.nii.gz" for n in ("ct", "ct_sm", "mr_sm")]
    images += [data_root / "liver_ct/ircad_01/image.nii.gz", data_root / "lidc/LIDC-IDRI-0314"]
    labels += [data_root / "liver_ct/ircad_01/label.nii.gz"]
    labels += [*(data_root / "ct_small").glob("*seg*"), *(data_root / "lidc").glob("*label*")]
    assert len(labels) > 55 < len(images)
    wrong = [p.name for p in images if describe_label_map(load(p)[0][None])]
    missed = [p.name for p in labels if not describe_label_map(load(p)[0][None])]
    assert (wrong, missed) == ([], [])


@pytest.mark.long
@pytest.mark.realdata
def test_no_real_picture_is_taken_for_a_mask_and_each_mask_is(data_root):
    with zipfile.ZipFile(data_root / "nuclei/stage1_train.zip") as archive:
        names = [n for n in archive.namelist() if n.endswith(".png")]
        pictures = [n for n in names if "/images/" in n][::6]
        masks = [n for n in names if "/masks/" in n][::500]

        def array(name):
            picture = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"))
            return np.moveaxis(picture, -1, 0)

        assert len(pictures) == 100
        assert not [n for n in pictures if describe_label_map(array(n))]
        assert not [n for n in pictures if describe_label_map(as_jpeg(array(n)))]
        assert not [n for n in pictures if describe_label_map(array(n).repeat(2, 1).repeat(2, 2))]
        assert not [n for n in masks if not describe_label_map(array(n))]
