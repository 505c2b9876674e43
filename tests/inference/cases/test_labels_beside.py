"""Tests of medseg.inference.cases.labels_beside."""

from pathlib import Path

import pytest

from medseg.base.text import LeftOut
from medseg.inference.cases.labels_beside import drop_labels, is_label


def keep(text):
    """The names that are kept of some, and what is said of the others."""
    left = LeftOut()
    return " ".join(file.name for file in drop_labels([*map(Path, text.split())], left)), str(left)


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        ("a.nii.gz a_seg.nii.gz b.nii.gz b-label.nii.gz", "a.nii.gz b.nii.gz"),
        ("a_0000.nii.gz a_mask.nrrd", "a_0000.nii.gz"),
        ("image_7.png mask7.png", "image_7.png"),
        ("ct.nii seg.nii", "ct.nii"),
    ],
)
def test_a_label_beside_its_image_is_left_out_and_named(files, kept):
    found, said = keep(files)
    assert found == kept
    assert all(name in said for name in files.split() if name not in kept.split())
    assert "named like a label of one of them" in said


@pytest.mark.parametrize(
    "files",
    [
        "a_seg.nii b_seg.nii",  # nothing but labels: what they are is told by reading them
        "a.nii b_seg.nii",
        "a.nii b.nii mask.nii",
        "a.nii segment.nii",
    ],
)
def test_what_has_no_image_beside_it_stays_a_case(files):
    assert keep(files) == (files, "")


def test_the_words_of_a_channel_make_no_label():
    assert is_label("a_mask.nii")
    assert not is_label("a_mask.nii", channels=["t1", "lung mask"])
