"""Run the command line in tests, in this process or in one of its own."""

import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner, Result

from medseg.cli import app

REPOSITORY = Path(__file__).resolve().parents[2]
LONG_UID = "1.2.826.0.1.3680043.8.498.12345678901234567890"
PAGE = " (see docs/how-to/override-a-config.md)"


def run_medseg(*words: str | Path, typed: str = "") -> Result:
    """What `medseg` with these words ends with, given what is typed on a terminal."""
    return CliRunner().invoke(app.app, [str(word) for word in words], input=typed)


def run_python(code: str, *, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """What a new Python process ends with."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)
