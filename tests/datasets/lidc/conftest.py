"""A small collection of the tests of LIDC, as published and prepared."""

import shutil

import pytest
from datasets.lidc.small_collection import PATIENTS, prepare_small

from medseg.datasets.phantom import chest
from medseg.datasets.phantom.canvas import Grid


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A small collection, read only."""
    root = tmp_path_factory.mktemp("published")
    chest.write(root, Grid(56, 12, 4.0), cases=PATIENTS, test_cases=0, seed=5)
    return root


@pytest.fixture(scope="session")
def done(published, tmp_path_factory):
    """(folder, report) of the collection prepared."""
    out = tmp_path_factory.mktemp("prepared") / "lung_nodule"
    return out, prepare_small(published, out)


@pytest.fixture
def collection(published, tmp_path):
    """A copy of the collection with one XML per scan, beside its images."""
    shutil.copytree(published / "LIDC-IDRI", tmp_path / "LIDC-IDRI")
    return tmp_path / "LIDC-IDRI"
