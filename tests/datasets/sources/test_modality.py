"""Tests of medseg.datasets.sources.modality."""

import pytest

from medseg.datasets.sources.modality import other_modality


@pytest.mark.parametrize(
    ("name", "expected", "other"),
    [
        ("MRI", "CT", "MR"),
        ("mri", "CT", "MR"),
        ("T2-weighted", "CT", "MR"),
        ("T1ce", "CT", "MR"),
        ("FLAIR", "CT", "MR"),
        ("PET", "CT", "PET"),
        ("X-Ray", "CT", "X-ray"),
        ("CT", "MR", "CT"),
        ("CE-CT", "MR", "CT"),
    ],
)
def test_another_modality_is_known_by_its_usual_names(name, expected, other):
    assert other_modality(name, expected) == other


@pytest.mark.parametrize("name", ["CT", "ct", "CTA", "CBCT", "portal-venous CT", "PET/CT"])
def test_ct_by_any_usual_name_is_ct(name):
    assert other_modality(name, "CT") is None


@pytest.mark.parametrize("name", [None, "", "image", "zscore", "noNorm", "section", "anatomy"])
@pytest.mark.parametrize("expected", ["CT", "MR"])
def test_what_says_no_modality_contradicts_none(name, expected):
    assert other_modality(name, expected) is None
