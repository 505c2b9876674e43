"""Tests of medseg.labels.concepts: a name has the code of its structure, or none."""

from collections import Counter

import pytest
from pydicom.sr.codedict import codes

from medseg.labels import ANATOMY, MORPHOLOGY, Code, find_concept
from medseg.labels.concepts import CATEGORIES, PAIRED, SIDES, read_rows

ROWS = list(read_rows())
DICOM = "DICOM"

TOTAL = (
    *("spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "pancreas"),
    *("adrenal_gland_right", "adrenal_gland_left", "lung_upper_lobe_left", "lung_lower_lobe_left"),
    *("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right", "esophagus"),
    *("trachea", "thyroid_gland", "small_bowel", "duodenum", "colon", "urinary_bladder"),
    *("prostate", "kidney_cyst_left", "kidney_cyst_right", "sacrum", "vertebrae_S1"),
    *(f"vertebrae_L{number}" for number in range(1, 6)),
    *(f"vertebrae_T{number}" for number in range(1, 13)),
    *(f"vertebrae_C{number}" for number in range(1, 8)),
    *("heart", "aorta", "pulmonary_vein", "brachiocephalic_trunk", "subclavian_artery_right"),
    *("subclavian_artery_left", "common_carotid_artery_right", "common_carotid_artery_left"),
    *("brachiocephalic_vein_left", "brachiocephalic_vein_right", "atrial_appendage_left"),
    *("superior_vena_cava", "inferior_vena_cava", "portal_vein_and_splenic_vein"),
    *("iliac_artery_left", "iliac_artery_right", "iliac_vena_left", "iliac_vena_right"),
    *("humerus_left", "humerus_right", "scapula_left", "scapula_right", "clavicula_left"),
    *("clavicula_right", "femur_left", "femur_right", "hip_left", "hip_right", "spinal_cord"),
    *("gluteus_maximus_left", "gluteus_maximus_right", "gluteus_medius_left"),
    *("gluteus_medius_right", "gluteus_minimus_left", "gluteus_minimus_right"),
    *("autochthon_left", "autochthon_right", "iliopsoas_left", "iliopsoas_right", "brain"),
    *("skull", *(f"rib_{side}_{n}" for side in SIDES for n in range(1, 13)), "sternum"),
    "costal_cartilages",
)
"""The classes of TotalSegmentator's task total, version 2."""

MORE = (
    *("lung_left", "lung_right", "vertebrae", "intervertebral_discs", "heart_myocardium"),
    *("heart_atrium_left", "heart_ventricle_left", "heart_atrium_right", "heart_ventricle_right"),
    *("pulmonary_artery", "liver_tumor", "liver_vessels", "lung_vessels", "lung_nodules"),
    *("patella", "tibia", "fibula", "ulna", "radius", "vertebrae_body", "optic_nerve_left"),
    *("parotid_gland_left", "liver_segment_1", "liver_segment_8", "subcutaneous_fat", "brainstem"),
)
"""Classes of its other tasks."""

OTHERS = (
    *("left kidney", "right adrenal gland", "oesophagus", "postcava", "bladder"),  # AMOS, BTCV
    *("portal vein and splenic vein", "duodenum", "pancreas", "left atrium", "hepatic vessel"),
    *("edema", "kidney tumor", "cyst", "right ventricle", "myocardium", "left ventricle"),
)
"""Classes of AMOS, BTCV, FLARE, KiTS, ACDC and the Medical Segmentation Decathlon."""


def _dicom(code):
    return Code(code.value, code.scheme_designator, code.meaning)


def _find_known():
    """The codes of SNOMED CT that pydicom lists -> their meanings there, in small letters."""
    known = {}
    for code in codes.SCT.concepts.values():
        known.setdefault(code.value, set()).add(code.meaning.lower())
    return known


def _has_check_digit(value):
    """Verhoeff's check, which the last digit of a SNOMED CT identifier fulfils."""
    state = 0
    for place, digit in enumerate(reversed(value)):
        state = _combine(state, _permute(int(digit), place % 8))
    return state == 0


def _combine(left, right):
    """The product in the dihedral group of a pentagon: 0 to 4 turn it, 5 to 9 mirror it."""
    turn = (left + right if left < 5 else left - right) % 5
    return turn + 5 * ((left < 5) != (right < 5))


def _permute(digit, times):
    for _ in range(times):
        digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
    return digit


@pytest.mark.parametrize("name", [*TOTAL, *MORE, *OTHERS])
def test_a_class_of_the_common_models_has_a_concept(name):
    concept = find_concept(name)
    assert concept is not None
    sides = [side for side in SIDES if side in name.lower()]
    told = concept.laterality.meaning if concept.laterality else concept.type.meaning
    assert all(side in told.lower() for side in sides)


def test_the_classes_of_a_model_of_many_have_concepts_of_their_own():
    assert len(TOTAL) == len(set(TOTAL)) == 117
    assert len({find_concept(name) for name in TOTAL}) == 117


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["names"])
def test_a_row_is_well_formed(row):
    assert row["category"] in CATEGORIES
    assert row["laterality"] in ("", PAIRED, *SIDES)
    assert row["source"] in (DICOM, "HL7 mCODE", "TotalSegmentator", "SNOMED CT")
    assert bool(row["site"]) == bool(row["site_meaning"])
    for name in row["names"].split(";"):
        assert name == " ".join(name.lower().split())
        assert not {*name.split()} & {*SIDES, "tumor", "oedema", "oesophagus"}
    for value in filter(None, (row["code"], row["site"])):
        assert value.isdigit()
        assert 6 <= len(value) <= 18
        assert value[-3] == "0"  # a concept, neither a description nor a relationship
        assert _has_check_digit(value)


