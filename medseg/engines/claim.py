"""Claim: lock the files of a run, so that no other run writes or resumes them meanwhile."""

import logging
import os
from pathlib import Path

import ignite.distributed as idist

from medseg.base.files import set_aside
from medseg.base.lock import hold
from medseg.base.text import count_noun
from medseg.base.watch import remember

logger = logging.getLogger(__name__)

INTERRUPTED = "interrupted"
"""The folder, inside that of a run, for curves of a run that ended in its first epoch."""


def claim_weights(
    path: str | os.PathLike, *, output_dir: str | os.PathLike | None = None, resume: bool = False
) -> None:
    """Hold the file of the best weights until this process ends; the first process does it for all.

    From now on `medseg.base.watch` notices when its folder is removed, moved or replaced.

    If two runs wrote one file, each would replace the best weights of the other. Reading needs no
    claim, since the file is replaced whole. A claim ends with its process, even a killed one.

    Args:
        path: the file.
        output_dir: folder of the run; None for a file that was checked already.
        resume: whether the run goes on, so that the file may be its own.

    Raises:
        FileExistsError: another process holds it, or it holds the weights of another run or bundle.
        OSError: its folder cannot be made or written.

    Example:
        >>> claim_weights("models/model.pt")
    """
    file = Path(path)
    if idist.get_rank() != 0:
        return
    if output_dir is not None and not resume:
        _refuse_weights_of_others(file, Path(output_dir))
    lock = file.parent.resolve() / f".{file.name}.lock"
    if not hold(lock):
        raise FileExistsError(
            f"another run is writing its best weights to {file}: wait for it, or pass --weights "
            "with another file"
        )
    remember(file.parent, mark=lock.name)


def _refuse_weights_of_others(file: Path, output_dir: Path) -> None:
    """Refuse a file in another bundle or run: its scores and documents would no longer be true."""
    owner = file.resolve().parent.parent
    is_bundle = (owner / "configs").is_dir()
    if is_bundle and file.exists() and owner != output_dir.resolve():
        raise FileExistsError(
            f"a training does not overwrite {file}, the weights of {owner}: leave out --weights, "
            "and the run saves them in its own folder; medseg bundles publish gives them to a "
            "bundle"
        )


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


def set_curves_aside(resume_file: str | os.PathLike) -> None:
    """Move curves of TensorBoard that an interrupted run left where there is nothing to resume.

    TensorBoard shows all files of one folder as one curve, so that the first steps of a killed run
    would appear in the curve of the next one. The old curves go into the folder `interrupted`
    beside them, a run of its own in TensorBoard. Call it once the folder is held, before a handler
    opens a file.

    Args:
        resume_file: of the run; where it exists, its curves go on and stay where they are.

    Raises:
        OSError: they cannot be moved.
    """
    file = Path(resume_file)
    if idist.get_rank() != 0 or file.exists():
        return
    curves = sorted(file.parent.glob("events.out.tfevents.*"))
    for curve in curves:
        set_aside(curve, file.parent / INTERRUPTED)
    if curves:
        logger.warning(
            "%s of an interrupted run moved to %s",
            count_noun(len(curves), "file with curves", plural="files with curves"),
            file.parent / INTERRUPTED,
        )
