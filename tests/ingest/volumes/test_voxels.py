"""Tests of medseg.ingest.volumes.voxels: values are exact, and a lying header costs nothing."""

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from ingest.volumes.nifti_files import AFFINE, image, refusal, spoil, volume

from medseg.ingest import IngestError, Reason, load
from medseg.ingest.volumes.file import load_file
from medseg.ingest.volumes.file import read_file_header as read_header
from medseg.ingest.volumes.streams import MOST_INFLATED
from medseg.ingest.volumes.voxels import PADDING_BYTES


def peak_bytes(work):
    """The most that Python and numpy held at once during `work`."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_big_endian_file_reads_the_same(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    made = nib.Nifti1Image(volume(), AFFINE, header=header)
    nib.save(made, tmp_path / "case.nii")
    array, _ = load(tmp_path / "case.nii")
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, volume())


def test_scaling_is_applied_in_single_precision(tmp_path):
    made = image()
    made.header.set_slope_inter(0.5, -3)
    nib.save(made, tmp_path / "case.nii")
    array, _ = load(tmp_path / "case.nii")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, volume() * 0.5 - 3)


def test_double_precision_becomes_single(tmp_path):
    nib.save(image(volume(np.float64)), tmp_path / "case.nii")
    assert load(tmp_path / "case.nii")[0].dtype == np.float32


def test_scaled_integers_are_rounded_once(tmp_path):
    """2**24 + 1 has no single precision; (2**24 + 1) / 2 - 2**23 = 0.5 has."""
    data = volume(np.int32)
    data[1, 1, 1] = 2**24 + 1
    made = image(data)
    made.header.set_slope_inter(0.5, -(2**23))
    nib.save(made, tmp_path / "case.nii")
    assert load(tmp_path / "case.nii")[0][1, 1, 1] == 0.5


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("shape", [(4, 6, 5, 3), (4, 6, 5, 1, 3)])
def test_one_volume_of_several_may_be_chosen(suffix, shape, tmp_path):
    path = tmp_path / f"case{suffix}"
    nib.save(image(volume(shape=shape)), path)
    expected = volume(shape=shape).reshape(4, 6, 5, 3)
    for index in range(3):
        array, geometry = load_file(path, volume=index)
        np.testing.assert_array_equal(array, expected[..., index])
        assert geometry.shape == (4, 6, 5)
    assert read_header(path).volumes == 3


def test_volumes_are_counted_with_the_fourth_axis_fastest(tmp_path):
    data = volume(shape=(2, 2, 2, 3, 2))
    nib.save(image(data), tmp_path / "case.nii")
    np.testing.assert_array_equal(
        load_file(tmp_path / "case.nii", volume=4)[0], data[..., 4 % 3, 4 // 3]
    )


def test_a_volume_that_is_not_there_is_refused(tmp_path):
    nib.save(image(volume(shape=(4, 6, 5, 2))), tmp_path / "case.nii")
    for index in (2, -1):
        with pytest.raises(IngestError, match=f"no volume {index} in .*holds 2") as caught:
            load_file(tmp_path / "case.nii", volume=index)
        assert caught.value.code is Reason.UNKNOWN_VOLUME


def test_4d_is_refused_with_the_way_to_choose(tmp_path):
    assert "--volume INDEX" in str(refusal(image(volume(shape=(4, 6, 5, 2))), tmp_path))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_the_last_volume_is_checked_when_the_first_is_read(suffix, tmp_path):
    path = tmp_path / f"case{suffix}"
    rng = np.random.default_rng(0)
    nib.save(image(rng.integers(0, 999, (9, 9, 9, 4)).astype(np.int16)), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(IngestError) as caught:
        load_file(path, volume=0)
    assert caught.value.code is Reason.TRUNCATED


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_that_goes_on_after_its_voxels_is_refused(suffix, tmp_path):
    """The header of one volume before the voxels of many: a block of padding is still let pass."""
    path = tmp_path / f"case{suffix}"
    nib.save(image(), tmp_path / "plain.nii")
    content = (tmp_path / "plain.nii").read_bytes()
    write = gzip.compress if suffix == ".nii.gz" else bytes
    path.write_bytes(write(content + b"\0" * PADDING_BYTES))
    np.testing.assert_array_equal(load(path)[0], volume())
    path.write_bytes(write(content + b"\0" * (PADDING_BYTES + 1)))
    with pytest.raises(IngestError, match="continues after the 592 bytes") as caught:
        load(path)
    assert caught.value.code is Reason.TRAILING_BYTES


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_last_slice_that_the_header_forgets_is_no_padding(suffix, tmp_path):
    """48 bytes, far less than a block of a disk."""
    path = tmp_path / f"case{suffix}"
    nib.save(image(), tmp_path / "plain.nii")
    spoil(tmp_path / "plain.nii", {"dim": [3, 4, 6, 4, 1, 1, 1, 1]})
    content = (tmp_path / "plain.nii").read_bytes()
    path.write_bytes(gzip.compress(content) if suffix == ".nii.gz" else content)
    with pytest.raises(IngestError, match="continues after the 544 bytes") as caught:
        load(path)
    assert caught.value.code is Reason.TRAILING_BYTES


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_header_that_promises_terabytes_costs_no_memory(suffix, tmp_path):
    path = tmp_path / f"case{suffix}"
    nib.save(image(kind=nib.Nifti2Image), tmp_path / "plain.nii")
    spoil(tmp_path / "plain.nii", {"dim": [3, 2**31, 2**10, 1, 1, 1, 1, 1]})
    content = (tmp_path / "plain.nii").read_bytes()
    path.write_bytes(gzip.compress(content) if suffix == ".nii.gz" else content)

    def refused():
        with pytest.raises(IngestError) as caught:
            load(path)
        assert caught.value.code is Reason.TRUNCATED

    assert peak_bytes(refused) < 2**20


def test_a_gzip_that_holds_less_than_it_could_costs_what_it_holds(tmp_path):
    """The promise, 64 MiB, is within the ratio of deflate; what is there is 0.5 MiB."""
    nib.save(image(np.zeros((1, 1, 1), np.uint8)), tmp_path / "plain.nii")
    spoil(tmp_path / "plain.nii", {"dim": [3, 2**10, 2**10, 2**6, 1, 1, 1, 1]})
    noise = np.random.default_rng(0).bytes(2**19)
    path = tmp_path / "case.nii.gz"
    path.write_bytes(gzip.compress((tmp_path / "plain.nii").read_bytes() + noise))
    assert path.stat().st_size * MOST_INFLATED["gzip"] > 2**26

    def refused():
        with pytest.raises(IngestError, match=r"of 67109216 bytes"):
            load(path)

    assert peak_bytes(refused) < 2**23


def test_a_gzip_bomb_is_inflated_no_further_than_its_header_promises(tmp_path, monkeypatch):
    nib.save(image(), tmp_path / "plain.nii")
    path = tmp_path / "case.nii.gz"
    path.write_bytes(gzip.compress((tmp_path / "plain.nii").read_bytes() + bytes(2**26)))
    inflated = []
    read = gzip.GzipFile.read

    def counted(self, size=-1):
        inflated.append(read(self, size))
        return inflated[-1]

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    with pytest.raises(IngestError) as caught:
        load(path)
    assert caught.value.code is Reason.TRAILING_BYTES
    assert sum(map(len, inflated)) == 348 + 592 + PADDING_BYTES + 1  # the header is read twice


def test_one_volume_of_many_costs_one(tmp_path):
    shape = (64, 64, 64, 32)  # 16 MiB, of which one volume is half a MiB
    nib.save(image(np.zeros(shape, np.int16)), tmp_path / "case.nii.gz")
    peak = peak_bytes(lambda: load_file(tmp_path / "case.nii.gz", volume=31))
    assert peak < 2**23


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(suffix, part, tmp_path):
    path = tmp_path / f"case{suffix}"
    nib.save(image(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(IngestError) as caught:
        load(path)
    assert caught.value.code is Reason.TRUNCATED
