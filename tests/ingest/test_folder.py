"""Tests of medseg.ingest.folder: every file is listed, whatever links lead to it, and once."""

from __future__ import annotations

import os

from medseg.ingest.folder import list_files_below


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def test_files_of_subfolders_are_listed_sorted(tmp_path):
    files = [write(tmp_path / name) for name in ("b/2", "b/1", "a", "b/c/3")]
    assert list_files_below(tmp_path) == sorted(files)


def test_hidden_files_and_what_git_annex_keeps_are_passed_over(tmp_path):
    for name in (".hidden", ".git/annex/objects/x.dcm"):
        write(tmp_path / name)
    kept = write(tmp_path / ".cache" / "im0")
    assert list_files_below(tmp_path) == [kept]


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path):
    write(tmp_path / "far" / "sub" / "im0")
    (tmp_path / "near").mkdir()
    (tmp_path / "near" / "link").symlink_to(tmp_path / "far")
    assert list_files_below(tmp_path / "near") == [tmp_path / "near" / "link" / "sub" / "im0"]


def test_a_folder_that_lies_there_itself_goes_before_a_link_to_it(tmp_path):
    file = write(tmp_path / "z" / "deep" / "im0")
    (tmp_path / "a").symlink_to(tmp_path / "z")
    (tmp_path / "z" / "deep" / "up").symlink_to(tmp_path)
    assert list_files_below(tmp_path) == [file]


def test_links_that_lead_nowhere_or_round_are_listed(tmp_path):
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    assert list_files_below(tmp_path) == [tmp_path / "lost", tmp_path / "round"]


def test_pipes_and_sockets_are_listed(tmp_path):
    os.mkfifo(tmp_path / "im1.dcm")
    assert list_files_below(tmp_path) == [tmp_path / "im1.dcm"]


def test_a_file_and_a_link_to_it_are_listed(tmp_path):
    file = write(tmp_path / "im0")
    (tmp_path / "link").symlink_to(file)
    assert list_files_below(tmp_path) == [file, tmp_path / "link"]
