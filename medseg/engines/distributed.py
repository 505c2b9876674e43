"""Distributed: start the group of processes of a run, and end it however the process ends.

A group has threads of its own (gloo's work loop, NCCL's watchdog), and the last thing that such a
thread does for an operation is to release its tensors, for which it needs Python's lock. If Python
is already shutting down, it ends the thread, and C++ aborts the process: "terminate called without
an active exception", exit status -6, although the run succeeded.
`torch.distributed.destroy_process_group` alone does not end these threads, for every
`DistributedDataParallel` keeps the group alive. So the group ends here, threads included, while
Python still runs.

Source: PyTorch's issue 190489; Python's `Py_FinalizeEx`; torch/csrc/PyInterpreter.cpp, `decref`.
"""

import atexit
import faulthandler
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ignite.distributed as idist
import torch.distributed as dist
from torch.nn.parallel import DataParallel, DistributedDataParallel

from medseg.base.errors import AFTER_INTERRUPT

LONGEST_END_SECONDS = 300
"""How long it may take to leave a group; NCCL on many machines needs some seconds."""
LONGEST_FAILED_END_SECONDS = 10
"""The same after an error: another process may never take part in an operation then."""

_UNCAUGHT = ("last_exc", "last_type", "last_value", "last_traceback")
"""Where Python keeps an error that nothing caught, and with it the locals of every frame."""


def start_group(backend: str, **options: Any) -> None:
    """Join the processes of a run; the group ends with this process at the latest.

    From now on SIGTERM, which torchrun sends where another process has failed, ends this process as
    before, but with one line that says so. A handler that is there already stays.

    Args:
        backend: "gloo" or "nccl".
        options: go to `ignite.distributed.initialize`; by default torchrun's variables say who
            takes part.

    Example:
        >>> start_group("gloo")
    """
    idist.initialize(backend, **options)
    atexit.register(_end_with_process)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and _is_main_thread():
        signal.signal(signal.SIGTERM, _stop)


def end_group() -> None:
    """Leave the group and wait for the end of its threads; without a group nothing happens.

    Networks in `DistributedDataParallel` cannot be used any more. It waits for operations in which
    other processes have not yet taken part; after `LONGEST_END_SECONDS`, or
    `LONGEST_FAILED_END_SECONDS` where an error has been printed, the process ends at once with exit
    status 1.

    Example:
        >>> end_group()
    """
    if not dist.is_initialized():
        return
    if signal.getsignal(signal.SIGTERM) is _stop and _is_main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # an error has said enough
    group: Any = dist.group.WORLD
    failed = _has_failed()
    seconds = LONGEST_FAILED_END_SECONDS if failed else LONGEST_END_SECONDS
    _drop_other_references()
    with _end_after(seconds, quiet=failed):
        idist.finalize()
        del group  # the last reference: it waits for the threads, without Python's lock


def _drop_other_references() -> None:
    """Drop what wrapped networks, and the frames of an error that nothing caught, refer to."""
    for wrapper in [each for each in gc.get_objects() if type(each) is DistributedDataParallel]:
        for name in ("logger", "reducer", "process_group"):  # a logger holds its reducer
            wrapper.__dict__.pop(name, None)
    if _has_failed():
        for name in _UNCAUGHT:
            sys.__dict__.pop(name, None)
        gc.collect()


@contextmanager
def _end_after(seconds: float, *, quiet: bool) -> Iterator[None]:
    """End the process with status 1 if the block takes longer; unless quiet, log where it was."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with open(os.devnull, "w") as nowhere:
        place = nowhere if quiet else sys.__stderr__ or nowhere
        faulthandler.dump_traceback_later(seconds, exit=True, file=place)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def _end_with_process() -> None:
    """End the group of a process that did not reach `end_group`: an error, an interruption."""
    if dist.is_initialized() and _is_main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would break off the end
    end_group()


def _stop(number: int, frame: Any) -> None:
    """End the process by the signal; say so in one line if no error is being reported already."""
    if not _has_failed():
        text = "stopped by SIGTERM, which torchrun sends where another process ended"
        os.write(2, f"[rank{idist.get_rank()}]: {text}; {AFTER_INTERRUPT}\n".encode())
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _has_failed() -> bool:
    return any(hasattr(sys, name) for name in _UNCAUGHT)


def _is_main_thread() -> bool:
    """Whether this thread is the one that may set signals."""
    return threading.current_thread() is threading.main_thread()


def unwrap(network: Any) -> Any:
    """The network inside `DistributedDataParallel` or `DataParallel`; anything else as it is.

    Its state dict has the same keys whatever the number of processes.

    Example:
        >>> unwrap(torch.nn.DataParallel(torch.nn.Identity()))
        Identity()
    """
    if isinstance(network, (DataParallel, DistributedDataParallel)):
        return network.module
    return network
