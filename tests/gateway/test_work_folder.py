"""Tests of medseg.gateway.work_folder: its size is bounded, and nothing is left lying."""

from __future__ import annotations

import pytest

from medseg.gateway.failures import HopelessError, UnavailableError
from medseg.gateway.settings import Disk
from medseg.gateway.work_folder import WorkFolder

IMAGES = [("1.1", b"a" * 1000), ("1.2", b"b" * 1000)]


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_images_are_named_by_number_and_an_earlier_try_is_gone(processor, job):
    work = processor.work
    work.write_images(job, [*IMAGES, ("../../evil", b"c")])
    assert work.write_images(job, IMAGES) == {"1.1", "1.2"}
    assert names(work.fetched(job)) == ["image_00001.dcm", "image_00002.dcm"]
    assert work.fetched(job).name == str(job.number)
    work.forget(job)
    assert not work.fetched(job).exists()


def test_a_series_larger_than_all_is_hopeless(tmp_path, job):
    work = WorkFolder(tmp_path / "small", Disk(max_gb=1500e-9, min_free_gb=0))
    with pytest.raises(HopelessError, match=r"larger than disk.max_gb, 1.5e-06 GB"):
        work.write_images(job, IMAGES)


def test_nothing_is_fetched_where_there_is_no_room(tmp_path, job):
    with pytest.raises(UnavailableError, match=r"GB left, and disk.min_free_gb is 1e\+09"):
        WorkFolder(tmp_path / "a", Disk(min_free_gb=1e9)).check_room()
    work = WorkFolder(tmp_path / "b", Disk(max_gb=1500e-9, min_free_gb=0))
    work.check_room()
    (work.root / "incoming").mkdir()
    (work.root / "incoming" / "image.dcm").write_bytes(bytes(1500))
    with pytest.raises(UnavailableError, match=r"and disk.max_gb is 1.5e-06"):
        work.check_room()
    assert work.measure() == 1500


def test_leftovers_go_but_for_results_that_are_still_to_be_stored(processor, job):
    work = processor.work
    work.write_images(job, IMAGES)
    for name in (
        work.results(job),
        work.root / "results" / "77",
        work.root / "results" / "1.partial",
    ):
        name.mkdir(parents=True)
        (name / "seg.dcm").write_bytes(b"a")
    work.remove_leftovers([job])
    assert names(work.root / "results") == ["seg.dcm"]
    assert work.results(job).is_dir()
    assert not (work.root / "fetched").exists()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file is not a folder"):
        WorkFolder(tmp_path / "file" / "work", Disk())
