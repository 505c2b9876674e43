"""Groups of two processes that end in ways of their own; the arguments name them.

Run as a script. Each group is two forks of this process, so that packages are imported once; all
groups run at once. For each rank a line of JSON says how it ended: its exit status (a signal is
negative) and what it wrote to its standard error.
"""

import atexit
import gc
import itertools
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from medseg.base.errors import print_errors_in_one_line
from medseg.base.files import check_folder
from medseg.engines import distributed, end_group, start_group

LATE_SECONDS = 1.0
"""How long rank 1 lets rank 0 wait where it joins an operation late."""


def threads_of_the_group() -> list[str]:
    names = (path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm"))
    return [name for name in names if "gloo" in name]


def hold_the_lock() -> None:
    """Keep Python's lock until Python shuts down.

    A thread that is done with an operation now waits for the lock to let go of its tensors.
    """
    sys.setswitchinterval(1000)
    until = time.monotonic() + 2 * LATE_SECONDS
    while time.monotonic() < until:
        pass


def train_a_step() -> DistributedDataParallel:
    network = DistributedDataParallel(torch.nn.Linear(2, 2))
    network(torch.ones(1, 2)).sum().backward()
    return network


def start_to_add() -> dist.Work:
    return dist.all_reduce(torch.ones(2), async_op=True)


def ended(rank: int) -> None:
    """As a bundle that comes to its `finalize`; whoever holds the network then."""
    network = train_a_step()
    before = threads_of_the_group()
    end_group()
    after = threads_of_the_group()
    sys.stderr.write(json.dumps([len(before), len(after), type(network).__name__]))


def left(rank: int) -> None:
    """No `end_group`, and an operation of rank 0 under way while its Python shuts down."""
    train_a_step()
    if rank == 1:
        time.sleep(LATE_SECONDS)
    start_to_add()


def documented_error(rank: int) -> None:
    """Rank 0 is refused something; rank 1 notices when it next waits for it."""
    train_a_step()
    if rank == 0:
        check_folder("/proc/nowhere/at/all")
    dist.all_reduce(torch.ones(2))


def error_beside_a_stuck_process(rank: int) -> None:
    """Rank 0 has an operation under way that rank 1 never joins; it is killed in the end."""
    if rank == 1:
        time.sleep(600)
    distributed.LONGEST_FAILED_END_SECONDS = 2
    start_to_add()
    check_folder("/proc/nowhere/at/all")


def exit_3(rank: int) -> None:
    train_a_step()
    sys.exit(3)


def interrupted(rank: int) -> None:
    """Both, as by Ctrl-C."""
    train_a_step()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)


def terminated(rank: int) -> None:
    """Both, as by torchrun."""
    train_a_step()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def killed(rank: int) -> None:
    """Rank 1; rank 0 waits for it."""
    train_a_step()
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    dist.all_reduce(torch.ones(2))


def main(ways: list[str]) -> None:
    distributed.LONGEST_FAILED_END_SECONDS = 100  # on a busy machine too
    gc.freeze()  # what is imported is shared: no rank looks through it, and none copies it
    ranks = {}
    for way, rank in itertools.product(ways, (0, 1)):
        meeting = Path(tempfile.gettempdir(), f"{os.getpid()}-{way}")
        log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when the rank has ended
        pid = os.fork()
        if pid == 0:
            take_part(way, rank, f"file://{meeting}", log)
            return  # the Python of a rank ends as that of any script
        ranks[pid] = way, rank, log
    while ranks:
        pid, status = os.wait()
        way, rank, log = ranks.pop(pid)
        log.seek(0)
        found = {"way": way, "rank": rank, "status": os.waitstatus_to_exitcode(status)}
        print(json.dumps(found | {"stderr": log.read()}), flush=True)
        if way == "error_beside_a_stuck_process" and rank == 0:
            [stuck] = [other for other, (name, *_) in ranks.items() if name == way]
            os.kill(stuck, signal.SIGKILL)


def take_part(way: str, rank: int, meeting: str, log: IO[str]) -> None:
    os.dup2(log.fileno(), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
    print_errors_in_one_line()
    if way == "left":
        atexit.register(hold_the_lock)  # before the group, so that it is called after its end
    start_group("gloo", init_method=meeting, rank=rank, world_size=2)
    globals()[way](rank)


if __name__ == "__main__":
    main(sys.argv[1:])
