"""Tests of medseg.datasets.sources.copy_cases: files are copied, and follow the source."""

import fcntl
import os

import numpy as np
import pytest
from ingest.volume_writer import AFFINE, voxels, write_volume

from medseg.datasets.sources.copy_cases import copy_cases
from medseg.ingest import IngestError, load


def item_of(path, content=b"volume"):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return {"case": "scan.one", "patient": "x", "image": str(path)}


def test_files_are_copied_and_a_second_run_leaves_them(tmp_path):
    item = item_of(tmp_path / "published" / "scan.one.nii.gz")
    times = []
    for _ in range(2):
        made = copy_cases(tmp_path / "out", [item], parts={"image": "images", "label": "labels"})
        assert made == [{"case": "scan.one", "patient": "x", "image": "images/scan.one.nii.gz"}]
        times.append((tmp_path / "out" / made[0]["image"]).stat().st_ino)
    assert times[0] == times[1]
    assert (tmp_path / "out" / made[0]["image"]).read_bytes() == b"volume"


@pytest.mark.parametrize("earlier", [None, os.link, os.symlink])
def test_changing_the_prepared_file_in_place_never_changes_the_published_one(tmp_path, earlier):
    source = tmp_path / "published" / "a.nii"
    item = item_of(source)
    target = tmp_path / "out" / "images" / "scan.one.nii"
    if earlier is not None:  # as an earlier version left it
        target.parent.mkdir(parents=True)
        earlier(source, target)
    copy_cases(tmp_path / "out", [item], parts={"image": "images"})
    with target.open("r+b") as file:
        file.write(b"edited")
    assert source.read_bytes() == b"volume"
    with source.open("r+b") as file:
        file.write(b"newest")
    assert target.read_bytes() == b"edited"


def test_blocks_are_shared_where_the_system_can(tmp_path, monkeypatch):
    asked = []

    def share(new, request, old):
        asked.append(request)
        os.write(new, os.read(old, 100))

    monkeypatch.setattr(fcntl, "ioctl", share)
    monkeypatch.setattr("shutil.copyfile", None)
    copy_cases(tmp_path / "out", [item_of(tmp_path / "a.nii")], parts={"image": "images"})
    assert asked == [0x40049409]
    assert (tmp_path / "out" / "images" / "scan.one.nii").read_bytes() == b"volume"


def published_file(tmp_path, content=b"volume", *, date=1):
    """The item of a file that is written anew, whatever was there before."""
    path = tmp_path / "published" / "a.nii"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(0, date))
    return {"case": "a", "patient": "a", "image": str(path)}


def brought(tmp_path, item):
    """The prepared file of an item, and what tells it from one that was written again."""
    copy_cases(tmp_path / "out", [item], parts={"image": "images"})
    (path,) = (tmp_path / "out" / "images").iterdir()
    return path, (path.stat().st_ino, path.stat().st_mtime_ns)


@pytest.mark.parametrize("content", [b"VOLUME", b"longer volume"])
def test_a_file_is_brought_again_where_the_source_has_another(tmp_path, content):
    brought(tmp_path, published_file(tmp_path))
    path, _ = brought(tmp_path, published_file(tmp_path, content, date=2))
    assert path.read_bytes() == content


def test_a_file_of_the_same_content_is_left_whatever_its_date(tmp_path):
    _, before = brought(tmp_path, published_file(tmp_path))
    _, after = brought(tmp_path, published_file(tmp_path, date=2))  # another file, the same bytes
    assert after == before


