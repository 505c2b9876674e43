"""Tests of medseg.ingest.volumes.nifti_affine: of two affines the right one is taken, or
neither."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest
from ingest.volumes.nifti_files import AFFINE, image, spoil
from nibabel import Nifti1Image, Nifti1Pair, save

from medseg.ingest import IngestError, Reason, Verdict, inspect, load

SHEARED = AFFINE + np.array([[0, 0, 0, 0], [0, 0, 0.3, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def moved(mm, axis=0):
    affine = AFFINE.copy()
    affine[axis, 3] += mm
    return affine


def turned(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ AFFINE


def write(path, sform, qform, *, codes=(1, 1), fields=None):
    made = image(sform=sform, qform=qform)
    save(made, path)
    spoil(path, {"sform_code": codes[0], "qform_code": codes[1], **(fields or {})})
    return path


def refused(path, **choices):
    with pytest.raises(IngestError) as caught:
        load(path, **choices)
    return caught.value


def test_forms_that_differ_by_less_than_half_a_voxel_are_one_grid_and_noted(tmp_path, caplog):
    """The smallest edge of a voxel is 0.5 mm."""
    path = write(tmp_path / "case.nii", AFFINE, moved(0.16))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(load(path)[1].affine, AFFINE, atol=1e-5)
    assert "0.16 mm apart" in caplog.text
    assert "the sform was taken" in caplog.text
    assert "--affine qform" in caplog.text
    (row,) = inspect(path)
    assert (row.verdict, row.reason) == (Verdict.REPAIR, Reason.CHOSEN_AFFINE)
    write(path, AFFINE, moved(0.26))
    assert refused(path).code is Reason.CONFLICTING_ORIENTATION


def test_forms_within_rounding_of_headers_are_not_noted(tmp_path, caplog):
    path = write(tmp_path / "case.nii", AFFINE, moved(0.02))
    with caplog.at_level(logging.WARNING):
        load(path)
    assert not caplog.text


@pytest.mark.parametrize("codes", [(4, 1), (2, 1), (1, 2), (3, 1), (5, 2)])
def test_forms_of_different_spaces_need_not_agree_and_the_sform_is_taken(codes, tmp_path, caplog):
    path = write(tmp_path / "case.nii", AFFINE, turned(20) + moved(100) - AFFINE, codes=codes)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(load(path)[1].affine, AFFINE, atol=1e-5)
    assert f"sform (code {codes[0]}) and qform (code {codes[1]})" in caplog.text


def test_forms_of_one_space_that_differ_are_refused_until_the_user_chooses(tmp_path):
    path = write(tmp_path / "case.nii", AFFINE, moved(7))
    error = refused(path)
    assert error.code is Reason.CONFLICTING_ORIENTATION
    assert "sform (code 1) and qform (code 1)" in str(error)
    assert "--affine sform or --affine qform" in str(error)
    np.testing.assert_allclose(load(path, affine="sform")[1].affine, AFFINE, atol=1e-5)
    np.testing.assert_allclose(load(path, affine="qform")[1].affine, moved(7), atol=1e-5)
    assert inspect(path)[0].verdict is Verdict.REFUSE
    assert inspect(path, affine="qform")[0].verdict is Verdict.ACCEPT


@pytest.mark.parametrize("mirror", [(-1, 1, 1), (1, 1, -1)])
def test_mirrored_forms_are_refused_whatever_their_codes(mirror, tmp_path):
    other = np.diag([*mirror, 1.0]) @ AFFINE
    path = write(tmp_path / "case.nii", AFFINE, other, codes=(4, 1))
    assert refused(path).code is Reason.CONFLICTING_ORIENTATION


def test_forms_that_point_elsewhere_are_refused_whatever_their_codes(tmp_path):
    path = write(tmp_path / "case.nii", AFFINE, turned(90), codes=(4, 1))
    assert refused(path).code is Reason.CONFLICTING_ORIENTATION


@pytest.mark.parametrize("codes", [(1, 1), (4, 1)])
def test_a_sheared_sform_beside_a_good_qform_leaves_the_qform(codes, tmp_path, caplog):
    path = write(tmp_path / "case.nii", SHEARED, AFFINE, codes=codes)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(load(path)[1].affine, AFFINE, atol=1e-5)
    assert "makes no grid" in caplog.text
    assert f"the qform (code {codes[1]}) was taken" in caplog.text
    assert refused(path, affine="sform").code is Reason.SHEARED_AFFINE


def test_a_sform_without_inverse_beside_a_good_qform_leaves_the_qform(tmp_path):
    path = write(tmp_path / "case.nii", AFFINE, AFFINE, fields={"srow_z": [0, 0, 0, 0]})
    np.testing.assert_allclose(load(path)[1].affine, AFFINE, atol=1e-5)


def test_a_qform_that_is_no_rotation_beside_a_good_sform_leaves_the_sform(tmp_path, caplog):
    path = write(tmp_path / "case.nii", AFFINE, AFFINE, fields={"quatern_b": 9})
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(load(path)[1].affine, AFFINE, atol=1e-5)
    assert "the sform (code 1) was taken" in caplog.text


def test_a_stretched_sform_of_a_template_leaves_the_qform(tmp_path):
    """A registration to a template may stretch the patient: 1.2 times along each axis here."""
    stretched = np.diag([1.2, 1.2, 1.2, 1]) @ AFFINE
    path = write(tmp_path / "case.nii", stretched, AFFINE, codes=(4, 1))
    assert load(path)[1].spacing_mm == pytest.approx((0.75, 0.5, 1.25))
    path = write(tmp_path / "case.nii", stretched, AFFINE, codes=(1, 1))
    assert refused(path).code is Reason.CONFLICTING_ORIENTATION
    assert load(path, affine="sform")[1].spacing_mm == pytest.approx((0.9, 0.6, 1.5))


@pytest.mark.parametrize(("chosen", "other"), [("sform", "qform"), ("qform", "sform")])
@pytest.mark.parametrize("name", ["case.nii", "case.nii.gz", "case.hdr"])
def test_a_file_that_states_the_other_form_alone_is_read_with_a_note(
    name, chosen, other, tmp_path, caplog
):
    path = tmp_path / name
    kind = Nifti1Pair if name == "case.hdr" else Nifti1Image
    made = image(**{chosen: None})
    save(kind(np.asarray(made.dataobj), None, made.header), path)
    with caplog.at_level(logging.WARNING):
        affine = load(path, affine=chosen)[1].affine
    np.testing.assert_allclose(affine, AFFINE, atol=1e-5)
    said = rf"affine is '{chosen}', and .*{name} states none \(code 0\); the {other} \(code 1\)"
    assert re.search(said, caplog.text)
    (row,) = inspect(path, affine=chosen)
    assert (row.verdict, row.reason) == (Verdict.REPAIR, Reason.CHOSEN_AFFINE)
    assert re.search(said, row.findings[0])
    assert inspect(path, affine=other)[0].verdict is Verdict.ACCEPT
    assert inspect(path)[0].verdict is Verdict.ACCEPT


HALF_TURN = np.array([[-1.5, 0, 0, 4], [0, 0, 2, 5], [0, 1.0, 0, 6], [0, 0, 0, 1]])


@pytest.mark.parametrize("longer", [1e-6, 1e-5, 9e-4])
def test_a_quaternion_that_rounding_made_longer_than_1_is_half_a_turn(longer, tmp_path):
    """b, c, d of half a turn are (0, 0.7071, 0.7071); six decimals are enough to pass 1."""
    parts = [0.0, *[np.sqrt(0.5) * (1 + longer)] * 2]
    fields = dict(zip(("quatern_b", "quatern_c", "quatern_d"), parts, strict=True))
    path = write(tmp_path / "a.nii", HALF_TURN, HALF_TURN, codes=(0, 1), fields=fields)
    np.testing.assert_allclose(load(path)[1].affine, HALF_TURN, atol=1e-5)


def test_a_quaternion_that_is_no_rotation_is_refused(tmp_path):
    fields = {"quatern_b": 1.0, "quatern_c": 1.0, "quatern_d": 0.2}
    path = write(tmp_path / "a.nii", HALF_TURN, HALF_TURN, codes=(0, 1), fields=fields)
    assert refused(path).code is Reason.INVALID_GEOMETRY


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_form_that_is_not_finite_is_refused_without_a_warning_of_numpy(value, tmp_path):
    path = write(
        tmp_path / "case.nii", AFFINE, AFFINE, codes=(1, 0), fields={"srow_x": [value] * 4}
    )
    assert refused(path).code is Reason.INVALID_GEOMETRY
