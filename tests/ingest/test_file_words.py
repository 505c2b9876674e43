from pathlib import PurePosixPath

import pytest

from medseg.ingest.file_words import (
    IMAGE_WORDS,
    LABEL_WORDS,
    Word,
    find_kind,
    make_key,
    spell,
    split_path,
)


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


def test_a_word_is_compared_by_small_letters_and_keeps_its_spelling():
    words = split_path(PurePosixPath("Blob-007_Größe.nii.gz"))[0]
    assert words == ["blob", "007", "grosse"]
    assert spell(words) == "Blob_007_Größe"
    assert spell(["plain", Word("Étude")]) == "plain_Étude"
    assert {Word("ABC"): 1}["abc"] == 1


def test_the_words_of_a_case_are_those_that_say_nothing_of_images_and_labels():
    parts = split_path(PurePosixPath("Case_7/Images/case_7_T1.nii.gz"))
    assert make_key(parts) == ("case", "7", "t1")
    assert spell(make_key(parts)) == "case_7_T1"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ct", "CT"), ("p1_NCCT", "CT"), ("MR", "other"), ("pet", "other"), ("act", ""), ("", "")],
)
def test_a_name_says_of_what_modality_an_image_is_in_a_word_of_its_own(name, kind):
    assert find_kind(name) == kind
