"""Tests of medseg.plausibility.hounsfield: a CT is known by its air, fat and soft tissue."""

import numpy as np
import pytest
from plausibility.scans import make_scan

from medseg.datasets import phantom
from medseg.ingest import load
from medseg.plausibility import (
    describe_hounsfield_doubts,
    explain_not_hounsfield,
    is_scan_in_hounsfield,
    looks_like_hounsfield,
    measure_lung_share,
)


def test_a_scan_is_hounsfield_and_is_known_where_none_is_expected():
    assert explain_not_hounsfield(make_scan()) is None
    assert is_scan_in_hounsfield(make_scan())


BORDER = [(0, 0), (8, 8), (8, 8), (0, 0)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda hu: np.clip(hu, 0, 255), "almost none is below -50, where air and fat are"),
        (
            lambda hu: np.clip((hu + 360) / 400, 0, 0.6),
            "from 0 to 0.6 and almost none is below -50",
        ),
        (lambda hu: np.clip((hu + 160) / 200 - 1, -1, 1), "almost none is below -50"),
        (lambda hu: hu + 1024, "almost none is below -50"),
        (lambda hu: np.pad(hu + 1024, BORDER, constant_values=-2000), "not air is above 700"),
        (lambda hu: hu * 100, "almost none is from -200 to 300, where soft tissue is"),
        (lambda hu: np.abs(hu), "almost none is below -50"),
    ],
    ids=["8 bits", "0 to 1", "-1 to 1", "stored", "stored, padded", "too large", "no sign"],
)
def test_other_values_are_not_hounsfield_and_the_reason_is_given(change, why):
    assert why in explain_not_hounsfield(change(make_scan()))


@pytest.mark.parametrize("where", [np.s_[:, 4:28, 4:28], np.s_[:, :, :, :1], np.s_[:, 4:16]])
def test_a_part_of_a_scan_is_hounsfield_too(where):
    assert explain_not_hounsfield(make_scan()[where]) is None


def test_a_constant_image_is_not_judged():
    assert explain_not_hounsfield(np.zeros((1, 4, 4, 4))) is None


@pytest.mark.parametrize("shift", [0, -300])
def test_magnetic_resonance_is_not_taken_for_a_scan(shift):
    """Nor where its values were shifted below zero: none are air."""
    noise = np.random.default_rng(0).normal(300, 100, (1, 20, 20, 20)).clip(0)
    assert not is_scan_in_hounsfield(noise + shift)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda hu: hu * 2, "many values are below -1250"),
        (lambda hu: hu / 2, "what surrounds the body is at -50"),
        (lambda hu: hu / 10, "what surrounds the body is at -100"),
        (lambda hu: hu + 300, "what surrounds the body is at -70"),
        (lambda hu: hu / 4, "what surrounds the body is at -250"),
        (lambda hu: np.where(hu < -500, -1000, 50), "only 2 different values"),
    ],
)
def test_scaled_and_shifted_values_are_known_by_the_air_around_the_body(change, why):
    assert why in explain_not_hounsfield(change(make_scan()))


@pytest.mark.parametrize(
    "change",
    [
        lambda hu: hu + 200,
        lambda hu: hu - 200,
        lambda hu: hu.clip(-160, 240),
        lambda hu: hu.clip(-300, 240),
        lambda hu: np.where(hu < -500, -940, hu),
        lambda hu: np.pad(hu, BORDER, constant_values=-3024),
        lambda hu: hu + np.random.default_rng(1).normal(0, 60, hu.shape),
    ],
    ids=["+200", "-200", "clipped", "clipped wide", "plain air", "padded", "noisy"],
)
def test_a_scan_that_is_shifted_a_little_clipped_padded_or_noisy_is_hounsfield(change):
    assert explain_not_hounsfield(change(make_scan())) is None


@pytest.mark.parametrize(
    ("shift", "is_doubted"), [(0, False), (50, False), (200, True), (-200, True)]
)
def test_the_median_of_the_body_shows_a_shift_that_the_air_does_not(shift, is_doubted):
    """Soft tissue of 40 HU is 240, and -160, after it."""
    assert bool(describe_hounsfield_doubts(make_scan() + shift)) == is_doubted


def test_a_crop_inside_the_body_has_a_median_of_its_own():
    inside = np.random.default_rng(0).normal(240, 20, (1, 40, 40, 40))
    assert describe_hounsfield_doubts(inside) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda hu: -hu,
        lambda hu: 300 - hu,
        lambda hu: hu.min() + hu.max() - hu,
        lambda hu: -hu[:, 4:, 4:],
        lambda hu: -hu[..., 20:],
    ],
    ids=["negated", "inverted, shifted", "inverted", "part", "lungs"],
)
def test_values_whose_sign_is_exchanged_are_no_hounsfield_units(change):
    hu = make_scan(lungs=10)
    hu[:, 14:18, 6:10] = np.linspace(200, 1100, 4)[None, :, None, None]  # bone
    assert explain_not_hounsfield(hu) is None
    assert "sign of its values is inverted" in explain_not_hounsfield(change(hu))


