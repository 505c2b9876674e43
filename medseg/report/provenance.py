"""Provenance: with what a command ran: versions, commit, command line, device and memory."""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import medseg
from medseg.base.memory import measure_resident_peak
from medseg.networks.device import find_device_name

_PART_BYTES = 2**20
_PACKAGES = (
    *("torch", "monai", "numpy", "pytorch-ignite"),
    *("pydicom", "highdicom", "SimpleITK"),
)


def describe_provenance(
    device: str | torch.device, *, packages: Sequence[str] = ()
) -> dict[str, Any]:
    """What a command runs with.

    Args:
        device: that computes.
        packages: that it uses beside those that each command does.

    Returns:
        `command`, as it was typed; `commit` of medseg, where it runs from a checkout; `versions`;
        `device` and `threads`.

    Example:
        >>> sorted(describe_provenance("cpu"))
        ['command', 'commit', 'device', 'threads', 'versions']
    """
    return {
        "command": shlex.join(sys.argv),
        "commit": _find_commit(),
        "versions": {"medseg": medseg.__version__, "python": sys.version.split()[0]}
        | {name: version(name) for name in (*_PACKAGES, *packages)},
        "device": find_device_name(torch.device(device)),
        "threads": torch.get_num_threads(),
    }


def format_now() -> str:
    """The time with its zone, to the second: "2026-01-02T03:04:05+01:00"."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def measure_peak_memory() -> dict[str, int]:
    """The most memory that this process took, in bytes, and of a GPU, where there is one."""
    peak = {"process": measure_resident_peak(reset=False)}
    if torch.cuda.is_available():
        peak["gpu"] = torch.cuda.max_memory_allocated()
    return peak


def hash_file(path: str | os.PathLike) -> str | None:
    """The SHA-256 of a file; None where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while part := file.read(_PART_BYTES):
                digest.update(part)
    except OSError:
        return None
    return digest.hexdigest()


def _find_commit() -> str | None:
    """The commit of medseg, if it runs from a checkout; "+" follows where files were changed."""
    root = Path(medseg.__file__).parent.parent
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    found = [
        subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=False
        )
        for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"])
    ]
    if found[0].returncode:
        return None
    return found[0].stdout.strip() + ("+" if found[1].stdout.strip() else "")
