"""Time side by side: time several ways in turn, and write the times and the machine to a page."""

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from medseg.networks.device import find_device_name

REPOSITORY = Path(__file__).resolve().parent.parent


def time_side_by_side(
    ways: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, list[float]]:
    """Seconds of each way in each round: one after the other, so that all meet the same machine."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def compute_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def read_settings(*packages: str) -> dict[str, str]:
    """What the numbers depend on: hardware, versions of Python and of the packages, commit."""
    return {
        "hardware": f"{find_device_name(torch.device('cpu'))}, {os.cpu_count()} cores",
        "versions": f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in packages),
        "commit": _commit(),
    }


def _commit() -> str:
    """The commit of this checkout; pages of benchmarks that were just written change nothing."""
    head = _git("rev-parse", "--short=10", "HEAD").stdout.strip()
    if not head:
        return "unknown"
    unchanged = _git("diff", "--quiet", "HEAD", "--", ".", ":(exclude)docs/benchmarks")
    return f"{head}, with uncommitted changes" if unchanged.returncode else head


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["git", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)


def format_settings(numbers: Mapping[str, Any]) -> list[str]:
    """What the numbers depend on, and the command that gave them, as a Markdown list."""
    lines = [f"- {name}: {numbers[name]}" for name in ("hardware", "versions", "commit")]
    return [*lines, f"- command: `{numbers['command']}`"]


def write(page: str, numbers: Mapping[str, Any], *, folder: Path, name: str) -> None:
    """Write a page as <name>.md, and the numbers that are in it as <name>.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(numbers, indent=2) + "\n")
    (folder / f"{name}.md").write_text(page)
