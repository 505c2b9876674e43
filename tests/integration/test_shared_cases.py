"""Small inputs that were once read silently wrong, or refused though right: each has its outcome.

They lie in the shared folder beside the real data, with the right value in `expected.json`. Most
are 12 slices of 24 columns and 20 rows whose values count on: first + (480 k + 24 y + x) % 3000.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medseg.ingest import IngestError, Reason, Verdict, load
from medseg.ingest.inspect_files import inspect
from medseg.ingest.reader import VolumeReader

pytestmark = pytest.mark.realdata


def ramp(first: int) -> np.ndarray:
    """(columns, rows, slices) of the values that count on."""
    counted = np.arange(12 * 20 * 24).reshape(12, 20, 24)
    return (first + counted % 3000).transpose(2, 1, 0)


def scaled_per_slice() -> np.ndarray:
    return ramp(0) * (1 + 0.2 * np.arange(12))


def padded() -> np.ndarray:
    hu = ramp(-900)
    hu[:, :2] = -1024  # the first two rows
    return hu


def counted_nifti() -> np.ndarray:
    return np.arange(10 * 12 * 8).reshape(10, 12, 8) - 500


REFUSED = {
    "encapsulated_raw_as_plain": Reason.CONFLICTING_SYNTAX,
    "rle_noise_as_plain": Reason.CONFLICTING_SYNTAX,
    "j2k_noise_as_plain": Reason.CONFLICTING_SYNTAX,
    "ct_modality_absent_no_rescale": Reason.MISSING_RESCALE,
    "ct_modality_ot_no_rescale": Reason.MISSING_RESCALE,
    "enh_ct_modality_absent": Reason.MISSING_RESCALE,
    "labelmap_seg_no_modality": Reason.NOT_AN_IMAGE,
    "concatenation_first_missing": Reason.MISSING_PARTS,
    "enh_two_stacks_half": Reason.MIXED_ACQUISITION,
    "mosaic_type_cut": Reason.MULTI_FRAME,
    "dwi_private_b_half": Reason.MIXED_ACQUISITION,
    "two_recons_half_description": Reason.MIXED_ACQUISITION,
}

READ: dict[str, Callable[[], np.ndarray]] = {
    "mr_rwvm_per_slice": scaled_per_slice,
    "ct_signed_as_unsigned": lambda: ramp(-1000),
    "ct_padding_beyond_bits_stored": padded,
    "exported_twice": lambda: ramp(-1000),
    "one_copy": lambda: ramp(-1000),
    "sc_with_geometry": lambda: ramp(-1000),
    "some_absent": lambda: ramp(-1000),
    "xa30_mosaic_word": lambda: ramp(0),
    "pair": counted_nifti,
    "other_nrrd": counted_nifti,
}

NOTED = ("ct_bits_stored_lies", "ct_signed_as_unsigned", "ct_padding_beyond_bits_stored")
"""Their headers contradict their voxels, which is said by `inspect` and where they are loaded."""

BY_OTHER_MEANS = ("label_slope", "mni_sform")
"""Cases with a test of their own."""


@pytest.fixture
def cases(data_root: Path) -> Path:
    folder = data_root.parent / "cases" / "dicom"
    if not folder.is_dir():
        pytest.skip(f"no shared cases in {folder}")
    return folder


def source(cases: Path, name: str) -> Path:
    """The folder of DICOM files, or the one file of another format."""
    files = sorted(file for file in (cases / name).glob("x.*") if file.suffix != ".img")
    return files[0] if files else cases / name


def test_every_shared_case_has_its_outcome_here(cases):
    stated = json.loads((cases / "expected.json").read_text())
    assert set(stated) == {*REFUSED, *READ, *NOTED, *BY_OTHER_MEANS}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_its_reason(cases, name):
    with pytest.raises(IngestError) as error:
        load(source(cases, name))
    assert error.value.code is REFUSED[name]
    assert [row.reason for row in inspect(source(cases, name))] == [REFUSED[name]]


@pytest.mark.parametrize("name", READ)
def test_every_voxel_is_read_with_its_right_value(cases, name):
    volume, _ = load(source(cases, name))
    np.testing.assert_allclose(volume, READ[name](), rtol=1e-6)
    assert [row.verdict for row in inspect(source(cases, name))] != [Verdict.REFUSE]


@pytest.mark.parametrize("name", NOTED)
def test_what_contradicts_its_header_is_said(cases, name, caplog):
    (row,) = inspect(source(cases, name))
    assert row.is_usable
    assert row.findings
    with caplog.at_level(logging.WARNING):
        load(source(cases, name))
    assert row.findings[0] in caplog.text


def test_labels_of_a_drifting_slope_are_rounded(cases):
    path = cases / "label_slope" / "x.nii.gz"
    labels, _ = VolumeReader(labels=[0, 1, 2, 3]).get_data([path])
    stored = np.asarray(nibabel.load(path).dataobj)
    np.testing.assert_array_equal(labels, np.rint(stored))


def test_a_key_chooses_between_sform_and_qform(cases):
    path = cases / "mni_sform" / "x.nii.gz"
    image = nibabel.load(path)
    _, by_sform = load(path, affine="sform")
    _, by_qform = load(path, affine="qform")
    np.testing.assert_allclose(by_sform.affine, image.get_sform())
    np.testing.assert_allclose(by_qform.affine, image.get_qform(), atol=1e-5)
