"""Tests of medseg.ingest.reasons: the codes are stable, documented and have a remedy."""

from __future__ import annotations

import pickle

import pytest

from medseg.ingest import IngestError, Reason, reasons
from medseg.ingest.series import RESAMPLED_REASONS


@pytest.mark.parametrize("reason", Reason)
def test_every_code_is_in_the_table_and_has_a_remedy(reason):
    assert f"| {reason.value} |" in reasons.__doc__
    assert reasons.REMEDIES[reason] or reason is Reason.OK


@pytest.mark.parametrize("reason", RESAMPLED_REASONS)
def test_what_resampling_mends_says_so_for_the_command_line_and_for_python(reason):
    assert "--resample True (resample=True in Python)" in reasons.REMEDIES[reason]


@pytest.mark.parametrize("remedy", [r for r in reasons.REMEDIES.values() if "=" in r])
def test_a_keyword_of_python_is_said_to_be_one(remedy):
    assert " in Python" in remedy


def test_a_message_is_one_line_of_finding_and_remedy():
    error = IngestError(Reason.NOT_FOUND, "no such\nfile: a.nii")
    assert str(error) == "no such file: a.nii: check the path"
    assert isinstance(error, ValueError)


def test_an_error_survives_the_way_out_of_a_worker_process():
    error = pickle.loads(pickle.dumps(IngestError(Reason.NOT_3D, "a.nii has shape (2, 2, 2, 2)")))
    assert error.code is Reason.NOT_3D
    assert str(error).startswith("a.nii has shape (2, 2, 2, 2): split")
