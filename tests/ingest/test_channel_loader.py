"""Tests of medseg.ingest.channel_loader: each channel is in its place."""

import nibabel as nib
import numpy as np
import pytest
from monai.data import list_data_collate
from monai.transforms import EnsureChannelFirstd

from medseg.base.channels.missing import MISSING
from medseg.ingest.channel_loader import LoadChannelsd
from medseg.ingest.reader import VolumeReader
from medseg.transforms import ScaleChannelsd, StoredDataset

SHAPE = (4, 5, 6)


@pytest.fixture
def save(tmp_path):
    def write(name, *values):
        volumes = [np.full(SHAPE, value, np.float32) for value in values]
        array = volumes[0] if len(volumes) == 1 else np.stack(volumes, -1)
        image = nib.Nifti1Image(array, np.diag([1, 2, 3, 1.0]))
        image.header.set_xyzt_units("mm")
        nib.save(image, tmp_path / name)
        return str(tmp_path / name)

    return write


def load(image, channels=("a", "b"), **options):
    reader = VolumeReader(all_volumes=True)
    item = LoadChannelsd("image", reader, channels, **options)({"image": image})
    return EnsureChannelFirstd("image")(item)["image"]


def test_files_and_volumes_of_a_file_are_channels_in_their_order(save):
    one, two = save("1.nii", 1), save("2.nii", 2)
    for given in ([two, one], save("3.nii", 2, 1), [save("4.nii", 2, 1)]):
        image = load(given)
        assert image.shape == (2, *SHAPE)
        assert image[:, 0, 0, 0].tolist() == [2, 1]
        assert image.pixdim.tolist() == [1, 2, 3]
        assert image.meta[MISSING] == ""


@pytest.mark.parametrize("lacking", [0, 1])
def test_a_missing_channel_is_refused_or_0_and_named(save, lacking):
    files = [save("1.nii", 1), save("2.nii", 2)]
    files[lacking] = None
    with pytest.raises(ValueError, match=f"the case has no {'ab'[lacking]}: add the missing"):
        load(files)
    image = load(files, allow_missing=True)
    assert image[:, 0, 0, 0].tolist() == [[0, 2], [1, 0]][lacking]
    assert image.meta[MISSING] == "ab"[lacking]
    assert image.meta["filename_or_obj"] == files[1 - lacking]


def test_a_case_without_any_channel_is_refused(save):
    with pytest.raises(ValueError, match="the case has no a and no b"):
        load([None, None], allow_missing=True)


def test_another_number_of_channels_is_refused(save):
    with pytest.raises(ValueError, match=r"1.nii holds 1 of the 2 channels a, b: give one file"):
        load(save("1.nii", 1))
    with pytest.raises(ValueError, match="holds 3 of the 2 channels"):
        load(save("3.nii", 1, 2, 3))
    with pytest.raises(ValueError, match="the case has 3 files, and there are 2 channels"):
        load([save("1.nii", 1)] * 3)


def test_cases_that_lack_different_channels_make_a_batch(save):
    one, two = save("1.nii", 1), save("2.nii", 2)
    items = [{"image": load(files, allow_missing=True)} for files in ([one, None], [None, two])]
    assert list_data_collate(items)["image"].shape == (2, 2, *SHAPE)


def test_a_copy_on_the_disk_knows_which_channel_is_missing(save, tmp_path):
    case = {"image": [save("1.nii", 1), None], "case": "c"}
    load_channels = LoadChannelsd("image", VolumeReader(), ["a", "b"], allow_missing=True)
    for _ in range(2):  # the second is read from the disk
        kept = StoredDataset([case], load_channels, tmp_path / "cache")[0]
        assert kept[MISSING] == "b"
        scaled = ScaleChannelsd("image", ["a", "b"], [None, [-10, 30]])(kept)["image"]
        assert not scaled[1].any()
