"""NIfTI files for the tests of several modules, good and spoilt."""

import nibabel as nib
import numpy as np
import pytest

from medseg.ingest import IngestError, load

AFFINE = np.array([[-0.75, 0, 0, 10], [0, -0.5, 0, -20], [0, 0, 1.25, -30], [0, 0, 0, 1]])


def volume(dtype=np.int16, shape=(4, 6, 5)):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def image(data=None, *, sform=AFFINE, qform=AFFINE, kind=nib.Nifti1Image):
    made = kind(volume() if data is None else data, AFFINE)
    made.set_sform(sform, code=int(sform is not None))
    made.set_qform(qform, code=int(qform is not None))
    made.header.set_xyzt_units("mm")
    return made


def spoil(path, fields):
    """Overwrite fields of the header of a `.nii`, as no writer would."""
    content = path.read_bytes()
    kind = nib.Nifti2Header if content[0] == 540 % 256 else nib.Nifti1Header
    header = kind(content[: kind.sizeof_hdr], check=False)
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + content[kind.sizeof_hdr :])


def refusal(made, tmp_path):
    path = tmp_path / "case.nii.gz"
    nib.save(made, path)
    with pytest.raises(IngestError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value
