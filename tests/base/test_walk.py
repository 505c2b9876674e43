"""Tests of medseg.base.walk: links are not followed in a circle, and what can hang is told
apart."""

import os
import socket
from pathlib import Path

import pytest

from medseg.base.walk import describe_odd_entry, list_entries, walk


def test_each_folder_is_entered_once_whatever_links_there_are(tmp_path):
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "im0").touch()
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    found = [folder / name for folder, _, names in walk(tmp_path) for name in names]
    assert [path for path in found if path.name == "im0"] == [tmp_path / "b" / "deep" / "im0"]


def test_a_folder_taken_off_the_list_is_not_entered(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    entered = []
    for folder, below, _ in walk(tmp_path):
        entered.append(folder)
        below.clear()
    assert entered == [tmp_path]


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """One of everything that is no file, and what it is called."""
    monkeypatch.chdir(tmp_path)  # the name of a socket may have 107 bytes
    Path("lost").symlink_to("nowhere")
    Path("round").symlink_to("round")
    Path("to_null").symlink_to("/dev/null")
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    link, other = "a broken link", "a pipe, socket or device"
    return {"lost": link, "round": link, "to_null": other, "pipe": other, "socket": other}


def test_what_is_no_file_is_called_what_it_is(odd):
    assert {name: describe_odd_entry(name) for name in odd} == odd


def test_a_file_a_folder_and_nothing_are_left_to_their_readers(tmp_path):
    (tmp_path / "file").touch()
    assert [describe_odd_entry(tmp_path / name) for name in ("file", ".", "absent")] == [None] * 3


def test_entries_are_those_of_a_folder_that_is_there(tmp_path):
    (tmp_path / "b").touch()
    (tmp_path / "a").mkdir()
    assert [path.name for path in list_entries(tmp_path)] == ["a", "b"]
    assert list_entries(tmp_path / "absent") == list_entries(tmp_path / "b") == []
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(OSError, match=r"round cannot be read \(Too many .*: correct"):
        list_entries(tmp_path / "round")
