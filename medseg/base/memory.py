"""Memory: how much there is and was taken, and an allocator that keeps the pages which are freed.

glibc returns every large tensor to the kernel as soon as it is freed, and the next layer pays for
the same pages again in page faults; on a CPU this costs more than the arithmetic of a 2D network.
"""

import ctypes
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

logger = logging.getLogger(__name__)

# mallopt(3): parameter numbers from glibc's malloc.h
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_SETTINGS = {
    _M_MMAP_THRESHOLD: 2**29,  # serve blocks up to 512 MiB from the heap, whole volumes not
    _M_TRIM_THRESHOLD: 2**31 - 1,  # leave up to 2 GiB free at the heap's end
    _M_TOP_PAD: 256 * 2**20,  # grow the heap in steps of 256 MiB
}

_ROOT = Path("/")
_RESET_PEAK = "5"  # to clear_refs, see proc(5)


class _Hierarchy(NamedTuple):
    """A version of control groups: its controller and place, and the names of what it tells."""

    controller: str
    mount: str
    limit: str
    usage: str
    idle_cache: str


_HIERARCHIES = (
    _Hierarchy("", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    _Hierarchy(
        "memory",
        "sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def keep_freed_pages() -> bool:
    """Tell glibc's allocator to keep what is freed, for the whole process.

    Results stay the same bit for bit. Anything but Linux with glibc is left as it is.

    Returns:
        Whether the allocator took the settings.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        return all(libc.mallopt(name, value) == 1 for name, value in _SETTINGS.items())
    except (OSError, AttributeError) as error:
        logger.debug("the allocator stays as it is: %s", error)
        return False


def release_freed_memory() -> None:
    """Give the system what the allocator keeps, so that `find_available_bytes` tells of it.

    The next tensors then pay for their pages once more. Anything but glibc is left as it is.

    Source: malloc_trim(3).
    """
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError) as error:
        logger.debug("the allocator keeps what it has: %s", error)


def find_available_bytes() -> int | None:
    """Memory that this process may still take: of the machine, or of a control group if less.

    The least over its control group and all those around it. Pages of files that were not used of
    late count as free: the kernel lets go of them before a group runs out. None where the system
    does not tell.

    Source: Linux, "Control Group v2", memory.max, memory.current and
    memory.stat, and for version 1 "Memory Resource Controller".
    """
    machine = find_machine_bytes()
    left = [] if machine is None else [machine[0]]
    left += [each for kind in _HIERARCHIES for each in _list_free_bytes_of_groups(kind)]
    return max(min(left), 0) if left else None


def find_machine_bytes() -> tuple[int, int] | None:
    """Memory of this machine that is available, and all of it, whatever a control group allows.

    None where the system does not tell.
    """
    import psutil  # not at the top: a command line that needs no memory starts without it

    try:
        memory = psutil.virtual_memory()
    except OSError:  # there is no /proc
        return None
    return memory.available, memory.total


def measure_resident_peak(*, reset: bool) -> int:
    """The largest resident size of this process so far, in bytes; `reset` forgets it first.

    Only Linux can forget it. Not for Windows.

    Source: proc(5), clear_refs and VmHWM; getrusage(2).
    """
    clear = _ROOT / "proc/self/clear_refs"
    if clear.exists():
        if reset:
            clear.write_text(_RESET_PEAK)
        if peak := _read_field(_ROOT / "proc/self/status", "VmHWM:"):
            return peak * 1024
    import resource  # which Windows lacks

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _list_free_bytes_of_groups(kind: _Hierarchy) -> Iterator[int]:
    """What is left to the group of this process, and to each around it, where there is a limit."""
    mount = _ROOT / kind.mount
    own = mount / _find_own_group(kind.controller)
    for group in (own, *own.parents):
        if not group.is_relative_to(mount):
            return
        try:
            limit, usage = (int((group / name).read_text()) for name in (kind.limit, kind.usage))
        except (OSError, ValueError):  # no such file, or "max"
            continue
        yield limit - usage + (_read_field(group / "memory.stat", kind.idle_cache) or 0)


def _find_own_group(controller: str) -> str:
    """The group of this process, as a path below the mount; "" where the system does not tell.

    In a container it may be the path outside, of which nothing is there: its own group is then what
    is mounted.
    """
    try:
        lines = (_ROOT / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ""
    rows = (line.split(":", 2) for line in lines)  # number, controllers, path
    found = (path for _, names, path in rows if controller in names.split(","))
    return next(found, "").lstrip("/")


def _read_field(path: Path, name: str) -> int | None:
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return None
    return next((int(row[1]) for row in rows if row[:1] == [name]), None)
