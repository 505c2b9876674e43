"""Memory: keep the pages that the allocator frees, instead of giving them back to the kernel.

glibc returns every large tensor to the kernel as soon as it is freed, and the next layer pays for
the same pages again in page faults; on a CPU this costs more than the arithmetic of a 2D network.
"""

import ctypes
import logging
import sys

logger = logging.getLogger(__name__)

# mallopt(3): parameter numbers from glibc's malloc.h
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_SETTINGS = {
    _M_MMAP_THRESHOLD: 2**30,  # serve blocks up to 1 GiB from the heap
    _M_TRIM_THRESHOLD: 2**31 - 1,  # never shrink the heap below 2 GiB
    _M_TOP_PAD: 256 * 2**20,  # grow the heap in steps of 256 MiB
}


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
