"""Tests of medseg.transforms.stored_dataset: a case is made once, a damaged one is made anew."""

import errno
import shutil
from collections import namedtuple

import pytest
import torch
from monai.transforms import Transform

from medseg.transforms import StoredDataset

CALLS = []


class Load(Transform):
    """Gives a tensor for a case, and counts outside itself, since its settings name the files."""

    def __call__(self, case):
        CALLS.append(case["case"])
        return {**case, "image": torch.arange(3.0)}


@pytest.fixture(autouse=True)
def _no_calls_yet():
    CALLS.clear()


def test_a_case_is_made_once_whoever_asks(tmp_path):
    load = Load()
    cases = [{"case": "a"}, {"case": "b"}]
    for _ in range(2):
        stored = StoredDataset(cases, load, tmp_path / "cache")
        assert [stored[0]["case"], stored[1]["case"]] == ["a", "b"]
        assert stored[0]["image"].tolist() == [0, 1, 2]
    assert CALLS == ["a", "b"]


def test_half_a_file_is_made_anew_with_a_warning(tmp_path, caplog):
    load = Load()
    stored = StoredDataset([{"case": "a"}], load, tmp_path)
    stored[0]
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"not a tensor"):
        file.write_bytes(damaged)
        caplog.clear()
        assert stored[0]["image"].tolist() == [0, 1, 2]
        assert "is damaged" in caplog.text
        assert stored[0]["image"].tolist() == [0, 1, 2]
    assert CALLS == ["a"] * 4


def test_nothing_but_whole_files_stays_in_the_folder_where_writing_fails(tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", fail)
    stored = StoredDataset([{"case": "a"}], Load(), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        stored[0]
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_for_all_cases_is_told_by_the_first(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 4000))
    stored = StoredDataset([{"case": str(n)} for n in range(20)], Load(), tmp_path)
    assert len([stored[n] for n in range(2)]) == 2
    with pytest.raises(OSError, match=r"the cache of 17 further cases takes .* by --cache_dir, or"):
        stored[2]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, 10**9))
    again = StoredDataset([{"case": str(n)} for n in range(20)], Load(), tmp_path)
    assert len([again[n] for n in range(20)]) == 20


def test_a_full_disk_names_the_keys_that_help(tmp_path, monkeypatch):
    def fill(_made, path):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(torch, "save", fill)
    stored = StoredDataset([{"case": "a"}], Load(), tmp_path)
    with pytest.raises(OSError, match="choose another folder by --cache_dir, or pass --cache none"):
        stored[0]
