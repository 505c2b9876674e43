"""Tests of medseg.datasets.own.patients: cases of one patient are found before they are split."""

from pathlib import Path

import pytest

from medseg.datasets.own.pair_files import Pair
from medseg.datasets.own.patients import describe_shared_names, find_patients

ROOT = Path("/data")


def make_pairs(*places, patient=""):
    return [
        Pair(Path(place).name.partition(".")[0], (ROOT / place,), ("",), None, patient)
        for place in places
    ]


def test_each_case_is_a_patient_where_nothing_tells():
    assert find_patients(make_pairs("a.nii", "b.nii"), ROOT, None) == ["a", "b"]


def test_what_the_data_state_goes_before_the_name():
    pairs = [*make_pairs("a.nii", patient="p"), *make_pairs("sub-01_T1w.nii")]
    assert find_patients(pairs, ROOT, None) == ["p", "sub-01_T1w"]


@pytest.mark.parametrize("folders", [True, False])
def test_sessions_of_a_subject_of_bids_are_of_one_patient(folders):
    names = [f"sub-{s}_ses-{k}_T1w.nii.gz" for s in ("A1", "02") for k in (1, 2)]
    places = [f"{n.partition('_')[0]}/anat/{n}" if folders else n for n in names]
    assert find_patients(make_pairs(*places), ROOT, None) == ["sub-A1"] * 2 + ["sub-02"] * 2


def test_one_name_as_in_bids_among_others_is_no_bids():
    pairs = make_pairs("sub-01_T1w.nii.gz", "sub-01_T2w.nii.gz", "other.nii.gz")
    assert find_patients(pairs, ROOT, None) == [pair.case for pair in pairs]


def test_a_pattern_is_looked_for_in_the_case_and_then_in_the_path_as_it_is_spelled():
    pairs = [Pair("LIDC_IDRI_0001_00", (ROOT / "x/LIDC-IDRI-0001_00.png",), ("",), None)]
    assert find_patients(pairs, ROOT, "(LIDC_IDRI_[0-9]+)_") == ["LIDC_IDRI_0001"]
    assert find_patients(pairs, ROOT, "(LIDC-IDRI-[0-9]+)_") == ["LIDC-IDRI-0001"]
    assert find_patients(pairs, ROOT, "^(x)/") == ["x"]
    assert find_patients(pairs, Path("/elsewhere"), "(LIDC-[A-Z]+)") == ["LIDC-IDRI"]


@pytest.mark.parametrize("pattern", ["LIDC", "(none)", "(z*)LIDC"])
def test_a_pattern_that_finds_no_group_is_refused(pattern):
    pairs = make_pairs("LIDC-1.nii")
    with pytest.raises(ValueError, match="finds no group in the name of case LIDC-1, nor in its"):
        find_patients(pairs, ROOT, pattern)


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        (["p1_a", "p1_b", "p1_c", "p2_a", "p3_a"], "p1 has 3"),
        ([f"LIDC_IDRI_{n}_{k}" for n in range(9) for k in range(2)], "LIDC_IDRI_0 has 2"),
        ([f"hippocampus_{n:03}" for n in range(99)], ""),  # one name, of the study
        ([f"site{s}_{n}" for s in range(4) for n in range(50)], ""),  # of each site
        ([f"p01_{n}" for n in range(10)], "p01 has 10"),  # all of one patient
        ([f"patient_{p}_{n}" for p in (1, 2) for n in range(10)], "patient_1 has 10"),
        ([f"p{p}_slice_{n:03}" for p in range(3) for n in range(30)], "p0_slice has 30"),
        ([f"TCGA_CS_{p}_{n}" for p in range(4940, 4944) for n in range(20)], "TCGA_CS_4940 has 20"),
        (["p1_0", "p1_1", "other"], "p1 has 2"),
        ([f"LIDC_IDRI_{n:04}_00" for n in range(50)], ""),
        ([f"{name}_{n:05}" for n in range(50) for name in ("KiTS19", "FLARE22_Ts")], ""),
        ([f"{name}_{n:05}" for n in range(50) for name in ("BraTS2021", "2019")], ""),
        ([f"Task_04_{n}" for n in range(50)], ""),
        ([f"case_{n}" for n in range(50)], ""),
        (["a", "b", "c", "d"], ""),
        (["p1_a", "p2_a", "p3_a"], ""),
        ([], ""),
    ],
)
def test_names_that_some_cases_share_are_told_unless_a_study_or_a_site_has_them(cases, said):
    told = describe_shared_names(cases)
    assert (said in told) if said else not told
