"""Phantoms that several tests read, each written once."""

import pytest
from datasets.phantom.written_files import CASES, SIZE, SLICES, TEST_CASES, read_picture

from medseg.datasets import phantom
from medseg.datasets.phantom import street
from medseg.datasets.phantom.canvas import Grid


@pytest.fixture(scope="session")
def city(tmp_path_factory):
    """Seven label images of the phantom, and their pictures."""
    tmp_path = tmp_path_factory.mktemp("city")
    street.write_city(tmp_path, Grid(48, 1, 1.0), cases=7, test_cases=0, seed=0)
    found = sorted(tmp_path.glob("gtFine/train/*/*_gtFine_labelIds.png"))
    images = sorted(tmp_path.glob("leftImg8bit/train/*/*_leftImg8bit.png"))
    return [read_picture(path) for path in found], [read_picture(path) for path in images]


@pytest.fixture(scope="session")
def ct_root(tmp_path_factory):
    """A phantom of five small cases."""
    out = tmp_path_factory.mktemp("phantom") / "ct"
    return phantom.write(
        "ct", out, cases=CASES, test_cases=TEST_CASES, seed=7, size=SIZE, slices=SLICES
    )
