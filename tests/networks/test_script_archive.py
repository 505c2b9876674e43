"""Tests of medseg.networks.script_archive: the program stays, with configs and without traces."""

import zipfile

import pytest
import torch

from medseg.networks.script_archive import rewrite_archive


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "line.ts"
    torch.manual_seed(0)
    torch.jit.save(torch.jit.script(torch.nn.Linear(3, 2)), path)
    rewrite_archive(path, {"a.json": "{}"}, root="line")
    return path


def test_the_program_and_its_configs_are_read_back_by_torch(archive):
    files = {"a.json": ""}
    program = torch.jit.load(archive, _extra_files=files)
    torch.manual_seed(0)
    same, image = torch.nn.Linear(3, 2), torch.ones(1, 3)
    assert torch.equal(program(image), same(image))
    assert files == {"a.json": b"{}"}


def test_all_lies_in_one_folder_and_nothing_says_where_the_code_lay(archive):
    with zipfile.ZipFile(archive) as entries:
        names = entries.namelist()
    assert {name.partition("/")[0] for name in names} == {"line"}
    assert not [name for name in names if name.endswith(".debug_pkl")]


def test_an_archive_that_is_rewritten_again_is_the_same_to_the_byte(archive):
    before = archive.read_bytes()
    rewrite_archive(archive, {"a.json": "{}"}, root="line")
    assert archive.read_bytes() == before


def test_data_begin_where_torch_wants_them(archive):
    with zipfile.ZipFile(archive) as entries:
        for entry in entries.infolist():
            begins = entry.header_offset + 30 + len(entry.filename) + len(entry.extra)
            assert begins % 64 == 0
