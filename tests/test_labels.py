"""Tests of medseg.labels."""

import numpy as np
import pytest
from pydicom.sr.codedict import codes

from medseg.labels import ANATOMY, BACKGROUND, LIVER, LIVER_WHOLE, TABLES, Label, LabelTable

LIVER_LABEL = LIVER["liver"]


def _tuple(code):
    return code.value, code.scheme, code.meaning


def _dicom(code):
    return code.value, code.scheme_designator, code.meaning


def test_liver_table_numbers_labels_as_lits_does():
    assert [(label.index, label.name) for label in LIVER] == [
        (0, "background"),
        (1, "liver"),
        (2, "liver tumour"),
    ]


def test_codes_are_those_of_the_dicom_context_groups():
    assert _tuple(LIVER["liver"].category) == _dicom(codes.cid7150.AnatomicalStructure)
    assert _tuple(LIVER["liver"].type) == _dicom(codes.SCT.Liver)
    tumour = LIVER["liver tumour"]
    assert _tuple(tumour.category) == _dicom(codes.cid7150.MorphologicallyAbnormalStructure)
    assert _tuple(tumour.type) == _dicom(codes.SCT.Neoplasm)


def test_channel_def_has_the_form_of_bundle_metadata():
    assert LIVER_WHOLE.channel_def == {"0": "background", "1": "liver"}


def test_colours_turn_a_mask_into_rgb():
    mask = np.array([[0, 2]])
    assert LIVER.colours[mask].tolist() == [[[0, 0, 0], list(LIVER[2].rgb)]]
    assert LIVER.colours.dtype == np.uint8


def test_a_label_is_found_by_index_and_by_name():
    assert LIVER[1] is LIVER["liver"]
    assert len(LIVER) == 3
    assert [label.index for label in LIVER.foreground] == [1, 2]


def test_an_unknown_label_is_refused_with_the_known_ones():
    with pytest.raises(KeyError, match="no label 'spleen': the table has background, liver"):
        LIVER["spleen"]


def test_named_tables_begin_with_background():
    assert set(TABLES) == {"liver", "liver_whole"}
    assert all(table[0] is BACKGROUND for table in TABLES.values())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((BACKGROUND, LIVER_LABEL, LIVER_LABEL), r"indices \[0, 1, 1\] repeat"),
        (
            (BACKGROUND, LIVER_LABEL, Label(2, "Liver", (1, 2, 3), ANATOMY, ANATOMY)),
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
        ((1, "liver", (0, 0, 0)), "'liver' has no codes"),
    ],
)
def test_a_label_out_of_range_or_without_codes_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Label(*arguments)
