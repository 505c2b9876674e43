"""Tests of medseg.ingest.volumes.nrrd_fields: fields and files are found by name."""

from __future__ import annotations

import pytest

from medseg.ingest import IngestError, Reason
from medseg.ingest.volumes.nrrd_fields import find_voxel_files, get_whole, read_fields


def written(folder, *lines):
    path = folder / "a.nhdr"
    path.write_text("\n".join(("NRRD0005", *lines, "", "")))
    return path


def test_fields_have_small_letters_and_keys_are_kept_apart(tmp_path):
    path = written(tmp_path, "# a comment", "Type: short", "name:=A: B", "data file: a.raw")
    fields, keys, listed, end = read_fields(path)
    assert fields == {"type": "short", "data file": "a.raw"}
    assert (keys, listed, end) == ({"name": "A: B"}, [], path.stat().st_size)


def test_a_field_that_is_stated_twice_is_refused(tmp_path):
    with pytest.raises(IngestError, match="has the line 'type: int'") as caught:
        read_fields(written(tmp_path, "type: short", "type: int"))
    assert caught.value.code is Reason.UNREADABLE


def test_a_number_that_is_absent_is_0(tmp_path):
    assert get_whole({}, ("line skip", "lineskip"), tmp_path) == 0
    assert get_whole({"lineskip": "3"}, ("line skip", "lineskip"), tmp_path) == 3


def test_a_pattern_stands_for_files_in_the_order_of_its_step(tmp_path):
    for number in (1, 2, 3):
        (tmp_path / f"s{number:02d}.raw").touch()
    path = written(tmp_path, "data file: s%02d.raw 3 1 -1")
    files, start = find_voxel_files({"data file": "s%02d.raw 3 1 -1"}, [], path, 0)
    assert [file.name for file in files] == ["s03.raw", "s02.raw", "s01.raw"]
    assert start == 0
