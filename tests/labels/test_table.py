"""Tests of medseg.labels."""

import numpy as np
import pytest

from medseg.labels import (
    ANATOMY,
    BACKGROUND,
    BRIGHT_COLOURS,
    COLOURS,
    Code,
    Label,
    LabelTable,
    make_table,
)

LIVER = make_table({"liver": [1], "tumour": [2]})
LIVER_LABEL = LIVER["liver"]


def _dicom(code):
    return Code(code.value, code.scheme_designator, code.meaning)


def test_classes_are_numbered_in_order_after_the_background():
    assert [(label.index, label.name) for label in LIVER] == [
        (0, "background"),
        (1, "liver"),
        (2, "tumour"),
    ]
    assert make_table(["liver", "tumour"]) == LIVER


def test_the_label_of_a_class_that_encloses_others_says_what_its_voxels_are():
    tumours = make_table(
        {"whole tumour": [1, 2, 3], "core": [2, 3], "enhancing": [3], "other": [4]}
    )
    assert [label.name for label in tumours.foreground] == [
        *("whole tumour outside core", "core outside enhancing", "enhancing", "other"),
    ]
    assert [label.members for label in tumours] == [None, (1, 2, 3), (2, 3), None, None]


def test_a_class_that_encloses_two_side_by_side_names_both():
    assert make_table({"kidney": [1, 2, 3], "tumour": [2], "cyst": [3]})[1].name == (
        "kidney outside tumour, cyst"
    )


def test_a_class_of_an_unknown_name_has_no_codes():
    assert make_table(["anterior"])[1].type is None


def test_channel_def_has_the_form_of_bundle_metadata():
    assert make_table(["liver"]).channel_def == {"0": "background", "1": "liver"}


def test_colours_turn_a_mask_into_rgb():
    mask = np.array([[0, 2]])
    assert LIVER.colours[mask].tolist() == [[[0, 0, 0], list(LIVER[2].rgb)]]
    assert LIVER.colours.dtype == np.uint8


def test_colours_are_those_asked_for_and_begin_again():
    assert make_table(["a"], colours=BRIGHT_COLOURS)[1].rgb == BRIGHT_COLOURS[0]
    assert make_table(list("abc"), colours=COLOURS[:2])[3].rgb == COLOURS[0]


def test_a_label_is_found_by_index_and_by_name():
    assert LIVER[1] is LIVER["liver"]
    assert len(LIVER) == 3
    assert [label.index for label in LIVER.foreground] == [1, 2]


def test_an_unknown_label_is_refused_with_the_known_ones():
    with pytest.raises(KeyError, match="no label 'spleen': the table has background, liver"):
        LIVER["spleen"]


def test_a_class_named_background_is_refused():
    with pytest.raises(ValueError, match=r"names .* repeat"):
        make_table(["background"])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((BACKGROUND, LIVER_LABEL, LIVER_LABEL), r"indices \[0, 1, 1\] repeat"),
        (
            (BACKGROUND, LIVER_LABEL, Label(2, "liver", (1, 2, 3), ANATOMY, ANATOMY)),
            "names .* repeat",
        ),
        ((LIVER_LABEL,), r"indices are \[1\]: count from 0"),
        ((BACKGROUND, LIVER[2]), r"indices are \[0, 2\]: count from 0"),
        ((), "count from 0"),
    ],
)
def test_a_table_that_repeats_or_skips_is_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        LabelTable(labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((256, "liver", (0, 0, 0), ANATOMY, ANATOMY), "index 256 is out of range"),
        ((1, " ", (0, 0, 0), ANATOMY, ANATOMY), "label 1 has an empty name"),
        ((1, "liver", (0, 0, 256), ANATOMY, ANATOMY), r"colour \(0, 0, 256\)"),
        ((1, "liver", (0, 0, 0), ANATOMY), "'liver' has one code"),
    ],
)
def test_a_label_out_of_range_or_with_half_its_codes_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Label(*arguments)
