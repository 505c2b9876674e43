"""Tests of medseg.ingest.reasons: the codes are stable, documented and have a remedy."""

from __future__ import annotations

import pickle

import pytest

from medseg.ingest import IngestError, Reason, reasons
from medseg.ingest.dicom.judge import RESAMPLED_REASONS


@pytest.mark.parametrize("reason", Reason)
def test_every_code_has_a_remedy(reason):
    assert reasons.REMEDIES[reason] or reason is Reason.OK


@pytest.mark.parametrize("reason", RESAMPLED_REASONS)
def test_what_resampling_mends_says_so(reason):
    assert "--resample True" in reasons.REMEDIES[reason]


@pytest.mark.parametrize("remedy", reasons.REMEDIES.values())
def test_a_remedy_names_options_which_in_python_are_keywords_of_the_same_name(remedy):
    assert "=" not in remedy
    assert "Python" not in remedy


def test_a_message_is_one_line_of_finding_and_remedy():
    error = IngestError(Reason.NOT_FOUND, "no such\nfile: a.nii")
    assert str(error) == "no such file: a.nii: check the path"
    assert isinstance(error, ValueError)


def test_an_error_survives_the_way_out_of_a_worker_process():
    error = pickle.loads(pickle.dumps(IngestError(Reason.NOT_3D, "a.nii has shape (2, 2, 2, 2)")))
    assert error.code is Reason.NOT_3D
    assert str(error).startswith("a.nii has shape (2, 2, 2, 2): split")


PUBLISHED = """
chosen-series cine colour conflicting-orientation converted-units different-grids
duplicate-positions empty-folder invalid-geometry invalid-rescale left-aside localizer
lossy-compression missing-geometry missing-rescale missing-slices mixed-acquisition
mixed-frame-of-reference mixed-kernel mixed-modality mixed-orientation mixed-patient
mixed-photometric mixed-quantity mixed-rescale-type mixed-size mixed-spacing mixed-study
multi-frame no-file-meta no-orientation no-series-uid no-slice-spacing non-finite not-3d
not-a-photograph not-an-image not-found not-hounsfield not-millimetres ok padded-pixels
padded-tissue paired-files pixel-format resampled secondary-capture several-series
sheared-affine single-slice study-per-file tilted-stack too-large trailing-bytes truncated
undeclared-labels undecodable uneven-spacing unknown-format unknown-series unknown-volume
unreadable voxel-type conflicting-modality conflicting-syntax real-world-values
conflicting-rescale fewer-images missing-parts
corrected-samples unlikely-values unknown-modality series-per-file
"""
"""Codes that programs may rely on: one may be added, and none renamed or taken away."""


def test_no_code_is_renamed_or_taken_away():
    assert set(PUBLISHED.split()) <= {str(reason.value) for reason in Reason}
