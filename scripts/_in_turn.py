"""In turn: ways timed side by side, what their times depend on, and the page that tells both."""

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

REPOSITORY = Path(__file__).resolve().parent.parent


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round: one after the other, so that all meet the same machine."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def settings(*packages: str) -> dict[str, str]:
    """What the numbers depend on: hardware, versions of Python and of the packages, commit."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    git = ["git", "describe", "--always", "--dirty=, with uncommitted changes", "--abbrev=10"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False, cwd=REPOSITORY)
    return {
        "hardware": f"{cpu[0].partition(':')[2].strip() if cpu else platform.machine()}, "
        f"{os.cpu_count()} cores",
        "versions": f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in packages),
        "commit": commit.stdout.strip() or "unknown",
    }


def setting_lines(numbers: Mapping[str, Any]) -> list[str]:
    """What the numbers depend on, and the command that gave them, as a Markdown list."""
    lines = [f"- {name}: {numbers[name]}" for name in ("hardware", "versions", "commit")]
    return [*lines, f"- command: `{numbers['command']}`"]


def write(page: str, numbers: Mapping[str, Any], *, folder: Path, name: str) -> None:
    """Write a page as <name>.md, and the numbers that are in it as <name>.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(numbers, indent=2) + "\n")
    (folder / f"{name}.md").write_text(page)
