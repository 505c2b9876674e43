"""Tests of medseg.inference.outputs.case_files: each case is written by one run at a time."""

import re
import subprocess
import sys

import pytest

from medseg.inference.outputs.case_files import CaseFiles


def test_a_case_that_another_process_computes_is_not_computed_twice(tmp_path):
    files = CaseFiles(tmp_path, ".nii.gz")
    code = (
        "from medseg.inference.outputs.case_files import CaseFiles\n"
        f"with CaseFiles({str(tmp_path)!r}, '.nii.gz').claim('a'): pass"
    )
    with files.claim("a"):
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert re.search(
            r"FileExistsError: another run is computing \S+/a\.nii\.gz now: wait for it",
            other.stderr,
        )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("existing", ["refuse", "skip"])
def test_a_case_that_another_run_has_done_since_the_start_is_not_claimed(tmp_path, existing):
    (tmp_path / "a.nii.gz").touch()
    files = CaseFiles(tmp_path, ".nii.gz", existing=existing)
    with (
        pytest.raises(FileExistsError, match="written by another run at the same time"),
        files.claim("a"),
    ):
        pytest.fail("it was computed")
    with CaseFiles(tmp_path, ".nii.gz").claim("a"):
        pass
