"""Tests of medseg.memory."""

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
