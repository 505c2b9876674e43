"""Tests of medseg.memory."""

import os
import platform
import subprocess
import sys

import pytest

from medseg import memory

needs_glibc = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="needs Linux with glibc"
)

_COUNT_FAULTS = """
import resource, sys
import numpy as np
from medseg.memory import keep_freed_pages
if sys.argv[1] == "tuned":
    assert keep_freed_pages()
np.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2**23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(allocator: str) -> int:
    command = [sys.executable, "-c", _COUNT_FAULTS, allocator]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@needs_glibc
def test_glibc_takes_the_settings():
    assert memory.keep_freed_pages() is True


@needs_glibc
def test_pages_of_freed_arrays_are_used_again():
    assert _page_faults("tuned") < _page_faults("untuned") / 4


def test_another_system_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: pytest.fail("touched the allocator"))
    assert memory.keep_freed_pages() is False


@pytest.mark.parametrize("error", [OSError("no libc.so.6"), AttributeError("no mallopt")])
def test_another_libc_is_left_as_it_is(monkeypatch, error):
    def load(name):
        raise error

    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", load)
    assert memory.keep_freed_pages() is False


def test_what_is_available_is_less_than_what_the_machine_has():
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory.available_bytes() <= total


def test_a_control_group_has_its_own_limit(tmp_path, monkeypatch):
    (tmp_path / "max").write_text("3000\n")
    (tmp_path / "current").write_text("1000\n")
    monkeypatch.setattr(memory, "_GROUPS", [(tmp_path / "max", tmp_path / "current")])
    assert memory.available_bytes() == 2000


@pytest.mark.parametrize("text", ["max\n", None])
def test_a_control_group_without_a_limit_does_not_count(text, tmp_path, monkeypatch):
    before = memory.available_bytes()
    if text is not None:
        (tmp_path / "max").write_text(text)
        (tmp_path / "current").write_text("1000\n")
    monkeypatch.setattr(memory, "_GROUPS", [(tmp_path / "max", tmp_path / "current")])
    assert memory.available_bytes() > before // 2