def test_bone_metal_and_contrast_agent_are_no_air():
    """A skull and a joint seen from near, without air, have values all over."""
    random = np.random.default_rng(0)
    bone = random.uniform(200, 1800, (1, 40, 40, 40))
    bone[:, :20] = random.normal(20, 60, (1, 20, 40, 40))
    heart = random.normal(40, 60, (1, 40, 40, 40))
    heart[:, :20] = 450
    metal = make_scan()
    metal[:, 14:16, 14:16] = 3071
    for hu in (bone, heart, metal):
        assert explain_not_hounsfield(hu) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda hu: -hu[:, 4:28, 4:28], "lie from -80 to -20 HU and 0% from 20 to 80"),
        (lambda hu: (-hu).clip(-240, 160), "are the highest, 160"),
    ],
    ids=["inside", "clipped"],
)
def test_a_sign_that_may_be_exchanged_is_doubted(change, words):
    hu = np.pad(make_scan(), [(0, 0), (2, 2), (2, 2), (0, 20)], mode="edge")
    hu[:, 11:26, 11:26] = 30 + (hu[:, 11:26, 11:26] - 40) / 3
    assert describe_hounsfield_doubts(hu) is None
    assert words in describe_hounsfield_doubts(change(hu))


def test_values_that_fill_8_bits_are_no_hounsfield_units():
    hu = make_scan()
    hu[:, 14:18, 14:18] = 1000
    assert "the range of 8 bits" in explain_not_hounsfield(hu.clip(-128, 127))
    assert explain_not_hounsfield(hu.clip(-160, 127)) is None


def test_whole_numbers_below_zero_look_like_ct_where_mr_is_meant():
    soft = np.random.default_rng(0).normal(40, 30, (1, 20, 20, 20)).round()
    assert looks_like_hounsfield(soft)
    for of_mr in (soft + 0.5, soft.clip(0), soft + 1000, (soft - 40) / 30):
        assert not looks_like_hounsfield(of_mr)


@pytest.mark.parametrize("kind", ["ct", "chest"])
def test_phantoms_of_ct_are_hounsfield(kind, tmp_path):
    made = phantom.write(kind, tmp_path / kind, cases=1, test_cases=1, size=64, slices=16)
    images = sorted(p for p in made.rglob("*.nii.gz") if "images" in str(p.parent))
    for path in images:
        assert explain_not_hounsfield(load(path)[0][None]) is None


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("liver_ct/ircad_01/image.nii.gz", 0, 0.05),
        ("ct_small/example_ct.nii.gz", 0, 0.05),
        ("ct_small/example_ct_sm.nii.gz", 0, 0.05),
        ("lidc/LIDC-IDRI-0314", 0.15, 0.5),
        ("dicom/rt_utils_dicom/mock_data", 0, 0.05),
        ("dicom/dicom_pydicom_misc/CT_small.dcm", 0, 1),
        ("dicom/dcmqi_ct_liver_seg/ct-3slice", 0, 0.2),
    ],
)
def test_real_scans_are_hounsfield_and_the_chest_is_told_by_its_lungs(name, least, most, data_root):
    array, _ = load(data_root / name)
    assert explain_not_hounsfield(array[None]) is None
    assert describe_hounsfield_doubts(array[None]) is None
    assert "sign" in explain_not_hounsfield(-array[None])
    assert least <= measure_lung_share(array) <= most


@pytest.mark.realdata
def test_no_real_magnetic_resonance_is_hounsfield(data_root):
    paths = [*(data_root / "hippocampus/imagesTr").glob("*.nii.gz")][::10]
    paths += [data_root / "ct_small/example_mr_sm.nii.gz"]
    for path in paths:
        array = load(path)[0][None]
        assert explain_not_hounsfield(array)
        assert not is_scan_in_hounsfield(array)


def test_where_1024_was_added_the_refusal_says_to_subtract_it():
    scan = make_scan()
    assert explain_not_hounsfield(scan) is None
    assert explain_not_hounsfield(scan + 1024).endswith("subtract 1024)")


def test_magnetic_resonance_has_no_hint_to_subtract_anything():
    values = np.random.default_rng(0).gamma(2, 400, (1, 40, 40, 40)).round()
    why = explain_not_hounsfield(values)
    assert why is not None
    assert "subtract" not in why
