from pathlib import PurePosixPath

import pytest

from medseg.datasets.own.file_words import IMAGE_WORDS, LABEL_WORDS, split_path


def test_no_word_says_both_what_an_image_and_what_a_label_is():
    assert not LABEL_WORDS & IMAGE_WORDS


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("a/b.nii.gz", [["a"], ["b"]]),
        ("Segmentación/p1.png", [["segmentacion"], ["p1"]]),
        ("GRÖSSE_02.nrrd", [["grosse", "02"]]),
        ("label7-left.mha", [["label", "7", "left"]]),
        ("flair7.nii", [["flair7"]]),
        ("患者1_mask.png", [["患者1", "mask"]]),
    ],
)
def test_names_are_split_at_what_is_no_letter_and_behind_a_known_word(path, words):
    assert split_path(PurePosixPath(path)) == words
