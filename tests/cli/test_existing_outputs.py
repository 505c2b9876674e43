"""Tests of medseg.cli.existing_outputs: an output that is there is refused at once."""

import subprocess
import sys

import pytest

from medseg.cli.existing_outputs import refuse_outputs_of_volume


@pytest.fixture
def study(tmp_path):
    (tmp_path / "ct_0000.nii.gz").touch()
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "ct.nii.gz").touch()
    return tmp_path


def test_the_label_map_of_a_volume_is_refused(study):
    said = r"1 of 1 case would write over outputs in .*masks \(ct\): pass --existing skip or"
    with pytest.raises(ValueError, match=said):
        refuse_outputs_of_volume(study / "ct_0000.nii.gz", study / "masks", words=["--level", "2"])


@pytest.mark.parametrize("words", [["--existing", "skip"], ["--existing=overwrite"]])
def test_what_is_said_of_outputs_counts(study, words):
    refuse_outputs_of_volume(study / "ct_0000.nii.gz", study / "masks", words=words)


def test_a_folder_and_another_output_pass(study):
    refuse_outputs_of_volume(study, study / "masks", words=[])
    refuse_outputs_of_volume(study / "ct_0000.nii.gz", study / "other", words=[])


SLOW = """
import sys
from medseg.cli.app import main
sys.argv = ["medseg", *sys.argv[1:]]
try:
    main()
finally:
    assert not {"torch", "monai"} & sys.modules.keys(), "imported for nothing"
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["segment", "ct_0000.nii.gz", "-o", "masks"], "would write over outputs"),
        (["segment", "empty", "-o", "new"], "holds no case, it is empty"),
        (
            ["segment", "ct_0000.nii.gz", "-o", "new", "--seg", "null", "--sr", "True"],
            "seg is null",
        ),
        (["segment", "ct_0000.nii.gz", "-o", "new", "--device", "gpu"], "device is 'gpu'"),
        (["report", "--before", "none", "--after", "masks", "-o", "new"], "no such file or folder"),
    ],
)
def test_what_can_be_checked_at_once_is_refused_before_torch_is_imported(study, words, said):
    (study / "empty").mkdir()
    (study / "ct_0000.nii.gz").write_bytes(b"no header")
    bundle = ["-b", "hippocampus"] if words[0] == "segment" else []
    done = subprocess.run(
        [sys.executable, "-c", SLOW, *words, *bundle], cwd=study, capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "imported for nothing" not in done.stderr
