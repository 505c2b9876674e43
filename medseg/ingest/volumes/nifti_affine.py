"""NIfTI affine: which of the two affines of a header is taken, and when that is not clear.

nifti1.h gives a header two ways to say where its voxels lie: the qform, a rotation made for the
coordinates of the scanner, and the sform, any affine, made for a standard space. Each has a code
that names its space. The rules, in this order:

1. A form that makes no grid (shear, no inverse, not finite) is not taken where the other makes one;
   nor is a sform whose spacing contradicts pixdim and whose code names another space than the
   qform's: a registration that stretches the patient is no place to measure in.
2. Where both make the same grid (`GRID_TOLERANCE_VOXELS`), there is nothing to choose.
3. Where they differ by rounding (`ROUNDING_VOXELS`), or their codes name different spaces, the
   sform is taken, as nibabel, FSL and SPM do.
4. Where they name one space and differ, or one is the mirror image of the other or turned against
   it, nobody can tell which is right: the header is refused until the user chooses.

Whatever is not plain (1, 3) leaves a note.

Source: NIfTI-1 header, https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.spatialimages import HeaderDataError

from medseg.geometry import Geometry
from medseg.ingest.reasons import IngestError, Note, Reason
from medseg.ingest.volumes.header import AFFINES, make_grid

PIXDIM_TOLERANCE = 0.01
"""The spacing of a sform may differ from that of pixdim by this share: decimals that were cut."""

ROUNDING_VOXELS = 0.5
"""Two forms that differ by less than this part of the smallest voxel edge are one grid, rounded."""

QUATERNION_TOLERANCE = 1e-3
"""A quaternion may be longer than 1 by this: decimals that were cut, as for pixdim."""

_CODES = range(6)  # 0 is unset, 5 the other template of NIfTI-1.2


@dataclass(frozen=True)
class _Form:
    """One affine of a header: its name and code, and its grid or why it makes none."""

    name: str
    code: int
    grid: Geometry | None
    fault: IngestError | None = None

    def __str__(self) -> str:
        return f"{self.name} (code {self.code})"


def choose_affine(
    raw: Any, path: Path, *, shape: tuple[int, ...], factor: float, chosen: str | None
) -> tuple[Geometry, tuple[Note, ...]]:
    """The grid of a NIfTI header, and a note where it was not plain which affine to take.

    Args:
        raw: the nibabel header.
        path: the file, for messages.
        shape: all axes.
        factor: what turns the lengths of the header into millimetres.
        chosen: "sform" or "qform" where the user has decided; a header that states only the other
            is read by that, with a note.

    Raises:
        IngestError: "no-orientation", "conflicting-orientation", "invalid-geometry" or
            "sheared-affine".
    """
    forms = [form for name in AFFINES if (form := _read_form(raw, name, path, shape, factor))]
    if not forms:
        raise IngestError(Reason.NO_ORIENTATION, f"qform and sform of {path} are both unset")
    if named := next((form for form in forms if form.name == chosen), None):
        return _get_grid(named), ()
    forms = _refuse_stretched(forms, raw, path, factor=factor)
    good = [form for form in forms if form.grid is not None]
    if not good:
        raise forms[0].fault or IngestError(Reason.INVALID_GEOMETRY, str(path))
    if len(good) < 2:
        notes = (*_note_unset(chosen, forms, path), *_note_other(good[0], forms, path))
        return _get_grid(good[0]), notes
    return _choose_of_two(*good, path=path)


def _choose_of_two(sform: _Form, qform: _Form, *, path: Path) -> tuple[Geometry, tuple[Note, ...]]:
    """Rules 2 to 4."""
    first, second = _get_grid(sform), _get_grid(qform)
    if not (difference := first.describe_difference(second)):
        return first, ()
    is_rounding = first.same_grid(second, tolerance=ROUNDING_VOXELS)
    is_other_space = sform.code != qform.code and first.orientation == second.orientation
    said = f"{sform} and {qform} of {path} disagree, {difference}"
    if not (is_rounding or is_other_space) or _is_mirrored(first, second):
        raise IngestError(Reason.CONFLICTING_ORIENTATION, said)
    return first, ((Reason.CHOSEN_AFFINE, f"{said}; the sform was taken"),)


def _read_form(
    raw: Any, name: str, path: Path, shape: tuple[int, ...], factor: float
) -> _Form | None:
    """A form whose code is set; one that makes no grid holds the fault."""
    code = int(raw[f"{name}_code"])
    if code == 0:
        return None
    if raw["pixdim"][0] == 0:
        raw["pixdim"][0] = 1  # nifti1.h, method 2: a qfac of 0 means 1
    _shorten_quaternion(raw)
    try:
        if code not in _CODES:
            raise ValueError(f"{name}_code {code} is not an orientation code")
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite is refused next
            affine = np.diag([factor] * 3 + [1.0]) @ getattr(raw, f"get_{name}")()
        return _Form(name, code, make_grid(shape, affine, path=path))
    except IngestError as error:
        return _Form(name, code, None, error)
    except (HeaderDataError, ValueError) as error:
        fault = IngestError(Reason.INVALID_GEOMETRY, f"{path}: {error}")
        return _Form(name, code, None, fault)


def _shorten_quaternion(raw: Any) -> None:
    """Bring a quaternion that rounding made longer than 1 back to 1: half a turn, by nifti1.h.

    Its first part is not stored but follows from the length; nibabel takes a length of 1 + 2e-7.
    """
    parts = np.array([raw[f"quatern_{part}"] for part in "bcd"], dtype=np.float64)
    length = float(np.linalg.norm(parts))
    if 1 < length <= 1 + QUATERNION_TOLERANCE:
        for part, value in zip("bcd", parts / length, strict=True):
            raw[f"quatern_{part}"] = value


def _refuse_stretched(forms: list[_Form], raw: Any, path: Path, *, factor: float) -> list[_Form]:
    """The forms, with a fault for a sform whose spacing pixdim contradicts.

    Other software measures by pixdim alone; a qform is made of it. A pixdim of 0, or one along an
    axis that the image does not have, states none.

    Raises:
        IngestError: "conflicting-orientation" where both forms claim to be of one space.
    """
    sform = next((f for f in forms if f.name == "sform" and f.grid is not None), None)
    if sform is None:
        return forms
    spacing = np.array(_get_grid(sform).spacing_mm) / factor
    pixdim = np.abs(np.asarray(raw["pixdim"][1:4], dtype=np.float64))
    is_stated = (pixdim > 0) & (np.arange(3) < int(raw["dim"][0]))
    if not (is_stated & (np.abs(pixdim - spacing) > PIXDIM_TOLERANCE * spacing)).any():
        return forms
    theirs, ours = (" x ".join(f"{v:.6g}" for v in values) for values in (pixdim, spacing))
    finding = f"pixdim of {path} states a spacing of {theirs}, its sform one of {ours}"
    fault = IngestError(Reason.CONFLICTING_ORIENTATION, finding)
    others = [f for f in forms if f is not sform]
    if not any(f.grid is not None and f.code != sform.code for f in others):
        raise fault
    return [_Form(sform.name, sform.code, None, fault), *others]


def _note_unset(chosen: str | None, forms: list[_Form], path: Path) -> tuple[Note, ...]:
    """Make a note where the user has chosen a form that the header does not state."""
    if chosen is None:
        return ()
    (other,) = forms
    finding = f"affine is {chosen!r}, and {path} states none (code 0); the {other} was taken"
    return ((Reason.CHOSEN_AFFINE, finding),)


def _note_other(form: _Form, forms: list[_Form], path: Path) -> tuple[Note, ...]:
    """Make a note where the other form makes no grid."""
    other = next((f for f in forms if f is not form), None)
    if other is None or other.fault is None:
        return ()
    finding = f"{other} of {path} makes no grid ({other.fault.finding}); the {form} was taken"
    return ((Reason.CHOSEN_AFFINE, finding),)


def _get_grid(form: _Form) -> Geometry:
    if form.grid is None:
        raise form.fault or IngestError(Reason.INVALID_GEOMETRY, form.name)
    return form.grid


def _is_mirrored(one: Geometry, other: Geometry) -> bool:
    dets = [np.linalg.det(grid.affine[:3, :3]) for grid in (one, other)]
    return bool(dets[0] * dets[1] < 0)
