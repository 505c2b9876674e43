"""Commands: a user's command lines, each in a process of its own that need not import again.

Importing torch and MONAI takes Python longer than most of these commands take. So a server imports
them once, does nothing else, and forks for every command: as a fresh interpreter would, the child
has its own working directory, output, exit status and state of every module.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from multiprocessing.process import BaseProcess
from pathlib import Path

LONGEST_SECONDS = 900

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    ["monai.bundle.scripts", "tensorboard", "medseg.cli.app", "medseg.engines", "medseg.inference"]
)


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE ARGUMENT ...` or `python -c CODE ARGUMENT ...` to its end in `cwd`."""
    with tempfile.TemporaryDirectory() as folder:
        process = start(command, cwd, out=Path(folder))
        process.join(LONGEST_SECONDS)
        if process.is_alive():
            process.kill()
            raise TimeoutError(f"not at its end after {LONGEST_SECONDS} s: {command}")
        said, complained = ((Path(folder) / name).read_text() for name in ("stdout", "stderr"))
    return subprocess.CompletedProcess(command, process.exitcode, said, complained)


def start(command: list[str], cwd: Path, *, out: Path) -> BaseProcess:
    """Start a command as `run` does; it writes to the files stdout and stderr of the folder."""
    interpreter, *words = command
    if interpreter != sys.executable or words[0] not in ("-m", "-c"):
        raise ValueError(f"a command starts with {sys.executable} -m or -c, got {command[:2]}")
    process = _SERVER.Process(target=_obey, args=(words, str(cwd), str(out)))
    process.start()
    return process


def _obey(words: list[str], cwd: str, out: str) -> None:
    """In the child: be the interpreter of that command line."""
    for stream, name in ((1, "stdout"), (2, "stderr")):
        with open(os.path.join(out, name), "wb") as file:
            os.dup2(file.fileno(), stream)
    os.chdir(cwd)
    option, what, *arguments = words
    sys.argv = ["-c" if option == "-c" else what, *arguments]
    sys.path.insert(0, cwd)
    try:
        if option == "-c":
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
        else:
            runpy.run_module(what, run_name="__main__", alter_sys=True)
    except Exception:
        sys.excepthook(*sys.exc_info())  # as the interpreter does, by the hook the program has set
        sys.exit(1)
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves without them
