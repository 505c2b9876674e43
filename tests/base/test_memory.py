"""Tests of medseg.base.memory."""

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from medseg.base import memory

needs_glibc = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="needs Linux with glibc"
)

_COUNT_FAULTS = """
import resource, sys
import numpy as np
from medseg.base.memory import keep_freed_pages
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


KEPT = """
import numpy
from pathlib import Path
from medseg.base.memory import release_freed_memory, keep_freed_pages

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

keep_freed_pages()
before = resident()
filled = [numpy.ones(2**23) for _ in range(6)]
del filled[::2]
kept = resident()
release_freed_memory()
print(kept - before, resident() - before)
"""


@needs_glibc
def test_what_is_kept_is_handed_back_even_between_what_is_in_use():
    run = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, check=True)
    kept, left = map(int, run.stdout.split())
    assert kept > 5.9 * 2**26
    assert 2.9 * 2**26 < left < 4 * 2**26


def test_an_allocator_without_trimming_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    memory.release_freed_memory()


def test_what_is_available_is_less_than_what_the_machine_has():
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory.find_available_bytes() <= total


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system of its own, with 1000 kB free; gives a function that writes a file of it."""
    monkeypatch.setattr(memory, "_ROOT", tmp_path)
    sizes = SimpleNamespace(available=1000 * 1024, total=9000 * 1024)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: sizes)

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    return write


def group(write, path, *, limit, usage, inactive_file=0):
    """A control group of version 2, with some of what it tells besides."""
    folder = f"sys/fs/cgroup/{path}"
    write(f"{folder}/memory.max", f"{limit}\n")
    write(f"{folder}/memory.current", f"{usage}\n")
    text = f"anon 7\nfile 9\nactive_file 70\ninactive_file {inactive_file}\nslab 3\n"
    write(f"{folder}/memory.stat", text)


def test_without_control_groups_it_is_what_the_machine_has_left(system):
    assert memory.find_available_bytes() == 1000 * 1024


def test_the_group_of_a_container_counts_where_it_is_mounted(system):
    system("proc/self/cgroup", "0::/\n")
    group(system, "", limit=3000, usage=1000)
    assert memory.find_available_bytes() == 2000


@pytest.mark.parametrize("path", ["/docker/4f1e", "/../4f1e"])
def test_a_group_whose_path_is_that_outside_the_container_is_the_one_mounted(system, path):
    system("proc/self/cgroup", f"0::{path}\n")
    group(system, "", limit=3000, usage=1000)
    assert memory.find_available_bytes() == 2000


def test_pages_of_files_that_were_only_read_count_as_free(system):
    system("proc/self/cgroup", "0::/\n")
    group(system, "", limit=3000, usage=2900, inactive_file=2500)
    assert memory.find_available_bytes() == 3000 - 2900 + 2500


@pytest.mark.parametrize(
    ("limits", "least"),
    [((9000, 5000, 3000), 2000), ((9000, 2500, 3000), 1500), ((1700, "max", 3000), 700)],
)
def test_the_least_over_nested_groups_counts(system, limits, least):
    system("proc/self/cgroup", "1:name=systemd:/elsewhere\n0::/slurm/job:7\n")
    for path, limit in zip(("", "slurm", "slurm/job:7"), limits, strict=True):
        group(system, path, limit=limit, usage=1000)
    group(system, "slurm/job", limit=10, usage=1)
    group(system, "elsewhere", limit=10, usage=1)
    assert memory.find_available_bytes() == least


def test_a_group_of_version_1_counts_with_those_below_it(system):
    system("proc/self/cgroup", "5:cpu,memory:/job\n4:cpuset:/\n0::/\n")
    for path, limit in (("", 2**63 - 4096), ("/job", 4000)):
        folder = f"sys/fs/cgroup/memory{path}"
        system(f"{folder}/memory.limit_in_bytes", f"{limit}\n")
        system(f"{folder}/memory.usage_in_bytes", "3000\n")
        system(f"{folder}/memory.stat", "inactive_file 1\ntotal_inactive_file 500\n")
    assert memory.find_available_bytes() == 4000 - 3000 + 500


def test_a_full_group_has_nothing_left(system):
    system("proc/self/cgroup", "0::/\n")
    group(system, "", limit=3000, usage=3100)
    assert memory.find_available_bytes() == 0


def test_a_group_without_a_limit_does_not_count(system):
    system("proc/self/cgroup", "0::/\n")
    group(system, "", limit="max", usage=1000)
    assert memory.find_available_bytes() == 1000 * 1024


def test_a_system_that_does_not_tell_is_not_guessed(tmp_path, monkeypatch):
    def fail():
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr(memory, "_ROOT", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", fail)
    assert memory.find_available_bytes() is None
    assert memory.find_machine_bytes() is None


def test_a_control_group_does_not_change_the_memory_of_the_machine(system):
    system("proc/self/cgroup", "0::/\n")
    group(system, "", limit=3000, usage=1000)
    assert memory.find_machine_bytes() == (1000 * 1024, 9000 * 1024)
