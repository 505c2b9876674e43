"""Fixtures of the tests of scripts."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def script(repository: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Loads a script by its name; it finds those beside it, as where it is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(repository / "scripts")
        yield importlib.import_module
