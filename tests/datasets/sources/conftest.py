"""The sources of the tests of published files."""

import pytest
from datasets.sources.published_source import pack, unpack


@pytest.fixture(params=["folder", "archive"])
def source(request, tmp_path):
    """A function that holds files in a folder or in an archive."""
    if request.param == "folder":
        return lambda files: unpack(files, tmp_path / "set")
    return lambda files: pack(files, tmp_path / "set.zip")
