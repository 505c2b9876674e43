"""Memory: how much there is, and an allocator that keeps the pages which are freed.

glibc returns every large tensor to the kernel as soon as it is freed, and the next layer pays for
the same pages again in page faults; on a CPU this costs more than the arithmetic of a 2D network.
"""

import ctypes
import logging
import sys
from pathlib import Path

logger = logging.getLogger(__name__)

# mallopt(3): parameter numbers from glibc's malloc.h
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_SETTINGS = {
    _M_MMAP_THRESHOLD: 2**29,  # serve blocks up to 512 MiB from the heap, whole volumes not
    _M_TRIM_THRESHOLD: 2**31 - 1,  # never shrink the heap below 2 GiB
    _M_TOP_PAD: 256 * 2**20,  # grow the heap in steps of 256 MiB
}

_CGROUP = Path("/sys/fs/cgroup")
_GROUPS = (
    (_CGROUP / "memory.max", _CGROUP / "memory.current"),
    (_CGROUP / "memory/memory.limit_in_bytes", _CGROUP / "memory/memory.usage_in_bytes"),
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


def available_bytes() -> int | None:
    """Memory that this process may still take: of the machine, or of its control group if less.

    None where the system does not tell.

    Source: proc(5), MemAvailable; Linux, "Control Group v2", memory.max and memory.current.
    """
    machine = _field(Path("/proc/meminfo"), "MemAvailable:")
    limits = [] if machine is None else [machine * 1024]
    for most, used in _GROUPS:
        try:
            limits.append(int(most.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return max(min(limits), 0) if limits else None


def _field(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), None)