def test_other_content_of_the_same_size_and_date_is_brought(tmp_path):
    path, _ = brought(tmp_path, published_file(tmp_path, date=7))
    os.utime(path, ns=(0, 7))
    brought(tmp_path, published_file(tmp_path, date=7))  # compared, and found the same
    path, _ = brought(tmp_path, published_file(tmp_path, b"VOLUME", date=7))
    assert path.read_bytes() == b"VOLUME"


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_file_is_refused_and_not_waited_for(make, tmp_path):
    make(tmp_path / "a.nii")
    item = {"case": "a", "patient": "a", "image": str(tmp_path / "a.nii")}
    with pytest.raises(IngestError, match=r"a\.nii is a (pipe|broken link)"):
        copy_cases(tmp_path / "out", [item], parts={"image": "images"})


def test_a_copy_that_was_corrected_is_kept_beside_the_new_one(tmp_path, caplog):
    """Who corrects a label in the prepared folder and prepares again must not lose the work."""
    source = tmp_path / "published" / "a.nii.gz"
    items = [item_of(source)]
    copy_cases(tmp_path / "out", items, parts={"image": "images"})
    target = tmp_path / "out" / "images" / "scan.one.nii.gz"
    target.write_bytes(b"corrected")
    copy_cases(tmp_path / "out", items, parts={"image": "images"})
    assert target.read_bytes() == b"volume"
    (kept,) = {*target.parent.iterdir()} - {target}
    assert kept.read_bytes() == b"corrected"
    assert kept.name.startswith("scan.one-")
    assert kept.name.endswith(".nii.gz")
    assert f"kept as {kept}" in caplog.text


# ---- volumes


@pytest.mark.parametrize("name", ["x.mhd", "x.nhdr", "x.hdr"])
def test_a_volume_of_several_files_becomes_one_of_the_same_voxels_and_grid(name, tmp_path):
    (tmp_path / "published").mkdir()
    source = write_volume(tmp_path / "published" / name)
    item = {"case": "one", "patient": "x", "image": str(source)}
    times = []
    for _ in range(2):
        (made,) = copy_cases(tmp_path / "out", [item], parts={"image": "images"})
        assert made["image"] == "images/one.nii.gz"
        times.append((tmp_path / "out" / made["image"]).stat().st_ino)
    assert times[0] == times[1]
    array, grid = load(tmp_path / "out" / made["image"])
    np.testing.assert_array_equal(array, voxels())
    np.testing.assert_allclose(grid.affine, AFFINE, atol=1e-5)
    write_volume(source, voxels() + 1)
    copy_cases(tmp_path / "out", [item], parts={"image": "images"})
    np.testing.assert_array_equal(load(tmp_path / "out" / made["image"])[0], voxels() + 1)


def test_a_choice_of_the_user_is_written_into_the_prepared_volume(tmp_path):
    (tmp_path / "published").mkdir()
    four = np.stack([voxels(), voxels() + 500], axis=-1)
    image = write_volume(tmp_path / "published" / "x.mgz", four)
    label = write_volume(tmp_path / "published" / "y.mgz", voxels(np.uint8))
    item = {"case": "one", "patient": "x", "image": str(image), "label": str(label)}
    parts = {"image": "images", "label": "labels"}
    reading = {"volume": 1, "affine": None, "units": "cm"}
    (made,) = copy_cases(tmp_path / "out", [item], parts=parts, reading=reading)
    array, grid = load(tmp_path / "out" / made["image"])
    np.testing.assert_array_equal(array, voxels() + 500)
    assert grid.spacing_mm == pytest.approx((7.5, 5, 12.5))
    labels, its_grid = load(tmp_path / "out" / made["label"])
    np.testing.assert_array_equal(labels, voxels())
    assert its_grid.same_grid(grid)


@pytest.mark.parametrize("name", ["x.NII.GZ", "x.nrrd", "x.mha", "x.mgz"])
def test_a_volume_of_one_file_is_copied_as_it_is(name, tmp_path):
    item = item_of(tmp_path / "published" / name)
    (made,) = copy_cases(tmp_path / "out", [item], parts={"image": "images"})
    assert made["image"] == f"images/scan.one{name[1:]}"
    assert (tmp_path / "out" / made["image"]).read_bytes() == b"volume"