def test_no_name_or_meaning_stands_for_two_things():
    keys = [
        (name, side)
        for row in ROWS
        for name in row["names"].split(";")
        for side in (("", *SIDES) if row["laterality"] == PAIRED else (row["laterality"],))
    ]
    assert max(Counter(keys).values()) == 1
    things = [(row["code"], row["site"]) for row in ROWS]
    assert max(Counter(things).values()) == 1
    assert len({row["code"] for row in ROWS}) == len({row["meaning"] for row in ROWS})


def test_the_codes_are_those_of_dicom_where_it_has_them():
    known = _find_known()
    for row in ROWS:
        if row["source"] == DICOM:
            assert row["meaning"].lower() in known[row["code"]]
        else:
            assert row["code"] not in known
        if row["site"]:
            assert row["site_meaning"].lower() in known[row["site"]]


def test_the_sides_are_those_of_dicom():
    assert SIDES["left"] == _dicom(codes.cid244.Left)
    assert SIDES["right"] == _dicom(codes.cid244.Right)


@pytest.mark.parametrize(
    "name",
    [
        *("kidney_left", "left kidney", "Left_Kidney", "kidney (left)", "Kidney, left"),
        *("KIDNEY-LEFT", " left  kidneys "),
    ],
)
def test_a_side_is_found_wherever_the_name_has_it(name):
    concept = find_concept(name)
    assert concept.type == _dicom(codes.SCT.Kidney)
    assert concept.laterality == _dicom(codes.cid244.Left)


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("heart_atrium_left", "LeftAtrium"),
        ("atrial_appendage_left", "LeftAuricularAppendage"),
        ("lung_middle_lobe_right", "MiddleLobeOfRightLung"),
        ("pulmonary_artery_left", "LeftPulmonaryArtery"),
        ("right hepatic vein", "RightHepaticVein"),
    ],
)
def test_a_code_of_one_side_needs_no_other_for_it(name, keyword):
    concept = find_concept(name)
    assert concept.type == _dicom(getattr(codes.SCT, keyword))
    assert concept.laterality is None


@pytest.mark.parametrize(
    ("name", "keyword", "site", "side"),
    [
        ("kidney_cyst_left", "Cyst", "Kidney", "Left"),
        ("liver_tumor", "Neoplasm", "Liver", None),
        ("Lung nodules", "Nodule", "Lung", None),
    ],
)
def test_a_finding_has_the_site_that_its_name_tells(name, keyword, site, side):
    concept = find_concept(name)
    assert concept.category == MORPHOLOGY
    assert concept.type == _dicom(getattr(codes.SCT, keyword))
    assert concept.site == _dicom(getattr(codes.SCT, site))
    assert (concept.laterality and concept.laterality.meaning) == side


@pytest.mark.parametrize(
    "name",
    [
        *("anterior", "PZ", "whole tumour", "tumour core", "LV", "L1", "vessel", "ventricle"),
        *("ventricle_left", "left/right kidney", "left right kidney", "left left kidney"),
        *("liver left", "spleen_right", "prostate/uterus", "kidney, tumour", "kidney - tumour"),
        *("kidney+tumour", "not kidney", "éye", "left", "normal", "Background", "s", ""),
    ],
)
def test_a_name_that_is_unknown_or_could_mean_another_thing_has_no_concept(name):
    assert find_concept(name) is None


@pytest.mark.parametrize(
    "name", ["Liver", "Spleen", "Kidney", "Pancreas", "Stomach", "Gallbladder"]
)
@pytest.mark.parametrize("form", [str.lower, str.upper])
def test_codes_of_organs_are_those_of_dicom(name, form):
    concept = find_concept(form(name))
    assert concept.category == ANATOMY == _dicom(codes.cid7150.AnatomicalStructure)
    assert concept.type == _dicom(getattr(codes.SCT, name))
    assert concept.laterality is concept.site is None


@pytest.mark.parametrize("name", ["Lung", "Heart", "Aorta", "Prostate", "Brain", "Hippocampus"])
def test_codes_of_more_organs_are_those_of_dicom(name):
    assert find_concept(name).type == _dicom(getattr(codes.SCT, name))


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("liver_tumor", "Neoplasm"),
        ("Tumour", "Neoplasm"),
        ("nodule", "Nodule"),
        ("lesion", "Lesion"),
    ],
)
def test_codes_of_lesions_are_those_of_dicom(name, keyword):
    concept = find_concept(name)
    assert concept.category == _dicom(codes.cid7150.MorphologicallyAbnormalStructure)
    assert concept.type == _dicom(getattr(codes.SCT, keyword))


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        *(("oesophagus", "Esophagus"), ("adrenal_gland", "AdrenalGland"), ("Femurs", "Femur")),
        ("lumbo-sacral spine", "LumboSacralSpine"),
    ],
)
def test_any_structure_that_dicom_lists_for_segmentations_has_its_code(name, keyword):
    assert find_concept(name).type == _dicom(getattr(codes.SCT, keyword))


def test_codes_are_equal_by_value_and_scheme_whatever_their_meaning_is_called():
    assert Code("49755003", "SCT", "Morphologically Altered Structure") == MORPHOLOGY
    assert Code("49755003", "DCM", MORPHOLOGY.meaning) != MORPHOLOGY
