"""Shared fixtures."""

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# One thread: small networks are faster so, and tests side by side do not wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of the real data; skips where it is absent."""
    root = Path(os.environ.get("MEDSEG_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (root / "README.md").is_file():
        pytest.skip(f"no real data in {root}: set MEDSEG_TEST_DATA")
    return root


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that two workers end at about the same time."""
    longest = ("test_liver_bundle", "integration", "networks")
    items.sort(key=lambda item: [name not in item.nodeid for name in longest])


@pytest.fixture(autouse=True)
def _eager_unless_marked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps OpenVINO out of the processes of all other tests: some of these have died of it."""
    predictor = sys.modules.get("medseg.inference.predictor.predictor")
    if predictor is not None and request.node.get_closest_marker("openvino") is None:
        monkeypatch.setattr(predictor, "_choose_fastest", lambda offered: "eager")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Takes away what a bundle's logging.conf leaves: a handler on a stream of the test, a level.

    The level is set before the test as well: a fixture of a whole module may have run a bundle.
    """
    root = logging.getLogger()
    handlers = list(root.handlers)
    root.setLevel(logging.WARNING)
    yield
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)
