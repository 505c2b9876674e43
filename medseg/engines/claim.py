"""Claim: the files of a run that no other run may write at the same time."""

import os
from pathlib import Path

import ignite.distributed as idist

from medseg.files import hold
from medseg.watch import remember


def claim_weights(path: str | os.PathLike) -> None:
    """Hold the file of the best weights until this process ends; the first process does it for all.

    From now on `medseg.watch` notices when its folder is removed, moved or replaced.

    Of two runs that write one file, each would replace the best of the other. Reading needs no
    claim: the file is replaced whole. A process that is killed lets it go.

    Raises:
        FileExistsError: another process holds it.
        OSError: its folder cannot be made or written.

    Example:
        >>> claim_weights("models/model.pt")
    """
    file = Path(path)
    if idist.get_rank() != 0:
        return
    lock = file.parent.resolve() / f".{file.name}.lock"
    if not hold(lock):
        raise FileExistsError(
            f"another run is writing its best weights to {file}: wait for it, or pass --weights "
            "with another file"
        )
    remember(file.parent, mark=lock.name)


def claim_folder(resume_file: str | os.PathLike) -> None:
    """Hold the folder of a run likewise, by a lock beside its resume file.

    Raises:
        FileExistsError: another process holds it.
        OSError: the folder cannot be made or written.
    """
    file = Path(resume_file)
    if idist.get_rank() != 0:
        return
    lock = file.resolve().with_suffix(".lock")
    if not hold(lock):
        raise FileExistsError(
            f"another process is training in {file.parent}: wait for it, or pass another "
            "--output_dir"
        )
    remember(file.parent, mark=lock.name)
