"""Tests of medseg.planning.remedies."""

import pytest

from medseg.ingest import IngestError
from medseg.ingest.reasons import REMEDIES, Reason
from medseg.planning.remedies import name_remedy

OPTIONS = ("--volume", "--resample", "--affine", "--units")


@pytest.mark.parametrize(
    "reason", [code for code, text in REMEDIES.items() if any(o in text for o in OPTIONS)]
)
def test_no_fault_of_a_case_names_an_option_that_new_lacks(reason):
    if reason is Reason.CHOSEN_AFFINE:  # a note, and no refusal
        return
    said = name_remedy(f"case a: {IngestError(reason, 'x.nii is odd')}")
    assert said.startswith("case a: x.nii is odd: ")
    assert "--" not in said


def test_another_fault_stays_as_it_is():
    fault = f"case a: {IngestError(Reason.TRAILING_BYTES, 'x.nii is odd')}"
    assert name_remedy(fault) == fault
