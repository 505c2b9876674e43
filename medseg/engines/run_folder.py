"""Run folder: each training run writes to a new folder of its own, named by its start."""

import atexit
import logging
import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import ignite.distributed as idist

from medseg.base.arguments import require_bool
from medseg.base.files import check_folder

logger = logging.getLogger(__name__)

RUNS = "runs"
"""The folder below the working directory that holds a folder of runs for each bundle."""

RESUME_FILE = "resume.pt"
_RUN_FILE, _WEIGHTS = "run.json", "models/model.pt"  # as in medseg.bundles.bundle, which is above
_NAME = "%Y-%m-%d_%H-%M-%S"


def choose_run_folder(
    name: str, *, resume: bool = False, bundle_root: str | os.PathLike | None = None
) -> str:
    """Make the folder of a new run, `runs/NAME/<date>_<time>`, or find that of the run to resume.

    In a group of processes the first one chooses for all. A folder that is still empty when the
    process ends is removed, with the folders above it that were made for it.

    Args:
        name: of the bundle.
        resume: choose the latest run that has a resume file instead.
        bundle_root: folder of the bundle; where it is a run itself, that run is the one to resume,
            and never another.

    Returns:
        The path, relative to the working directory where it lies below it.

    Raises:
        FileNotFoundError: there is no run to resume, or the run `bundle_root` cannot go on.
        OSError: the folder cannot be made.

    Example:
        >>> choose_run_folder("liver")  # doctest: +SKIP
        'runs/liver/2026-01-02_03-04-05'
    """
    chosen, problem = "", ""
    if idist.get_rank() == 0:
        try:
            if require_bool(resume, "resume"):
                chosen = _find_latest(name, bundle_root)
            else:
                chosen = str(_make_new(Path(RUNS) / name))
        except OSError as error:  # the other processes must not wait for a path
            problem = str(error)
    if idist.get_world_size() > 1:
        chosen, problem = idist.broadcast(chosen, src=0), idist.broadcast(problem, src=0)
    if problem:
        raise FileNotFoundError(problem) if resume else OSError(problem)
    return chosen


def describe_resume(resume_file: Path) -> str:
    """What is kept of a run that was interrupted, and the command that resumes it.

    Args:
        resume_file: of the run; there is none before the first epoch is complete.

    Example:
        >>> describe_resume(Path("runs/liver/1/resume.pt"))
        'no epoch is complete, so that there is nothing to resume: run it again'
    """
    if not resume_file.is_file():
        return "no epoch is complete, so that there is nothing to resume: run it again"
    run = resume_file.parent
    if (run / "configs/train.json").is_file():  # then it has its own overrides already
        command = f"to go on: medseg train -b {shlex.quote(str(run))} --resume True"
    else:
        command = "to go on, run it again with --resume True"
    return f"the complete epochs are kept; {command}"


def _find_latest(name: str, bundle_root: str | os.PathLike | None) -> str:
    if bundle_root is not None and (Path(bundle_root) / RESUME_FILE).is_file():
        return os.fspath(bundle_root)
    if bundle_root is not None and (Path(bundle_root) / _RUN_FILE).is_file():
        raise FileNotFoundError(_explain_no_state(Path(bundle_root)))
    runs = Path(RUNS) / name
    resumable = sorted(file.parent for file in runs.glob(f"*/{RESUME_FILE}"))
    if not resumable:
        raise FileNotFoundError(
            f"no run to resume in {runs.absolute()}: pass the --output_dir of the run, or "
            "--resume False to start a new one"
        )
    logger.info("resuming the latest run: %s", resumable[-1])
    return str(resumable[-1])


def _explain_no_state(run: Path) -> str:
    """Why a run cannot go on, and the command that trains with its settings instead."""
    again = f"medseg train -b {shlex.quote(str(run))}"
    if (run / _WEIGHTS).is_file():
        return (
            f"{run} has weights but no {RESUME_FILE} any more, so that it cannot go on: start a "
            f"new run with its settings, {again}"
        )
    return (
        f"no epoch of {run} is complete, it has no {RESUME_FILE}, so that there is nothing to "
        f"resume: begin it again, {again} --output_dir {shlex.quote(str(run))}"
    )


def _make_new(runs: Path) -> Path:
    """Make a new folder; a second run that starts in the same second gets a number."""
    check_folder(runs)
    new = [above.absolute() for above in (runs, *runs.parents) if not above.exists()]
    stem, number = datetime.now().strftime(_NAME), 1
    while True:
        folder = runs / (stem if number == 1 else f"{stem}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
            continue
        atexit.register(_remove_if_empty, folder.absolute(), new, os.getpid())
        return folder


def _remove_if_empty(folder: Path, above: Sequence[Path], owner: int) -> None:
    """Remove a folder of a run that holds no file, and then those above it that were new."""
    if os.getpid() != owner or not folder.is_dir():
        return
    for path in (*sorted(folder.rglob("*"), reverse=True), folder, *above):
        with suppress(OSError):  # a file, or a folder that holds one
            path.rmdir()
