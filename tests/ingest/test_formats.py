"""Tests of medseg.ingest.formats: one table says what a volume file is called."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ingest.volume_writer import AFFINE, voxels, write_volume

from medseg.ingest import inspect, load
from medseg.ingest.formats import (
    DICOM_SUFFIXES,
    PICTURES,
    SUFFIXES,
    is_named_dicom,
    is_picture_file,
    is_volume_file,
    select_volume_files,
    strip_suffix,
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_suffix_is_known_in_any_case_of_letters_and_cut_as_a_whole(suffix, tmp_path):
    for written in (suffix, suffix.upper()):
        assert strip_suffix(f"p.1_ct{written}") == "p.1_ct"
        (tmp_path / f"a{written}").touch()
    (tmp_path / "a.hdr").touch()
    assert is_volume_file(tmp_path / f"a{suffix.upper()}")


def test_a_folder_or_a_name_that_is_a_suffix_alone_is_no_volume_file(tmp_path):
    (tmp_path / "case.nrrd").mkdir()
    (tmp_path / ".nrrd").touch()
    assert not is_volume_file(tmp_path / "case.nrrd")
    assert not is_volume_file(tmp_path / ".nrrd")
    assert not is_volume_file(tmp_path / "nrrd")


def test_a_pair_is_listed_once():
    assert select_volume_files([Path("a.nii"), Path("b.txt")]) == [Path("a.nii")]


def test_a_pair_on_disk_is_listed_once(tmp_path):
    write_volume(tmp_path / "case.hdr")
    (tmp_path / "alone.img").touch()
    assert select_volume_files(sorted(tmp_path.iterdir())) == [tmp_path / "case.hdr"]


@pytest.mark.parametrize(
    "name",
    ["a.nii", "a.NII.GZ", "a.hdr", "a.nrrd", "a.nhdr", "a.mha", "a.mhd", "a.mgz", "a.mgh"],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_every_format_gives_the_same_voxels_and_grid(name, dtype, tmp_path):
    """The right values are those that were written, by nibabel or SimpleITK."""
    if "NII" in name:
        nib.save(nib.Nifti1Image(voxels(dtype), AFFINE), tmp_path / "b.nii.gz")
        (tmp_path / "b.nii.gz").rename(tmp_path / name)
    else:
        write_volume(tmp_path / name, voxels(dtype))
    array, geometry = load(tmp_path / name)
    assert array.dtype == dtype
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, voxels())
    np.testing.assert_allclose(geometry.affine, AFFINE, atol=1e-5)
    (row,) = inspect(tmp_path)
    assert (row.format, row.reason, row.size) == (
        SUFFIXES[Path(name.lower()).suffix.replace(".gz", ".nii.gz")],
        "ok",
        (4, 6, 5),
    )


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.nhdr", "a.mha", "a.mhd", "a.mgz"])
def test_packed_voxels_are_read_and_a_cut_stream_is_refused(name, tmp_path):
    rng = np.random.default_rng(0)
    array = rng.integers(-999, 999, (9, 9, 9)).astype(np.int16)
    write_volume(tmp_path / name, array, packed=True)
    np.testing.assert_array_equal(load(tmp_path / name)[0], array)
    (holder,) = [p for p in tmp_path.iterdir() if p.stat().st_size > 1000]
    content = holder.read_bytes()
    for left in (1, 9, 500):
        holder.write_bytes(content[:-left])
        with pytest.raises(ValueError, match=r"ends early|holds at most|holds \d+ of"):
            load(tmp_path / name)


@pytest.mark.parametrize("name", ["a.nii", "a.nrrd", "a.nhdr", "a.mha", "a.mhd", "a.hdr"])
def test_plain_voxels_are_as_many_as_promised(name, tmp_path):
    write_volume(tmp_path / name, voxels())
    holder = next((p for p in tmp_path.iterdir() if p.suffix in (".raw", ".img")), tmp_path / name)
    content = holder.read_bytes()
    for spoilt, code in ((content[:-1], "truncated"), (content + b"\1", "trailing-bytes")):
        holder.write_bytes(spoilt)
        with pytest.raises(ValueError, match=str(holder.name)) as caught:
            load(tmp_path / name)
        assert caught.value.code == code


@pytest.mark.parametrize("name", ["a.nii", "a.nrrd", "a.mha", "a.mgz"])
def test_voxels_that_are_not_finite_are_refused(name, tmp_path):
    array = voxels(np.float32)
    array[1, 2, 3] = np.nan
    write_volume(tmp_path / name, array)
    with pytest.raises(ValueError, match="1 NaN and 0 infinite of 120 voxels"):
        load(tmp_path / name)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.mgh"])
def test_a_promise_beyond_the_free_memory_is_refused_before_it_is_read(name, tmp_path, monkeypatch):
    write_volume(tmp_path / name)
    monkeypatch.setattr("medseg.base.memory.find_available_bytes", lambda: 239)
    with pytest.raises(ValueError, match="GB are free") as caught:
        load(tmp_path / name)
    assert caught.value.code == "no-memory"
    monkeypatch.setattr("medseg.base.memory.find_available_bytes", lambda: 240)
    load(tmp_path / name)


@pytest.mark.parametrize(
    ("header", "voxels_name"),
    [("b.Hdr", "b.Img"), ("b.HDR", "b.img"), ("b.hdr.GZ", "b.img"), ("b.Hdr.Gz", "b.IMG.GZ")],
)
def test_the_halves_of_a_pair_are_found_in_any_case_of_letters(header, voxels_name, tmp_path):
    write_volume(tmp_path / "a.hdr")
    for name, source in ((header, "a.hdr"), (voxels_name, "a.img")):
        content = (tmp_path / source).read_bytes()
        packed = gzip.compress(content) if name.lower().endswith(".gz") else content
        (tmp_path / name).write_bytes(packed)
    for name in (header, voxels_name):
        np.testing.assert_array_equal(load(tmp_path / name)[0], voxels())
    found = select_volume_files([tmp_path / header, tmp_path / voxels_name])
    assert found == [tmp_path / header]


def test_picture_names_are_known_in_any_case():
    names = [name for s in PICTURES for name in (f"a{s}", f"A{s.upper()}")]
    assert all(map(is_picture_file, names))
    assert not any(map(is_picture_file, ("a.nii.gz", "a.dcm", "png", "a.png.txt", "1.2.840")))


def test_dicom_is_named_in_any_case_of_letters_and_nothing_else_is():
    assert all(is_named_dicom(f"a{s}") and is_named_dicom(f"A{s.upper()}") for s in DICOM_SUFFIXES)
    assert not any(map(is_named_dicom, ("a.nii", "a.dcm.gz", "dcm", "1.2.840")))
