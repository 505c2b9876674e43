"""Studies, and outputs of a run that was not finished."""

import pytest

from medseg.datasets import phantom


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    """A phantom set: `imagesTr/liver_000.nii.gz`, ..., and the folders `dicom/liver_002`, ..."""
    root = tmp_path_factory.mktemp("phantom") / "ct"
    return phantom.write("ct", root, cases=2, test_cases=2, size=48, slices=3)


@pytest.fixture
def half_done(tmp_path):
    """Two cases, one of which has its label map in `out`."""
    for file in ("in/a.nii.gz", "in/b.nii.gz", "out/a.nii.gz"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"x")
    return tmp_path
